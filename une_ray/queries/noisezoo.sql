-- The views and macros of a NoiseZoo lake. In the stock shell:
--
--   duckdb
--   SET VARIABLE lake = '/path/to/lake';
--   .read queries/noisezoo.sql
--
-- `une sql --lake PATH` does the same. Needs DuckDB 1.5 or later, no extension.

-- One row per image of the corpus, rejected ones included.
CREATE OR REPLACE VIEW images AS
SELECT * FROM read_parquet(getvariable('lake') || '/images/*.parquet');

-- Every image × space, rejected ones included: status, error, and z where the status is 'ok'.
CREATE OR REPLACE VIEW readings AS
SELECT * FROM read_parquet(getvariable('lake') || '/spaces/*/*.parquet', hive_partitioning = true, hive_types = {'space': VARCHAR});

-- One row per image × space that has a latent: z is a FLOAT[], `dim` numbers long.
-- `z[:]` copies the list: DuckDB's reader leaves NULL elements of filtered rows behind it, at which list_cosine_similarity stops.
CREATE OR REPLACE VIEW latents AS
SELECT space, image_id, z[:] AS z, len(z) AS dim, norm, round_trip_psnr, final_timestep FROM readings WHERE status = 'ok';

-- Attributes in long form: image_id, split, attribute, value.
CREATE OR REPLACE VIEW attributes AS
SELECT image_id, split, unnest(map_keys(attributes)) AS attribute, unnest(map_values(attributes)) AS value FROM images WHERE status = 'ok';

-- Small-integer factors in long form: image_id, split, factor, value.
CREATE OR REPLACE VIEW factors AS
SELECT image_id, split, unnest(map_keys(factors)) AS factor, unnest(map_values(factors)) AS value FROM images WHERE status = 'ok';

-- What was read in vain, and why; `space` is NULL where the image itself could not be read.
CREATE OR REPLACE VIEW rejects AS
SELECT NULL AS space, image_id, source, error FROM images WHERE status = 'reject'
UNION ALL BY NAME
SELECT r.space, r.image_id, i.source, r.error FROM readings r JOIN images i USING (image_id) WHERE r.status = 'reject' AND i.status = 'ok';

-- One row per shard × stage of every build: images, rejects, seconds, host, device.
CREATE OR REPLACE VIEW runs AS
SELECT * FROM read_parquet(getvariable('lake') || '/runs/*.parquet');

-- Fitted probes, one row per space × attribute × method × split, with weights w, bias b and test metrics; written by `une probe`.
CREATE OR REPLACE VIEW probes AS
SELECT * FROM read_parquet(getvariable('lake') || '/probes/*.parquet');

-- Edited images, one row per direction × image × α × judge, written by `une edit`: scores are a map from attribute to what the judge's
-- probe reads. Runs over different numbers of images may share some; those count once.
CREATE OR REPLACE VIEW edits AS
SELECT * REPLACE (z[:] AS z) FROM read_parquet(getvariable('lake') || '/edits/*.parquet')
QUALIFY row_number() OVER (PARTITION BY edit, judge, image_id, alpha ORDER BY config) = 1;

-- What `une gaussianity` and `une transfer` found.
CREATE OR REPLACE VIEW gaussianity AS
SELECT * FROM read_parquet(getvariable('lake') || '/gaussianity/*.parquet');
CREATE OR REPLACE VIEW transfers AS
SELECT * FROM read_parquet(getvariable('lake') || '/transfers/*.parquet');

-- Pictures that `une memorization` made, one row per model × method × settings × prompt × seed, with their similarities and detectors.
CREATE OR REPLACE VIEW memorization AS
SELECT * FROM read_parquet(getvariable('lake') || '/memorization/*.parquet', union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY weights, method, settings, steps, guidance_scale, prompt, seed ORDER BY config) = 1;

-- Trials of `une sweep`, one row each: settings and objectives are maps; see sweeps.sql.
CREATE OR REPLACE VIEW sweeps AS
SELECT * FROM read_parquet(getvariable('lake') || '/sweeps/*.parquet');

