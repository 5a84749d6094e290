-- In the stock shell: .read queries/noisezoo.sql, then this file.
-- `copies` are those that were left out, NULL in files of earlier une_rays, which had them in.
CREATE OR REPLACE VIEW shared_maps AS FROM read_parquet(getvariable('lake') || '/shared_maps/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::BIGINT AS copies WHERE false;
CREATE OR REPLACE VIEW shared_scores AS FROM read_parquet(getvariable('lake') || '/shared_scores/*.parquet', hive_partitioning = false);

-- Of every shared space that is in the lake the maps that it is made by, and no earlier ones of its name.
CREATE OR REPLACE VIEW kept_shared_maps AS FROM shared_maps nz_m
WHERE EXISTS (FROM spaces nz_s WHERE nz_s.space = nz_m.space AND nz_s.weights = 'sha256:' || nz_m.sha256)
QUALIFY row_number() OVER (PARTITION BY space, source ORDER BY train DESC, config) = 1;

-- An attribute's direction in a shared space, carried back to one of its views by the pseudo-inverse: a row with `w`, the least move of the
-- view's latent that the shared space sees as a move along its own probe. For une edit --direction.
CREATE OR REPLACE MACRO carried_back(in_shared, to_view, of_attribute, by_method := 'ridge') AS TABLE
WITH nz_probe AS (SELECT w AS nz_w FROM direction(in_shared, of_attribute, by_method)),
nz_map AS (
    SELECT back AS nz_back, dim AS nz_dim, view_dim AS nz_view_dim FROM kept_shared_maps
    WHERE space = in_shared AND source = to_view),
nz_trouble AS (
    SELECT 'no view ''' || to_view || ''' of a shared space ''' || in_shared || ''' in this lake; une shared makes one' AS message
    WHERE NOT EXISTS (FROM nz_map)),
nz_rows AS (
    SELECT nz_d, list_dot_product(nz_w, nz_back[(nz_d - 1) * nz_dim + 1 : nz_d * nz_dim]) AS nz_value
    FROM nz_probe CROSS JOIN nz_map CROSS JOIN unnest(generate_series(1, nz_view_dim)) AS nz_u(nz_d))
SELECT list(nz_value ORDER BY nz_d) AS w FROM nz_rows HAVING count(*) > 0
UNION ALL
SELECT error(message)::DOUBLE[] FROM nz_trouble WHERE error(message)::BOOLEAN;

-- What one view alone says of a shared space, of a vector or a few; the space itself is what all views say together:
-- SELECT image_id, seen_in(z, 'shared-1', 'mini-dino') AS x FROM latents WHERE space = 'mini-dino' LIMIT 5;
CREATE OR REPLACE MACRO nz_view_columns(in_shared, of_view) AS TABLE
WITH nz_map AS (
    FROM kept_shared_maps nz_m WHERE nz_m.space = in_shared AND nz_m.source = of_view),
nz_columns AS (
    SELECT nz_j, mean, weights[(nz_j - 1) * view_dim + 1 : nz_j * view_dim] AS w
    FROM nz_map CROSS JOIN unnest(generate_series(1, dim)) AS nz_u(nz_j))
SELECT nz_j, w, -list_dot_product(w, mean) AS b, false AS of_unit FROM nz_columns;

CREATE OR REPLACE MACRO seen_in(z, in_shared, of_view) AS nz_affine(z, coalesce(
    (SELECT list({'w': w, 'b': b, 'of_unit': of_unit} ORDER BY nz_j) FROM nz_view_columns(in_shared, of_view)),
    error('no view ' || coalesce(of_view, 'NULL') || ' of a shared space ' || coalesce(in_shared, 'NULL') || ' in this lake; ' || (
        SELECT coalesce('there is ' || array_to_string(list_sort(list(DISTINCT nz_k.source || ' of ' || nz_k.space))[:8], ', '), 'une shared makes them')
        FROM kept_shared_maps nz_k))));

-- Do shared spaces find the same images alike? Of every two that une similarity has compared: which views they have in common (none, where
-- the view sets are disjoint), and against n the share of an image's ten nearest that are the same (mutual-neighbours) and Spearman's
-- correlation of all cosines (rank-correlation), each beside mixed-up pairs as in similarity_curves.
CREATE OR REPLACE VIEW similarities AS FROM read_parquet(getvariable('lake') || '/similarities/*.parquet', hive_partitioning = false);
CREATE OR REPLACE VIEW shared_neighbourhoods AS
WITH nz_views AS (SELECT space, list_sort(list(DISTINCT source)) AS views FROM kept_shared_maps GROUP BY space),
nz_runs AS (  -- as in similarity_curves
    SELECT source, target, config FROM similarities GROUP BY source, target, config
    QUALIFY row_number() OVER (PARTITION BY source, target ORDER BY max(n) DESC, max(draw) DESC, max(permutations) DESC, config) = 1)
SELECT a.space AS one, b.space AS other, list_intersect(a.views, b.views) AS views_in_common, measure, n, avg(value) AS value, avg(null_mean) AS "null",
    avg(value - null_mean) AS excess, avg((value - null_mean) / nullif(null_sd, 0)) AS deviations, max(p_value) AS p_value, count(*) AS draws
FROM (FROM similarities SEMI JOIN nz_runs USING (source, target, config)) s JOIN nz_views a ON a.space = s.source JOIN nz_views b ON b.space = s.target
WHERE measure = 'mutual-neighbours' OR (measure = 'rank-correlation' AND n <= 512) GROUP BY ALL ORDER BY ALL;
