-- An attribute's direction in a shared space, carried back to one of its views by the pseudo-inverse: a row with `w`, the least move of the
-- view's latent that the shared space sees as a move along its own probe. For une edit --direction.
CREATE OR REPLACE MACRO carried_back(in_shared, to_view, of_attribute, by_method := 'ridge') AS TABLE
WITH nz_probe AS (SELECT w AS nz_w FROM direction(in_shared, of_attribute, by_method)),
nz_map AS (
    SELECT back AS nz_back, dim AS nz_dim, view_dim AS nz_view_dim FROM shared_maps WHERE space = in_shared AND source = to_view
    ORDER BY train DESC, config LIMIT 1),
nz_trouble AS (
    SELECT 'no view ''' || to_view || ''' of a shared space ''' || in_shared || ''' in this lake; une shared makes one' AS message
    WHERE NOT EXISTS (FROM nz_map)),
nz_rows AS (
    SELECT nz_d, list_dot_product(nz_w, nz_back[(nz_d - 1) * nz_dim + 1 : nz_d * nz_dim]) AS nz_value
    FROM nz_probe CROSS JOIN nz_map CROSS JOIN unnest(generate_series(1, nz_view_dim)) AS nz_u(nz_d))
SELECT list(nz_value ORDER BY nz_d) AS w FROM nz_rows HAVING count(*) > 0
UNION ALL
SELECT error(message)::DOUBLE[] FROM nz_trouble WHERE error(message)::BOOLEAN;