-- How many images each space has, by status.
CREATE OR REPLACE VIEW counts AS
SELECT space, status, count(*) AS images, max(len(z)) AS dim FROM readings GROUP BY ALL ORDER BY ALL;

-- ‖z‖ per space beside √dim, what a standard normal of that dimension has.
CREATE OR REPLACE VIEW norms AS
SELECT space, any_value(dim) AS dim, avg(norm) AS mean_norm, stddev_samp(norm) AS std_norm, sqrt(any_value(dim)) AS gaussian_norm
FROM latents GROUP BY space ORDER BY space;

-- The k images nearest to one in a space, by cosine: SELECT * FROM nearest('mini-dino', 'avatar-0-00000007', 5);
CREATE OR REPLACE MACRO nearest(in_space, of_image, k) AS TABLE
WITH query AS (SELECT z AS query_z FROM latents WHERE space = in_space AND image_id = of_image)
SELECT l.image_id, list_cosine_similarity(l.z, query_z) AS cosine, i.caption
FROM latents l CROSS JOIN query JOIN images i USING (image_id)
WHERE l.space = in_space AND l.image_id <> of_image
ORDER BY cosine DESC, image_id LIMIT k;

-- Mean latent of the images that have an attribute and of those that have not, and their number.
CREATE OR REPLACE MACRO attribute_means(in_space, of_attribute) AS TABLE
WITH chosen AS (
    SELECT a.value, unnest(l.z) AS x, generate_subscripts(l.z, 1) AS d
    FROM latents l JOIN attributes a USING (image_id)
    WHERE l.space = in_space AND a.attribute = of_attribute),
means AS (SELECT value, d, avg(x) AS mean, count(*) AS images FROM chosen GROUP BY value, d)
SELECT value, any_value(images) AS images, list(mean ORDER BY d) AS mean FROM means GROUP BY value ORDER BY value;

-- The probes that the macros below read: split seed 0, one per space × attribute × method; of several that were fitted the first by
-- engine and config.
-- The method is 'ridge' unless told otherwise: SELECT * FROM probe_metrics('mini-dino', by_method := 'lda');
CREATE OR REPLACE VIEW chosen_probes AS
SELECT * REPLACE (w[:] AS w) FROM probes WHERE split_seed = 0  -- copied, as in `latents`
QUALIFY row_number() OVER (PARTITION BY space, attribute, method ORDER BY status <> 'ok', engine, config) = 1;

-- a = b, joined by a nested loop: a hash join would copy the lists beside b for every row beside a, at several times a dot product's cost.
CREATE OR REPLACE MACRO same_space(a, b) AS a IN (b, '');

-- z·w of every image and every probe of the table named `probe_table`; `value` is NULL where the image has no such label. une_ray's own
-- sessions, `une sql` among them, put one in its place that has the same rows and multiplies by BLAS (une_ray/lake/products.py).
CREATE OR REPLACE MACRO products_of(probe_table) AS TABLE
WITH fitted_well AS (SELECT space, method, attribute, w, b, slope, "offset" FROM query_table(probe_table) WHERE status = 'ok'),
read AS (
    SELECT space, image_id, split, attributes, z::DOUBLE[] AS z
    FROM latents SEMI JOIN fitted_well USING (space) JOIN images USING (image_id))
SELECT l.space, method, attribute, image_id, split, attributes[attribute] AS value, list_dot_product(z, w) AS product, b, slope, "offset"
FROM read l JOIN fitted_well p ON same_space(l.space, p.space);

-- Scores z·w + b of every image under every probe of the table named `probe_table`.
CREATE OR REPLACE MACRO scores_of(probe_table) AS TABLE
SELECT space, method, attribute, image_id, split, product + b AS score, 1 / (1 + exp(-(slope * score + "offset"))) AS probability, value
FROM products_of(probe_table);

-- How well scores tell labels, per space × method × attribute of the table named `score_table`; scikit-learn's definitions, ties included.
-- AUC counts pairs by mid-ranks; calibration_error is the mean gap between probability and truth over ten equal bins; majority is what
-- always answering the commoner label gives. A figure that a single-sided split leaves undefined is NULL; a probe with a score that is
-- not finite has no row.
CREATE OR REPLACE MACRO metrics_of(score_table) AS TABLE
WITH labelled AS (
    SELECT space, method, attribute, score, probability, value::INT AS y, least(floor(10 * probability), 9) AS bin
    FROM query_table(score_table) WHERE value IS NOT NULL),
