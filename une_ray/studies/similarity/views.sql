-- In the stock shell: .read queries/noisezoo.sql, then this file.
CREATE OR REPLACE VIEW similarities AS FROM read_parquet(getvariable('lake') || '/similarities/*.parquet', hive_partitioning = false);

-- Every measure of two spaces over draws of n images: `excess` is the value less its permutation null, `deviations` the same in standard
-- deviations of the null, `sd` over draws (none where every draw has the same images). Of several computations of a pair the one of most
-- images counts, then of most draws: draws of different populations have no mean. Rank correlation is of 512 images at the most; rows of
-- earlier une_rays that say more are of the first 512 as well, and left out.
CREATE OR REPLACE VIEW similarity_curves AS
WITH nz_runs AS (
    SELECT source, target, config FROM similarities GROUP BY source, target, config
    QUALIFY row_number() OVER (PARTITION BY source, target ORDER BY max(n) DESC, max(draw) DESC, max(permutations) DESC, config) = 1)
SELECT source, target, measure, n, avg(value) AS value, avg(null_mean) AS "null", avg(value - null_mean) AS excess,
    avg((value - null_mean) / nullif(null_sd, 0)) AS deviations, CASE WHEN stddev_samp(value) > 1e-9 THEN stddev_samp(value - null_mean) END AS sd, count(*) AS draws, max(p_value) AS p_value
FROM similarities SEMI JOIN nz_runs USING (source, target, config) WHERE measure <> 'rank-correlation' OR n <= 512 GROUP BY ALL;

-- Two spaces, every measure against n, both names in either order: SELECT * FROM similarity('mini-clip-a', 'mini-dino');
CREATE OR REPLACE MACRO similarity(a, b) AS TABLE
WITH nz_curves AS (FROM similarity_curves WHERE (source = a AND target = b) OR (source = b AND target = a)),
nz_known AS (SELECT coalesce(list(DISTINCT source || ' and ' || target), []) AS nz_pairs FROM similarities),
nz_trouble AS (
    SELECT 'no similarity of ' || coalesce(a, 'NULL') || ' and ' || coalesce(b, 'NULL') || ' in this lake; '
        || if(nz_pairs = [], 'une similarity measures them', 'there is of ' || array_to_string(list_sort(nz_pairs)[:8], ', ')) AS message
    FROM nz_known WHERE NOT EXISTS (FROM nz_curves))
SELECT measure, source, target, n, value, "null", excess, deviations, sd, draws FROM nz_curves
UNION ALL
SELECT error(message)::VARCHAR, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM nz_trouble WHERE error(message)::BOOLEAN
ORDER BY ALL;

-- Which spaces are a rotation apart? Held-out R² of three maps from source to target at the largest n, each with its null.
CREATE OR REPLACE VIEW map_pairs AS
WITH nz_last AS (
    FROM similarity_curves WHERE measure IN ('orthogonal', 'ridge', 'cca-map')
    QUALIFY n = max(n) OVER (PARTITION BY source, target, measure))
SELECT source, target, n, max(value) FILTER (measure = 'orthogonal') AS orthogonal, max("null") FILTER (measure = 'orthogonal') AS orthogonal_null,
    max(value) FILTER (measure = 'ridge') AS ridge, max("null") FILTER (measure = 'ridge') AS ridge_null,
    max(value) FILTER (measure = 'cca-map') AS cca, max("null") FILTER (measure = 'cca-map') AS cca_null,
    CASE WHEN ridge <= ridge_null + 0.02 OR max(p_value) FILTER (measure = 'ridge') > 0.1 THEN 'nothing linear'
        WHEN orthogonal >= 0.9 * ridge THEN 'a rotation' ELSE 'a linear map' END AS related_by
FROM nz_last GROUP BY source, target, n ORDER BY ALL;
