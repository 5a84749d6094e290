-- In the stock shell: .read queries/noisezoo.sql, then this file.
-- `copies` are those that were left out, NULL in files of earlier une_rays, which had them in: such a map counts where there is no other.
CREATE OR REPLACE VIEW maps AS FROM read_parquet(getvariable('lake') || '/maps/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::BIGINT AS copies WHERE false;
CREATE OR REPLACE VIEW map_fits AS FROM read_parquet(getvariable('lake') || '/map_fits/*.parquet', hive_partitioning = false);
CREATE OR REPLACE VIEW map_uses AS FROM read_parquet(getvariable('lake') || '/map_uses/*.parquet', hive_partitioning = false);

-- What `une map fit` found, over the draws of anchors: mean and standard deviation of every figure.
-- `any_orthogonal`: every orthogonal matrix would give this figure, so it says nothing of the one that was fitted.
CREATE OR REPLACE VIEW map_figures AS
SELECT source, target, map, centred, anchors, classes_fitted, "of", subset, metric, avg(value) AS value, stddev_samp(value) AS sd,
    count(*) AS draws, any_value(items) AS items, bool_and(any_orthogonal) AS any_orthogonal, split_seed, config
FROM (
    SELECT * REPLACE (if(classes_fitted IS NULL, anchors, (avg(anchors) OVER same_classes)::BIGINT) AS anchors) FROM map_fits
    WINDOW same_classes AS (PARTITION BY config, map, centred, classes_fitted))
GROUP BY ALL;

-- A stored map, number by number of its result: y = z/‖z‖·w + b.
CREATE OR REPLACE MACRO nz_map_columns(from_space, to_space, by_map, is_centred) AS TABLE
WITH nz_map AS (
    FROM maps nz_m WHERE nz_m.source = from_space AND nz_m.target = to_space AND nz_m.map = by_map AND nz_m.centred = is_centred
    ORDER BY nz_m.split_seed, nz_m.copies IS NULL, nz_m.train DESC, nz_m.config LIMIT 1),
nz_columns AS (
    SELECT nz_j, normalised AS of_unit, if(normalised, target_norm, 1) AS nz_norm, source_mean, target_mean[nz_j] AS nz_mean,
        if(normalised, target_norm, 1) * scale AS nz_factor, matrix[(nz_j - 1) * source_dim + 1 : nz_j * source_dim] AS nz_w
    FROM nz_map CROSS JOIN unnest(generate_series(1, target_dim)) AS nz_u(nz_j))
SELECT nz_j, list_transform(nz_w, lambda nz_x: nz_factor * nz_x) AS w, nz_norm * nz_mean - nz_factor * list_dot_product(nz_w, source_mean) AS b, of_unit
FROM nz_columns;

-- Why there is no such map: its message.
CREATE OR REPLACE MACRO nz_no_map(from_space, to_space) AS
    'no such map of ' || coalesce(from_space, 'NULL') || ' onto ' || coalesce(to_space, 'NULL') || ' in this lake; ' || (
        SELECT coalesce('there is ' || array_to_string(list_sort(list(DISTINCT nz_k.map || if(nz_k.centred, '', ' uncentred') || ' of ' || nz_k.source
            || ' onto ' || nz_k.target))[:8], ', '), 'une map fit makes them')
        FROM maps nz_k);

-- A vector of one space in another's coordinates, by a map that une map fit has stored; for one vector or a few:
-- SELECT image_id, apply_map(z, 'mini-clip-a', 'mini-clip-b') AS z FROM latents WHERE space = 'mini-clip-a' LIMIT 5;
CREATE OR REPLACE MACRO apply_map(z, from_space, to_space, by_map := 'orthogonal', is_centred := true) AS nz_affine(z, coalesce(
    (SELECT list({'w': w, 'b': b, 'of_unit': of_unit} ORDER BY nz_j) FROM nz_map_columns(from_space, to_space, by_map, is_centred)),
    error(nz_no_map(from_space, to_space))));

-- The same of a whole space: image_id and z. SELECT * FROM mapped('mini-clip-a', 'mini-clip-b');
CREATE OR REPLACE MACRO mapped(from_space, to_space, by_map := 'orthogonal', is_centred := true) AS TABLE
WITH nz_columns AS MATERIALIZED (FROM nz_map_columns(from_space, to_space, by_map, is_centred)),
nz_products AS (
    SELECT nz_l.image_id, nz_j, list_dot_product(w, nz_l.z::DOUBLE[]) / if(of_unit, sqrt(list_dot_product(nz_l.z::DOUBLE[], nz_l.z::DOUBLE[])), 1) + b AS nz_y
    FROM latents nz_l CROSS JOIN nz_columns WHERE nz_l.space = from_space),
nz_trouble AS (
    FROM nz_space_trouble(from_space)
    UNION ALL
    SELECT nz_no_map(from_space, to_space) WHERE NOT EXISTS (FROM nz_columns))
SELECT image_id, list(nz_y ORDER BY nz_j) AS z FROM nz_products GROUP BY image_id
UNION ALL
SELECT error(message)::VARCHAR, error(message)::DOUBLE[] FROM nz_trouble WHERE error(message)::BOOLEAN;