plain AS (
    SELECT space, method, attribute, count(*) AS test, sum(y)::BIGINT AS test_positive,
        avg(((score > 0)::INT = y)::INT) AS accuracy,
        (avg((score > 0)::INT) FILTER (y = 1) + avg((score <= 0)::INT) FILTER (y = 0)) / 2 AS balanced_accuracy,
        avg((probability - y) ** 2) AS brier, greatest(avg(y), 1 - avg(y)) AS majority
    FROM labelled GROUP BY ALL HAVING bool_and(isfinite(score))),
tied AS (SELECT space, method, attribute, score, count(*) AS rows, sum(y) AS positive FROM labelled GROUP BY ALL),
ranked AS (
    SELECT space, method, attribute, positive, sum(rows - positive) OVER upwards - (rows - positive) / 2 AS negatives_below,
        sum(positive) OVER downwards / sum(rows) OVER downwards AS precision
    FROM tied WINDOW upwards AS (PARTITION BY space, method, attribute ORDER BY score),
        downwards AS (PARTITION BY space, method, attribute ORDER BY score DESC)),
ordered AS (
    SELECT space, method, attribute, sum(positive * negatives_below) AS pairs, sum(positive * precision) AS precisions FROM ranked GROUP BY ALL),
binned AS (SELECT space, method, attribute, bin, abs(sum(probability) - sum(y)) AS gap FROM labelled GROUP BY ALL),
gaps AS (SELECT space, method, attribute, sum(gap) AS gap FROM binned GROUP BY ALL)
SELECT space, method, attribute, test, test_positive, accuracy, balanced_accuracy,
    pairs / nullif(test_positive * (test - test_positive), 0) AS auc, precisions / nullif(test_positive, 0) AS average_precision,
    brier, gap / test AS calibration_error, majority
FROM plain JOIN ordered USING (space, method, attribute) JOIN gaps USING (space, method, attribute);

-- Every image's score and probability for every attribute: SELECT * FROM probe_scores('mini-dino') WHERE attribute = 'Smiling';
CREATE OR REPLACE MACRO probe_scores(in_space, by_method := 'ridge') AS TABLE
WITH asked AS (SELECT * FROM chosen_probes p WHERE p.space = in_space AND p.method = by_method)
SELECT image_id, split, attribute, score, probability, value FROM scores_of('asked');

-- How good the probes of a space are on the test split, computed afresh from the latents.
CREATE OR REPLACE MACRO probe_metrics(in_space, by_method := 'ridge') AS TABLE
WITH asked AS (SELECT * FROM chosen_probes p WHERE p.space = in_space AND p.method = by_method),
tested AS (SELECT * FROM scores_of('asked') WHERE split = 'test')
SELECT * EXCLUDE (space, method) FROM metrics_of('tested') ORDER BY attribute;

-- An attribute's direction in a space: w and b as fitted, its length, and `unit` of length 1.
CREATE OR REPLACE MACRO direction(in_space, of_attribute, by_method := 'ridge') AS TABLE
SELECT w, b, norm, list_transform(w, lambda x: x / norm) AS unit
FROM (SELECT w, b, sqrt(list_dot_product(w, w)) AS norm FROM chosen_probes p
    WHERE p.space = in_space AND p.attribute = of_attribute AND p.method = by_method AND status = 'ok');

-- Are attributes easy in two spaces alike? Stored AUC per attribute in both, and over attributes Pearson's and Spearman's correlation.
CREATE OR REPLACE MACRO agreement(space_a, space_b, by_method := 'ridge') AS TABLE
WITH both_known AS (
    SELECT a.attribute, a.auc AS auc_a, b.auc AS auc_b FROM chosen_probes a JOIN chosen_probes b USING (attribute, method)
    WHERE a.space = space_a AND b.space = space_b AND a.method = by_method AND a.auc IS NOT NULL AND b.auc IS NOT NULL),
ranked AS (
    SELECT *, rank() OVER (ORDER BY auc_a) + count(*) OVER (PARTITION BY auc_a) / 2 AS rank_a,
        rank() OVER (ORDER BY auc_b) + count(*) OVER (PARTITION BY auc_b) / 2 AS rank_b
    FROM both_known)
SELECT attribute, auc_a, auc_b, corr(auc_a, auc_b) OVER () AS pearson, corr(rank_a, rank_b) OVER () AS spearman FROM ranked ORDER BY attribute;

-- Pairs of attributes: cosine of their directions, and how their scores and their labels correlate on the test split. Scores that go
-- together more than labels do are the space's doing; labels that do, the corpus'.
CREATE OR REPLACE MACRO entanglement(in_space, by_method := 'ridge') AS TABLE
WITH asked AS (SELECT * FROM chosen_probes p WHERE p.space = in_space AND p.method = by_method),
tested AS MATERIALIZED (SELECT attribute, image_id, score, value::INT AS y FROM scores_of('asked') WHERE split = 'test'),
pairs AS (
    SELECT a.attribute AS attribute_a, b.attribute AS attribute_b,
        corr(a.score, b.score) AS score_correlation, corr(a.y, b.y) AS label_correlation
    FROM tested a JOIN tested b ON a.image_id = b.image_id AND a.attribute < b.attribute GROUP BY ALL)
SELECT attribute_a, attribute_b, list_cosine_similarity(p.w, q.w) AS cosine, score_correlation, label_correlation
FROM pairs JOIN asked p ON p.attribute = attribute_a JOIN asked q ON q.attribute = attribute_b ORDER BY ALL;

-- The probe of an attribute that leaves others' scores alone: SELECT * FROM orthogonalized('mini-dino', 'Smiling', ['Male', 'Young']);
--   w               the attribute's probe less its projection on the span of the nuisances' (paper 1); NULL where they span it
--   remaining_norm  ‖w‖ in units of the norm before
--   b               the probe's own: moving a latent along w changes the score z·w + b of the probe as fitted by ‖w‖², and no nuisance's
-- No row where one of them has no probe. By modified Gram-Schmidt: the paper's v ← v − (v·first / ‖first‖²) first, for every vector
-- behind the first, which then goes, until the attribute's own is left. All begin with length 1, so a nuisance that has become shorter
-- than 1e-10 lies in the span of those before it.
CREATE OR REPLACE MACRO orthogonalized(in_space, of_attribute, nuisances, by_method := 'ridge') AS TABLE
WITH RECURSIVE wanted AS (SELECT unnest(list_append(list_distinct(nuisances), of_attribute)) AS attribute),
asked AS (
    SELECT attribute, attribute = of_attribute AS is_target, w, b, sqrt(list_dot_product(w, w)) AS norm
    FROM chosen_probes p SEMI JOIN wanted USING (attribute) WHERE p.space = in_space AND p.method = by_method AND status = 'ok'),
steps AS (
    SELECT arg_max(b, is_target) AS b, arg_max(norm, is_target) AS norm,
        list(list_transform(w, lambda x: x / greatest(norm, 1e-300)) ORDER BY is_target, attribute) AS vectors
    FROM asked HAVING count(*) = (SELECT count(*) FROM wanted)
    UNION ALL
    SELECT b, norm, list_transform(behind, lambda v, i: list_transform(v, lambda x, d: x - along[i] * first[d])) AS vectors
    FROM (
        SELECT *, list_transform(behind, lambda v: CASE WHEN length > 1e-20 THEN list_dot_product(v, first) / length ELSE 0 END) AS along
        FROM (
            SELECT *, vectors[1] AS first, vectors[2:] AS behind, list_dot_product(vectors[1], vectors[1]) AS length
            FROM steps WHERE len(vectors) > 1))),
finished AS (
    SELECT b, norm, vectors[1] AS unit, sqrt(list_dot_product(vectors[1], vectors[1])) AS remaining_norm FROM steps WHERE len(vectors) = 1)
SELECT CASE WHEN remaining_norm >= 1e-6 THEN list_transform(unit, lambda x: x * norm) END AS w, b, remaining_norm FROM finished;
