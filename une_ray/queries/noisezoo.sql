-- The views and macros of a NoiseZoo lake. In the stock shell:
--
--   duckdb
--   SET VARIABLE lake = '/path/to/lake';
--   .read queries/noisezoo.sql
--
-- `une sql --lake PATH` does the same. Needs DuckDB 1.5 or later, no extension.

-- Every reading of files says hive_partitioning = false, so that no folder above a lake, such as runs/split=train/, is taken for a column.

-- `spaces_files` and `images_files` are set by une_ray alone, while `une compact` merges files: in the stock shell what is being merged is
-- an error whose text names the reason.

-- Names that begin with nz_ are internal: parts of the macros, where no alias of a caller's is captured.

-- One row per registered space: what it is, and its whole fingerprint. A control explains others away: pixels, fresh weights, signal leak,
-- autoencoder latents. The fingerprint's own `role` says so; for lakes that were made before it had one, it is inferred here and nowhere else.
CREATE OR REPLACE VIEW spaces AS
WITH files AS (
    SELECT url_decode(parse_filename(filename, true)) AS space, decode(content)::JSON AS fingerprint
    FROM read_blob(getvariable('lake') || '/fingerprints/*.json'))
SELECT space, coalesce(fingerprint->>'role', CASE
        WHEN (fingerprint->>'kind') = 'pixels' OR json_exists(fingerprint, '$.init')
            OR (fingerprint->>'method') IN ('signal-leak', 'autoencoder-latents') THEN 'control'
        ELSE 'model' END) AS role,
    fingerprint->>'kind' AS kind, fingerprint->>'model' AS model, fingerprint->>'method' AS method, fingerprint->>'source' AS source,
    fingerprint->>'weights' AS weights, fingerprint
FROM files ORDER BY space;

-- One row per image of the corpus, rejected ones included. What is alike in `split_group` stands on one side of every split: the picture's
-- hash, or a group that the corpus names. In lakes of earlier une_rays `split_group` is NULL, as they go by image ids, and `metadata` empty.
CREATE OR REPLACE VIEW images AS
SELECT * REPLACE (coalesce(metadata, MAP {}) AS metadata) FROM (
    FROM read_parquet(coalesce(getvariable('images_files'), [getvariable('lake') || '/images/*.parquet']), hive_partitioning = false)
    UNION ALL BY NAME SELECT NULL::VARCHAR AS split_group, NULL::MAP(VARCHAR, VARCHAR) AS metadata WHERE false);

-- Every image × space, rejected ones included: status, error, and z where the status is 'ok'.
-- The space is the last folder's name alone (space=NAME): hive_partitioning would take keys from folders above the lake as well. DuckDB
-- reads only the files whose names a condition on `space` lets through. The columns stand here, so that no file is opened to learn them and
-- files of earlier une_rays, which lack `dim`, are read beside later ones.
CREATE OR REPLACE VIEW readings AS
SELECT image_id, status, error, z, norm, round_trip_psnr, final_timestep, dim,
    url_decode(regexp_extract(filename, '/space=([^/]*)/[^/]*$', 1)) AS space
FROM read_parquet(coalesce(getvariable('spaces_files'), [getvariable('lake') || '/spaces/*/*.parquet']), hive_partitioning = false, filename = true,
    schema = MAP {
    'image_id': {name: 'image_id', type: 'VARCHAR', default_value: NULL}, 'status': {name: 'status', type: 'VARCHAR', default_value: NULL},
    'error': {name: 'error', type: 'VARCHAR', default_value: NULL}, 'z': {name: 'z', type: 'FLOAT[]', default_value: NULL},
    'norm': {name: 'norm', type: 'FLOAT', default_value: NULL}, 'dim': {name: 'dim', type: 'INTEGER', default_value: NULL},
    'round_trip_psnr': {name: 'round_trip_psnr', type: 'FLOAT', default_value: NULL},
    'final_timestep': {name: 'final_timestep', type: 'INTEGER', default_value: NULL}});

-- One row per image × space that has a latent: z is a FLOAT[], `dim` numbers long.
-- `z[:]` copies the list: DuckDB's reader leaves NULL elements of filtered rows behind it, at which list_cosine_similarity stops.
CREATE OR REPLACE VIEW latents AS
SELECT space, image_id, z[:] AS z, coalesce(dim, len(z)) AS dim, norm, round_trip_psnr, final_timestep FROM readings WHERE status = 'ok';

-- The same rows and rejects without their latents. Two halves: z is read only of files that lack `dim`.
CREATE OR REPLACE VIEW nz_lengths AS
SELECT space, status, norm, dim::BIGINT AS dim FROM readings WHERE dim IS NOT NULL OR status <> 'ok'
UNION ALL
SELECT space, status, norm, len(z) AS dim FROM readings WHERE dim IS NULL AND status = 'ok';

-- Attributes in long form: image_id, split, attribute, value.
CREATE OR REPLACE VIEW attributes AS
SELECT image_id, split, unnest(map_keys(attributes)) AS attribute, unnest(map_values(attributes)) AS value FROM images WHERE status = 'ok';

-- Small-integer factors in long form: image_id, split, factor, value.
CREATE OR REPLACE VIEW factors AS
SELECT image_id, split, unnest(map_keys(factors)) AS factor, unnest(map_values(factors)) AS value FROM images WHERE status = 'ok';

-- What else the corpus says, as text, in long form: image_id, split, key, value.
CREATE OR REPLACE VIEW metadata AS
SELECT image_id, split, unnest(map_keys(metadata)) AS key, unnest(map_values(metadata)) AS value FROM images WHERE status = 'ok';

-- Captions that were longer than the model of a space reads, and were cut off there: one row per space × item.
CREATE OR REPLACE VIEW truncations AS
SELECT url_decode(regexp_extract(decode(file_name::BLOB), '/space=([^/]*)/[^/]*$', 1)) AS space, unnest(from_json(decode("value"), '["VARCHAR"]')) AS image_id
FROM parquet_kv_metadata(coalesce(getvariable('spaces_files'), [getvariable('lake') || '/spaces/*/*.parquet'])) WHERE key = 'truncated'::BLOB;

-- What was read in vain, and why; `space` is NULL where the image itself could not be read.
CREATE OR REPLACE VIEW rejects AS
SELECT NULL AS space, image_id, source, error FROM images WHERE status = 'reject'
UNION ALL BY NAME
SELECT r.space, r.image_id, i.source, r.error FROM readings r JOIN images i USING (image_id) WHERE r.status = 'reject' AND i.status = 'ok';

-- One row per shard × stage of every build: images, rejects, seconds, host, device.
CREATE OR REPLACE VIEW runs AS
SELECT * FROM read_parquet(getvariable('lake') || '/runs/*.parquet', hive_partitioning = false);

-- Fitted probes, one row per space × attribute × method × split, with weights w, bias b and test metrics; written by `une probe`.
CREATE OR REPLACE VIEW probes AS
SELECT * FROM read_parquet(getvariable('lake') || '/probes/*.parquet', hive_partitioning = false);

-- Edited images, one row per direction × image × α × judge, written by `une edit`: scores are a map from attribute to what the judge's
-- probe reads, `scales` the standard deviations of these over the judge's train images (NULL in edits of before 0.2). Runs over different
-- numbers of images may share some; those count once.
CREATE OR REPLACE VIEW edits AS
SELECT * REPLACE (z[:] AS z) FROM (
    SELECT * FROM read_parquet(getvariable('lake') || '/edits/*.parquet', hive_partitioning = false, union_by_name = true)
    UNION ALL BY NAME SELECT NULL::MAP(VARCHAR, DOUBLE) AS scales WHERE false)
QUALIFY row_number() OVER (PARTITION BY edit, judge, image_id, alpha ORDER BY config) = 1;

-- What `une gaussianity` and `une transfer` found. `components`, how many whitened norms are of, is NULL in files of an earlier une_ray, whose p
-- of these norms is only an upper bound; so is `left_out`, as they left out no copy of a picture and no image of a group.
CREATE OR REPLACE VIEW gaussianity AS
SELECT * FROM read_parquet(getvariable('lake') || '/gaussianity/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::BIGINT AS components, NULL::BIGINT AS left_out WHERE false;
CREATE OR REPLACE VIEW transfers AS
SELECT * FROM read_parquet(getvariable('lake') || '/transfers/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::BIGINT AS copies WHERE false;  -- that were left out; NULL of earlier une_rays, which had them in

-- Pictures that `une memorization` made, one row per model × method × settings × prompt × seed, with their similarities and detectors.
CREATE OR REPLACE VIEW memorization AS
SELECT * FROM read_parquet(getvariable('lake') || '/memorization/*.parquet', hive_partitioning = false, union_by_name = true)
QUALIFY row_number() OVER (PARTITION BY weights, method, settings, steps, guidance_scale, prompt, seed ORDER BY config) = 1;

-- Trials of `une sweep`, one row each: settings and objectives are maps; see sweeps.sql. `reported` is NULL in sweeps of before 0.2.
CREATE OR REPLACE VIEW sweeps AS
SELECT * FROM read_parquet(getvariable('lake') || '/sweeps/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::MAP(VARCHAR, DOUBLE) AS reported WHERE false;

-- Scores of coordinates of spaces by `une disentanglement`, and of their controls. `fast` is NULL in files of an earlier une_ray, which did not say it.
CREATE OR REPLACE VIEW disentanglement AS
SELECT * FROM read_parquet(getvariable('lake') || '/disentanglement/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::BOOLEAN AS fast WHERE false;

-- What `une prompts` found, and the pictures that it drew; see prompts.sql. Files of earlier une_rays lack `computed` and what else stands here as NULL.
CREATE OR REPLACE VIEW prompt_biases AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_biases/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed WHERE false;
CREATE OR REPLACE VIEW prompt_agreements AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_agreements/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed WHERE false;
CREATE OR REPLACE VIEW prompt_defaults AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_defaults/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed WHERE false;
CREATE OR REPLACE VIEW prompt_default_agreements AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_default_agreements/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed WHERE false;
CREATE OR REPLACE VIEW prompt_clusters AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_clusters/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed WHERE false;
CREATE OR REPLACE VIEW prompt_cluster_scores AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_cluster_scores/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed WHERE false;
CREATE OR REPLACE VIEW prompt_explanations AS
SELECT * REPLACE (coalesce(captions, space) AS captions) FROM (
    SELECT * FROM read_parquet(getvariable('lake') || '/prompt_explanations/*.parquet', hive_partitioning = false, union_by_name = true)
    UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed, NULL::VARCHAR AS captions, NULL::VARCHAR AS map, NULL::VARCHAR AS source,
        NULL::VARCHAR AS split, NULL::FLOAT[] AS w WHERE false);
CREATE OR REPLACE VIEW prompt_votes AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_votes/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed WHERE false;
CREATE OR REPLACE VIEW prompt_vote_agreements AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_vote_agreements/*.parquet', hive_partitioning = false, union_by_name = true)
UNION ALL BY NAME SELECT NULL::TIMESTAMP AS computed WHERE false;
CREATE OR REPLACE VIEW prompt_doses AS
SELECT * REPLACE (coalesce(unit, 'prompts') AS unit) FROM (
    SELECT * FROM read_parquet(getvariable('lake') || '/prompt_doses/*.parquet', hive_partitioning = false, union_by_name = true)
    UNION ALL BY NAME SELECT NULL::VARCHAR AS unit WHERE false);
CREATE OR REPLACE VIEW prompt_pictures AS
SELECT * FROM read_parquet(getvariable('lake') || '/prompt_pictures/*.parquet', hive_partitioning = false, union_by_name = true);

-- How many images each space has, by status.
CREATE OR REPLACE VIEW counts AS
SELECT space, status, count(*) AS images, max(dim) AS dim FROM nz_lengths GROUP BY ALL ORDER BY ALL;

-- ‖z‖ per space beside √dim, what a standard normal of that dimension has.
CREATE OR REPLACE VIEW norms AS
SELECT space, any_value(dim) AS dim, avg(norm) AS mean_norm, stddev_samp(norm) AS std_norm, sqrt(any_value(dim)) AS gaussian_norm
FROM nz_lengths WHERE status = 'ok' GROUP BY space ORDER BY space;

-- Names as an error message lists them, those that look like `given` first.
CREATE OR REPLACE MACRO nz_nearest_first(names, given) AS array_to_string(list_transform(list_sort(list_transform(
    list_distinct(names), lambda nz_name: (damerau_levenshtein(lower(nz_name), lower(given)), nz_name))), lambda nz_pair: nz_pair[2])[:50], ', ');

-- Whether x is what was given, or one of what was given where that is a list.
CREATE OR REPLACE MACRO nz_is_among(x, given) AS
    if(typeof(given) LIKE '%]', list_contains(try_cast(given AS VARCHAR[]), x), x = given::VARCHAR);
CREATE OR REPLACE MACRO nz_as_names(given) AS if(typeof(given) LIKE '%]', try_cast(given AS VARCHAR[]), [given::VARCHAR]);

-- z·W + b of one vector, of z/‖z‖ where `of_unit`; `columns` is a list of {w, b, of_unit}, one for each number of the result.
CREATE OR REPLACE MACRO nz_affine(z, columns) AS list_transform(columns, lambda nz_c: if(len(nz_c.w) = len(z),
    list_dot_product(nz_c.w, z::DOUBLE[]) / if(nz_c.of_unit, sqrt(list_dot_product(z::DOUBLE[], z::DOUBLE[])), 1) + nz_c.b,
    error('a vector of ' || len(z) || ' numbers, where ' || len(nz_c.w) || ' are taken')::DOUBLE));

-- Why a space can't be read: one row with the message, or none. Macros end in UNION ALL with `error(message)` in every column, so that
-- a misspelt name raises whatever the caller selects or filters.
CREATE OR REPLACE MACRO nz_space_trouble(in_space) AS TABLE
WITH nz_known AS (
    SELECT list(DISTINCT url_decode(parse_filename(parse_dirpath(file))[7:])) AS nz_spaces
    FROM glob(getvariable('lake') || '/spaces/*/*.parquet') WHERE parse_filename(file) <> 'empty.parquet')
SELECT if(nz_spaces IS NULL, 'this lake has no latents yet; une build makes them', 'no space ''' || coalesce(in_space, 'NULL')
    || ''' with latents in this lake; it has ' || nz_nearest_first(nz_spaces, coalesce(in_space, ''))) AS message
FROM nz_known WHERE NOT coalesce(list_contains(nz_spaces, in_space), false);

-- Cosines of some images' latents with others of a space in float64, a row per pair: all of them here. une_ray's own sessions, `une sql` among them, put
-- one in its place that multiplies by BLAS and may leave out who is not among an image's k nearest (une_ray/lake/products.py).
CREATE OR REPLACE MACRO nz_cosines(in_space, of_image, k) AS TABLE
WITH nz_queries AS (
    SELECT nz_q.image_id AS nz_id, nz_q.z AS nz_z FROM latents nz_q WHERE nz_q.space = in_space AND nz_is_among(nz_q.image_id, of_image))
SELECT nz_l.image_id AS nz_neighbour, round(list_cosine_similarity(nz_l.z::DOUBLE[], nz_z::DOUBLE[]), 12) AS nz_cosine, nz_id
FROM latents nz_l CROSS JOIN nz_queries WHERE nz_l.space = in_space AND nz_l.image_id <> nz_id;

-- The k images nearest to one in a space, by cosine: SELECT * FROM nearest('mini-dino', 'avatar-0-00000007', 5);
-- or to each of several, ['avatar-0-00000007', 'avatar-0-00000008'], in their order; `neighbour_of` says whose neighbour an image is. A latent
-- without length has no cosine, NaN, and comes last.
CREATE OR REPLACE MACRO nearest(in_space, of_image, k) AS TABLE
WITH nz_pairs AS (
    FROM nz_cosines(in_space, of_image, k) QUALIFY row_number() OVER (PARTITION BY nz_id ORDER BY isnan(nz_cosine), nz_cosine DESC, nz_neighbour) <= k),
nz_found AS (
    SELECT coalesce(list(nz_q.image_id), []) AS nz_ids FROM latents nz_q WHERE nz_q.space = in_space AND nz_is_among(nz_q.image_id, of_image)),
nz_range AS (SELECT min(nz_l.image_id) AS nz_first, max(nz_l.image_id) AS nz_last FROM latents nz_l WHERE nz_l.space = in_space),
nz_lost AS (
    SELECT list_filter(nz_as_names(of_image), lambda nz_name: NOT coalesce(list_contains(nz_ids, nz_name), false)) AS nz_lost_ids, nz_first, nz_last
    FROM nz_found CROSS JOIN nz_range),
nz_trouble AS (
    FROM nz_space_trouble(in_space)
    UNION ALL
    SELECT 'no latent of image ''' || coalesce(nz_lost_ids[1], 'NULL') || ''' in space ''' || in_space || '''; its image ids go from '
        || nz_first || ' to ' || nz_last || ', and FROM rejects says which have none and why'
    FROM nz_lost WHERE len(nz_lost_ids) > 0 AND nz_first IS NOT NULL
    UNION ALL
    SELECT 'nearest gives k images, and k is ' || coalesce(k::VARCHAR, 'NULL') || '; ask for 1 or more' WHERE coalesce(k < 1, true)),
nz_rows AS (
    SELECT nz_i.image_id, nz_cosine AS cosine, nz_i.caption, nz_id AS neighbour_of FROM nz_pairs JOIN images nz_i ON nz_i.image_id = nz_neighbour
    UNION ALL
    SELECT error(message)::VARCHAR, error(message)::DOUBLE, error(message)::VARCHAR, error(message)::VARCHAR
    FROM nz_trouble WHERE error(message)::BOOLEAN)
SELECT * FROM nz_rows ORDER BY list_position(nz_as_names(of_image), neighbour_of), isnan(cosine), cosine DESC, image_id;

-- Mean latent of the images that have an attribute and of those that have not, and their number.
CREATE OR REPLACE MACRO attribute_means(in_space, of_attribute) AS TABLE
WITH nz_values AS (
    SELECT nz_a.value, unnest(nz_l.z) AS x, generate_subscripts(nz_l.z, 1) AS d
    FROM latents nz_l JOIN attributes nz_a USING (image_id)
    WHERE nz_l.space = in_space AND nz_a.attribute = of_attribute),
nz_means AS (SELECT value, d, avg(x) AS mean, count(*) AS images FROM nz_values GROUP BY value, d),
nz_known AS (SELECT list(DISTINCT nz_a.attribute) AS nz_names FROM attributes nz_a),
nz_trouble AS (
    FROM nz_space_trouble(in_space)
    UNION ALL
    SELECT if(nz_names IS NULL, 'this lake has no attributes', 'no attribute ''' || coalesce(of_attribute, 'NULL') || ''' in this lake; it has '
        || nz_nearest_first(nz_names, coalesce(of_attribute, '')))
    FROM nz_known WHERE NOT coalesce(list_contains(nz_names, of_attribute), false))
SELECT value, any_value(images) AS images, list(mean ORDER BY d) AS mean FROM nz_means GROUP BY value
UNION ALL
SELECT error(message)::BOOLEAN, error(message)::BIGINT, error(message)::DOUBLE[] FROM nz_trouble WHERE error(message)::BOOLEAN
ORDER BY value;

-- The settings of every computation of `une probe`, from the key-value metadata of its file; `seen` are, of a space that a map made, the splits
-- that are not measured, as the map was fitted on their test images; `is_exact` where few rows asked for float64 throughout, as older versions
-- did not have it; `is_default` where it was asked with no option but for the method, and none of as many latents is of a later version: of several
-- the first choice.
CREATE OR REPLACE VIEW probe_configs AS
WITH files AS (
    SELECT parse_filename(file_name, true) AS config, decode("value")::JSON AS settings
    FROM parquet_kv_metadata(getvariable('lake') || '/probes/*.parquet') WHERE key = 'config'::BLOB),
nz_settings AS (
SELECT config, settings->>'space' AS nz_space, settings->>'method' AS nz_method, (settings->'penalties')::DOUBLE[] AS penalties, (settings->>'rank')::BIGINT AS rank, (settings->>'splits')::BIGINT AS splits,
    (settings->>'permutations')::BIGINT AS permutations, (settings->>'latents')::BIGINT AS latents, (settings->'seen')::BIGINT[] AS seen,
    coalesce((settings->>'exact')::BOOLEAN, false) AS is_exact,
    coalesce((settings->>'engine') = 'fast' AND penalties IS NULL AND coalesce((settings->>'rank')::BIGINT, 500) = 500
        AND (settings->>'splits')::BIGINT = 5 AND (settings->>'permutations')::BIGINT = 20, false) AS nz_is_plain
FROM files)
SELECT * EXCLUDE (nz_space, nz_method, nz_is_plain), nz_is_plain AND (is_exact::INT + (seen IS NOT NULL)::INT)
    = max((is_exact::INT + (seen IS NOT NULL)::INT)) FILTER (nz_is_plain) OVER (PARTITION BY nz_space, nz_method, latents) AS is_default
FROM nz_settings;

-- Which of several probes of one space, attribute, method and split seed is *the* one, its place 1: fitted rather than refused, then, of a space
-- that a map made, not measured on what the map has seen, then the default settings, then more latents, then exact ones, then the first by engine and config. The rule stands here and nowhere else.
CREATE OR REPLACE VIEW ranked_probes AS
WITH nz_seen AS (
    SELECT space, flatten(list(seen)) AS splits FROM (SELECT DISTINCT space, config FROM probes) JOIN probe_configs USING (config) GROUP BY space)
SELECT p.*, row_number() OVER (PARTITION BY p.space, p.attribute, p.method, p.split_seed
    ORDER BY p.status <> 'ok', c.seen IS NULL AND coalesce(list_contains(s.splits, p.split_seed), false), c.is_default IS NOT TRUE,
        c.latents DESC NULLS LAST, c.is_exact IS NOT TRUE, p.engine, p.config) AS place
FROM probes p LEFT JOIN probe_configs c USING (config) LEFT JOIN nz_seen s ON s.space = p.space;

-- The probes that the macros below read: split seed 0, one per space × attribute × method.
-- The method is 'ridge' unless told otherwise: SELECT * FROM probe_metrics('mini-dino', by_method := 'lda'); a computation of one's own
-- choice is named by its config, of which probe_settings has a list: probe_metrics('mini-dino', by_config := '0123456789abcdef').
CREATE OR REPLACE VIEW chosen_probes AS
SELECT * EXCLUDE (place) REPLACE (w[:] AS w) FROM ranked_probes WHERE place = 1 AND split_seed = 0;  -- copied, as in `latents`

-- *The* probe: one per space × attribute × split seed, that by ridge before those by other methods.
CREATE OR REPLACE VIEW best_probes AS
SELECT * EXCLUDE (place) REPLACE (w[:] AS w) FROM ranked_probes WHERE place = 1
QUALIFY row_number() OVER (PARTITION BY space, attribute, split_seed ORDER BY status <> 'ok', method <> 'ridge', method) = 1;

-- Mean over attributes of x, whose rows are of attributes × splits: of `weights` 1 / (splits that know the attribute), so that one that some
-- splits refuse counts as much as the others. Here and below rounded, as the last bits are of the order in which threads add.
CREATE OR REPLACE MACRO attribute_mean(x, weights) AS round(sum(x * weights) / sum(weights) FILTER (x IS NOT NULL), 12);

-- What 95 % of Student's t lies within, of 1 to 4 degrees of freedom; between whole ones by the logarithm in 1 / degrees, up to 2 by a parabola of it.
CREATE OR REPLACE MACRO nz_points() AS [12.7062, 4.3027, 3.1824, 2.7764, 2.5706]::DOUBLE[];
CREATE OR REPLACE MACRO nz_student(degrees) AS if(degrees > 1 AND degrees < 2, exp(.59911 + 1.49193 / degrees + .45270 / degrees ** 2),
    nz_points()[floor(degrees)::INT + 1]
    * pow(nz_points()[floor(degrees)::INT] / nz_points()[floor(degrees)::INT + 1], ((floor(degrees) + 1) / degrees - 1) * floor(degrees)));

-- The square of what one split adds to a mean over attributes, in their number: each attribute's own part of its variance, signs kept.
CREATE OR REPLACE MACRO nz_square(off, weights, ratio, in_split) AS coalesce(
    sum(if(weights < 1, off * sqrt((weights + ratio) * weights / (1 - weights)), 0)) FILTER (in_split), 0) ** 2;

-- Half a 95 % interval of that mean for other images, over 2 to 5 splits whose train parts overlap; NULL where no attribute is known twice.
-- `off` is what a row differs by from its attribute's mean, `ratio` the mean of test / train. Where all splits know all attributes it is
-- Nadeau & Bengio's (2003), t · sd · √(1 / splits + test / train) of the splits' means, which holds for other images as well:
-- benchmarks/interval_coverage.py. Else an attribute's own interval is of the splits that know it, and its parts are added split by split, as
-- attributes of one split share its images; what is known once has the others' variance, and t the degrees that attributes have on average.
-- Of three numbers it is that of a mean whose splits have the standard deviation `sd`.
CREATE OR REPLACE MACRO split_margin(sd, splits, ratio) AS nz_student(nullif(splits - 1, 0)) * sd * sqrt(1 / splits + ratio),
(off, weights, ratio, split_seed) AS round(
    nz_student(greatest(count(off) / sum(weights) FILTER (off IS NOT NULL) - 1, 1)) / sum(weights) FILTER (off IS NOT NULL) * sqrt(
        (nz_square(off, weights, ratio, split_seed = 0) + nz_square(off, weights, ratio, split_seed = 1)
            + nz_square(off, weights, ratio, split_seed = 2) + nz_square(off, weights, ratio, split_seed = 3)
            + nz_square(off, weights, ratio, split_seed = 4))
        * sum(weights * (weights + ratio)) FILTER (off IS NOT NULL) / sum(weights * (weights + ratio)) FILTER (off IS NOT NULL AND weights < 1)), 12);

-- Whether an AUC is above those of shuffled labels at .05; NULL of fewer than 19 permutations, whose p, 1 / (1 + permutations) at the least,
-- is above .05 whatever the AUC.
CREATE OR REPLACE MACRO nz_beats_shuffled(p_value, permutations) AS if(permutations >= 19, (p_value <= .05)::INT, NULL);

-- One row per computation: means over attributes and splits of what its probes reach, auc_margin half a 95 % interval of the AUC
-- (split_margin), NULL where the splits' are all the same; `attributes` and `measured_splits` are those that have any.
CREATE OR REPLACE VIEW nz_probe_means AS
WITH levelled AS (
    SELECT *, auc - avg(auc) OVER of_attribute AS off, 1 / count(auc) OVER of_attribute AS weight,
        avg(test / train) FILTER (auc IS NOT NULL) OVER (PARTITION BY space, config, method, engine) AS ratio
    FROM probes WINDOW of_attribute AS (PARTITION BY space, config, method, engine, attribute))
SELECT space, config, method, engine, attribute_mean(auc, weight) AS auc, attribute_mean(accuracy, weight) AS accuracy,
    attribute_mean(balanced_accuracy, weight) AS balanced, attribute_mean(majority, weight) AS majority,
    attribute_mean(permuted_auc, weight) AS permuted,
    attribute_mean(nz_beats_shuffled(p_value, permutations), weight) AS significant,
    count(DISTINCT split_seed) FILTER (auc IS NOT NULL) AS measured_splits,
    count(DISTINCT attribute) FILTER (auc IS NOT NULL) AS attributes,
    nullif(round(split_margin(off, weight, ratio, split_seed), 12), 0) AS auc_margin
FROM levelled GROUP BY ALL;

-- One row per computation × attribute: means over the splits that measure it, auc_margin as above, of one attribute, NULL where the splits' AUCs
-- are all the same, as of 1 they may be; p_value is the largest of the splits', so that below .05 every one of them is. NULL where no split has
-- both kinds of test images, or a map has seen them all.
CREATE OR REPLACE VIEW probe_attributes AS
SELECT space, attribute, method, engine, round(avg(auc), 12) AS auc,
    nullif(round(split_margin(stddev_samp(auc), count(auc), avg(test / train) FILTER (auc IS NOT NULL)), 12), 0) AS auc_margin,
    round(avg(permuted_auc), 12) AS permuted, max(p_value) AS p_value, round(avg(accuracy), 12) AS accuracy, round(avg(majority), 12) AS majority,
    round(avg(balanced_accuracy), 12) AS balanced, count(auc) AS measured_splits, coalesce(is_default, false) AS is_default, config
FROM probes LEFT JOIN probe_configs USING (config) WHERE status = 'ok' GROUP BY ALL ORDER BY space, attribute, method, engine, config;

-- Settings side by side: one row per config × space, with means as in nz_probe_means; `penalties` is NULL where λ was chosen from the engine's
-- own.
CREATE OR REPLACE VIEW probe_settings AS
SELECT config, space, method, engine, penalties, rank, splits, permutations, latents, attributes, auc, auc_margin, accuracy,
    coalesce(is_default, false) AS is_default
FROM nz_probe_means LEFT JOIN probe_configs USING (config) ORDER BY space, method <> 'ridge', method, is_default DESC, penalties, config;

-- The probes that a macro is to read: the chosen ones by a method, or those of the config that was named.
CREATE OR REPLACE MACRO nz_asked_probes(in_space, by_method, by_config) AS TABLE
SELECT nz_p.space, nz_p.method, nz_p.attribute, nz_p.status, nz_p.error, nz_p.w, nz_p.b, nz_p.slope, nz_p."offset", nz_p.auc
FROM chosen_probes nz_p WHERE by_config IS NULL AND nz_p.space = in_space AND nz_p.method = by_method
UNION ALL
SELECT nz_p.space, nz_p.method, nz_p.attribute, nz_p.status, nz_p.error, nz_p.w[:], nz_p.b, nz_p.slope, nz_p."offset", nz_p.auc
FROM probes nz_p WHERE by_config IS NOT NULL AND nz_p.split_seed = 0 AND nz_p.space = in_space AND nz_is_among(nz_p.config, by_config);

-- Why probes of a space that a map made are not measured on split 0: one row with the message, or none.
CREATE OR REPLACE MACRO nz_seen_trouble(in_space) AS TABLE
SELECT 'the map behind space ''' || in_space || ''' was fitted on test images of split 0, so its probes of that split are not measured; '
    || 'probe_attributes has those of other splits' AS message
FROM (SELECT DISTINCT nz_p.config FROM probes nz_p WHERE nz_p.space = in_space) JOIN probe_configs nz_c USING (config)
WHERE list_contains(nz_c.seen, 0) LIMIT 1;

-- Why there are no such probes: one row with the message, or none.
CREATE OR REPLACE MACRO nz_probe_trouble(in_space, by_method, by_config) AS TABLE
WITH nz_all AS (
    SELECT DISTINCT nz_p.space, nz_p.method, nz_p.config,
        if(by_config IS NULL, nz_p.method = by_method, nz_is_among(nz_p.config, by_config)) AS nz_asked
    FROM probes nz_p WHERE nz_p.split_seed = 0),
nz_known AS (
    SELECT coalesce(list(DISTINCT method), []) AS nz_methods, coalesce(list(DISTINCT space) FILTER (nz_asked), []) AS nz_spaces,
        coalesce(list(DISTINCT config) FILTER (nz_all.space = in_space), []) AS nz_configs
    FROM nz_all)
SELECT CASE
    WHEN nz_methods = [] THEN 'this lake has no probes yet; une probe fits them'
    WHEN in_space IS NULL THEN 'no space NULL; there are probes of ' || nz_nearest_first(nz_spaces, '')
    WHEN by_config IS NOT NULL THEN 'no probes of config ' || by_config::VARCHAR || ' in space ''' || in_space || '''; '
        || if(nz_configs = [], 'there is none of that space', 'that space has ' || array_to_string(list_sort(nz_configs), ', ') || ' (probe_settings)')
    WHEN NOT list_contains(nz_methods, by_method) THEN 'no probes by method ''' || by_method || ''' in this lake; there are '
        || nz_nearest_first(nz_methods, by_method)
    ELSE 'no ' || coalesce(by_method, 'NULL') || ' probes of space ''' || in_space || ''' in this lake; there are of '
        || nz_nearest_first(nz_spaces, in_space) END AS message
FROM nz_known WHERE NOT coalesce(list_contains(nz_spaces, in_space), false);

-- Why one of these attributes has no probe to go on: one row with the message, or none.
CREATE OR REPLACE MACRO nz_attribute_trouble(in_space, of_attributes, by_method, by_config) AS TABLE
WITH nz_probes AS (SELECT attribute, status, error FROM nz_asked_probes(in_space, by_method, by_config)),
nz_known AS (
    SELECT list(attribute) FILTER (status = 'ok') AS nz_names, map_from_entries(list((attribute, error)) FILTER (status <> 'ok')) AS nz_refused
    FROM nz_probes),
nz_lost AS (
    SELECT nz_names, nz_refused, list_filter(of_attributes, lambda nz_name: NOT coalesce(list_contains(nz_names, nz_name), false)) AS nz_lost_names
    FROM nz_known)
FROM nz_probe_trouble(in_space, by_method, by_config)
UNION ALL
SELECT if(list_contains(map_keys(nz_refused), nz_lost_names[1]),
    'the probe of ''' || nz_lost_names[1] || ''' in space ''' || in_space || ''' was refused: ' || coalesce(nz_refused[nz_lost_names[1]], 'no reason'),
    'no probe of ''' || coalesce(nz_lost_names[1], 'NULL') || ''' in space ''' || in_space || '''; there are of '
        || nz_nearest_first(nz_names, coalesce(nz_lost_names[1], '')))
FROM nz_lost WHERE len(nz_lost_names) > 0 AND (nz_names IS NOT NULL OR nz_refused IS NOT NULL);

-- a = b, joined by a nested loop: a hash join would copy the lists beside b for every row beside a, at several times a dot product's cost.
CREATE OR REPLACE MACRO same_space(a, b) AS a IN (b, '');

-- z·w of every image and every probe of the table named `probe_table`; `value` is NULL where the image has no such label. une_ray's own
-- sessions, `une sql` among them, put one in its place that has the same rows and multiplies by BLAS (une_ray/lake/products.py).
CREATE OR REPLACE MACRO products_of(probe_table) AS TABLE
WITH nz_fitted AS (SELECT space, method, attribute, w, b, slope, "offset" FROM query_table(probe_table) WHERE status = 'ok'),
nz_read AS (
    SELECT space, image_id, split, attributes, z::DOUBLE[] AS z
    FROM latents SEMI JOIN nz_fitted USING (space) JOIN images USING (image_id))
SELECT l.space, method, attribute, image_id, split, attributes[attribute] AS value, list_dot_product(z, w) AS product, b, slope, "offset"
FROM nz_read l JOIN nz_fitted p ON same_space(l.space, p.space);

-- Scores z·w + b of every image under every probe of the table named `probe_table`.
CREATE OR REPLACE MACRO scores_of(probe_table) AS TABLE
SELECT space, method, attribute, image_id, split, product + b AS score, 1 / (1 + exp(-(slope * score + "offset"))) AS probability, value
FROM products_of(probe_table);

-- How well scores tell labels, per space × method × attribute of the table named `score_table`; scikit-learn's definitions, ties included.
-- AUC counts pairs by mid-ranks; calibration_error is the mean gap between probability and truth over ten equal bins; majority is what
-- always answering the commoner label gives. A figure that a single-sided split leaves undefined is NULL; a probe with a score that is
-- not finite has no row.
CREATE OR REPLACE MACRO metrics_of(score_table) AS TABLE
WITH nz_labelled AS (
    SELECT space, method, attribute, score, probability, value::INT AS y, least(floor(10 * probability), 9) AS bin
    FROM query_table(score_table) WHERE value IS NOT NULL),
nz_plain AS (
    SELECT space, method, attribute, count(*) AS test, sum(y)::BIGINT AS test_positive,
        avg(((score > 0)::INT = y)::INT) AS accuracy,
        (avg((score > 0)::INT) FILTER (y = 1) + avg((score <= 0)::INT) FILTER (y = 0)) / 2 AS balanced_accuracy,
        avg((probability - y) ** 2) AS brier, greatest(avg(y), 1 - avg(y)) AS majority
    FROM nz_labelled GROUP BY ALL HAVING bool_and(isfinite(score))),
nz_tied AS (SELECT space, method, attribute, score, count(*) AS rows, sum(y) AS positive FROM nz_labelled GROUP BY ALL),
nz_ranked AS (
    SELECT space, method, attribute, positive, sum(rows - positive) OVER upwards - (rows - positive) / 2 AS negatives_below,
        sum(positive) OVER downwards / sum(rows) OVER downwards AS precision
    FROM nz_tied WINDOW upwards AS (PARTITION BY space, method, attribute ORDER BY score),
        downwards AS (PARTITION BY space, method, attribute ORDER BY score DESC)),
nz_ordered AS (
    SELECT space, method, attribute, sum(positive * negatives_below) AS pairs, sum(positive * precision) AS precisions FROM nz_ranked GROUP BY ALL),
nz_binned AS (SELECT space, method, attribute, bin, abs(sum(probability) - sum(y)) AS gap FROM nz_labelled GROUP BY ALL),
nz_gaps AS (SELECT space, method, attribute, sum(gap) AS gap FROM nz_binned GROUP BY ALL)
SELECT space, method, attribute, test, test_positive, accuracy, balanced_accuracy,
    pairs / nullif(test_positive * (test - test_positive), 0) AS auc, precisions / nullif(test_positive, 0) AS average_precision,
    brier, gap / test AS calibration_error, majority
FROM nz_plain JOIN nz_ordered USING (space, method, attribute) JOIN nz_gaps USING (space, method, attribute);

-- Every image's score and probability for every attribute: SELECT * FROM probe_scores('mini-dino') WHERE attribute = 'Smiling';
CREATE OR REPLACE MACRO probe_scores(in_space, by_method := 'ridge', by_config := NULL) AS TABLE
WITH nz_asked AS (FROM nz_asked_probes(in_space, by_method, by_config)), nz_trouble AS (FROM nz_probe_trouble(in_space, by_method, by_config))
SELECT image_id, split, attribute, score, probability, value FROM scores_of('nz_asked')
UNION ALL
SELECT error(message)::VARCHAR, error(message)::VARCHAR, error(message)::VARCHAR, error(message)::DOUBLE, error(message)::DOUBLE,
    error(message)::BOOLEAN
FROM nz_trouble WHERE error(message)::BOOLEAN;

-- How good the probes of a space are on the test split, computed afresh from the latents.
CREATE OR REPLACE MACRO probe_metrics(in_space, by_method := 'ridge', by_config := NULL) AS TABLE
WITH nz_asked AS (FROM nz_asked_probes(in_space, by_method, by_config)), nz_trouble AS (FROM nz_probe_trouble(in_space, by_method, by_config)),
nz_tested AS (SELECT * FROM scores_of('nz_asked') WHERE split = 'test')
SELECT * EXCLUDE (space, method) FROM metrics_of('nz_tested')
UNION ALL
SELECT error(message)::VARCHAR, error(message)::BIGINT, error(message)::BIGINT, error(message)::DOUBLE, error(message)::DOUBLE,
    error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE
FROM (FROM nz_trouble UNION ALL FROM nz_seen_trouble(in_space)) WHERE error(message)::BOOLEAN
ORDER BY attribute;

-- An attribute's direction in a space: w and b as fitted, its length, and `unit` of length 1.
CREATE OR REPLACE MACRO direction(in_space, of_attribute, by_method := 'ridge', by_config := NULL) AS TABLE
WITH nz_asked AS (
    SELECT nz_p.w, nz_p.b, sqrt(list_dot_product(nz_p.w, nz_p.w)) AS norm FROM nz_asked_probes(in_space, by_method, by_config) nz_p
    WHERE nz_p.attribute = of_attribute AND nz_p.status = 'ok'),
nz_trouble AS (FROM nz_attribute_trouble(in_space, [of_attribute], by_method, by_config))
SELECT w, b, norm, list_transform(w, lambda nz_x: nz_x / norm) AS unit FROM nz_asked
UNION ALL
SELECT error(message)::DOUBLE[], error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE[]
FROM nz_trouble WHERE error(message)::BOOLEAN;

-- Are attributes easy in two spaces alike? Stored AUC per attribute in both, and over attributes Pearson's and Spearman's correlation.
-- `by_config` is a list of two here, a config of either space.
CREATE OR REPLACE MACRO agreement(space_a, space_b, by_method := 'ridge', by_config := NULL) AS TABLE
WITH nz_both AS (
    SELECT nz_a.attribute, nz_a.auc AS auc_a, nz_b.auc AS auc_b
    FROM nz_asked_probes(space_a, by_method, by_config) nz_a JOIN nz_asked_probes(space_b, by_method, by_config) nz_b USING (attribute, method)
    WHERE nz_a.auc IS NOT NULL AND nz_b.auc IS NOT NULL),
nz_ranked AS (
    SELECT *, rank() OVER (ORDER BY auc_a) + count(*) OVER (PARTITION BY auc_a) / 2 AS rank_a,
        rank() OVER (ORDER BY auc_b) + count(*) OVER (PARTITION BY auc_b) / 2 AS rank_b
    FROM nz_both),
nz_trouble AS (
    FROM nz_probe_trouble(space_a, by_method, by_config) UNION ALL FROM nz_probe_trouble(space_b, by_method, by_config)
    UNION ALL FROM nz_seen_trouble(space_a) UNION ALL FROM nz_seen_trouble(space_b))
SELECT attribute, auc_a, auc_b, corr(auc_a, auc_b) OVER () AS pearson, corr(rank_a, rank_b) OVER () AS spearman FROM nz_ranked
UNION ALL
SELECT error(message)::VARCHAR, error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE
FROM nz_trouble WHERE error(message)::BOOLEAN
ORDER BY attribute;

-- Pairs of attributes, each once, the first of two names as attribute_a: cosine of their directions, and how their scores and their labels correlate on the test split. Scores that go
-- together more than labels do are the space's doing; labels that do, the corpus'.
CREATE OR REPLACE MACRO entanglement(in_space, by_method := 'ridge', by_config := NULL) AS TABLE
WITH nz_asked AS (FROM nz_asked_probes(in_space, by_method, by_config)), nz_trouble AS (FROM nz_probe_trouble(in_space, by_method, by_config)),
nz_tested AS MATERIALIZED (SELECT attribute, image_id, score, value::INT AS y FROM scores_of('nz_asked') WHERE split = 'test'),
nz_pairs AS (
    SELECT a.attribute AS attribute_a, b.attribute AS attribute_b,
        corr(a.score, b.score) AS score_correlation, corr(a.y, b.y) AS label_correlation
    FROM nz_tested a JOIN nz_tested b ON a.image_id = b.image_id AND a.attribute < b.attribute GROUP BY ALL)
SELECT attribute_a, attribute_b, list_cosine_similarity(p.w, q.w) AS cosine, score_correlation, label_correlation
FROM nz_pairs JOIN nz_asked p ON p.attribute = attribute_a JOIN nz_asked q ON q.attribute = attribute_b
UNION ALL
SELECT error(message)::VARCHAR, error(message)::VARCHAR, error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE
FROM nz_trouble WHERE error(message)::BOOLEAN
ORDER BY ALL;

-- The probe of an attribute that leaves others' scores alone: SELECT * FROM orthogonalized('mini-dino', 'Smiling', ['Male', 'Young']);
--   w               the attribute's probe less its projection on the span of the nuisances' (paper 1); NULL where they span it
--   remaining_norm  ‖w‖ in units of the norm before
--   b               the probe's own: moving a latent along w changes the score z·w + b of the probe as fitted by ‖w‖², and no nuisance's
-- An error where one of them has no probe. By modified Gram-Schmidt: the paper's v ← v − (v·first / ‖first‖²) first, for every vector
-- behind the first, which then goes, until the attribute's own is left. All begin with length 1, so a nuisance that has become shorter
-- than 1e-10 lies in the span of those before it.
CREATE OR REPLACE MACRO orthogonalized(in_space, of_attribute, nuisances, by_method := 'ridge', by_config := NULL) AS TABLE
WITH RECURSIVE nz_wanted AS (SELECT list_append(list_distinct(nuisances::VARCHAR[]), of_attribute) AS nz_names),
nz_trouble AS (
    FROM nz_attribute_trouble(in_space, list_append(nuisances::VARCHAR[], of_attribute), by_method, by_config)
    UNION ALL
    SELECT '''' || of_attribute || ''' is among its own nuisances' FROM nz_wanted WHERE list_contains(nuisances::VARCHAR[], of_attribute)),
nz_asked AS (
    SELECT nz_p.attribute, nz_p.attribute = of_attribute AS is_target, nz_p.w, nz_p.b, sqrt(list_dot_product(nz_p.w, nz_p.w)) AS norm
    FROM nz_asked_probes(in_space, by_method, by_config) nz_p CROSS JOIN nz_wanted WHERE list_contains(nz_names, nz_p.attribute) AND nz_p.status = 'ok'),
nz_steps AS (
    SELECT arg_max(b, is_target) AS b, arg_max(norm, is_target) AS norm,
        list(list_transform(w, lambda nz_x: nz_x / greatest(norm, 1e-300)) ORDER BY is_target, attribute) AS vectors
    FROM nz_asked HAVING count(*) = (SELECT len(nz_names) FROM nz_wanted)
    UNION ALL
    SELECT b, norm, list_transform(behind, lambda nz_v, nz_i: list_transform(nz_v, lambda nz_x, nz_d: nz_x - along[nz_i] * first[nz_d])) AS vectors
    FROM (
        SELECT *, list_transform(behind, lambda nz_v: CASE WHEN length > 1e-20 THEN list_dot_product(nz_v, first) / length ELSE 0 END) AS along
        FROM (
            SELECT *, vectors[1] AS first, vectors[2:] AS behind, list_dot_product(vectors[1], vectors[1]) AS length
            FROM nz_steps WHERE len(vectors) > 1))),
nz_finished AS (
    SELECT b, norm, vectors[1] AS unit, sqrt(list_dot_product(vectors[1], vectors[1])) AS remaining_norm FROM nz_steps WHERE len(vectors) = 1)
SELECT CASE WHEN remaining_norm >= 1e-6 THEN list_transform(unit, lambda nz_x: nz_x * norm) END AS w, b, remaining_norm FROM nz_finished
UNION ALL
SELECT error(message)::DOUBLE[], error(message)::DOUBLE, error(message)::DOUBLE FROM nz_trouble WHERE error(message)::BOOLEAN;


-- Class prompts as CLIP's zero-shot classifiers have them: vectors of the templates at unit length, averaged, at unit length again; per
-- attribute and value, from the lake of a corpus classes:LAKE, or any whose captions have that attribute.
CREATE OR REPLACE MACRO class_vectors(text_space, in_lake := NULL) AS TABLE
WITH nz_items AS (
    SELECT image_id, unnest(map_keys(attributes)) AS attribute, unnest(map_values(attributes)) AS value
    FROM read_parquet(coalesce(in_lake, getvariable('lake')) || '/images/*.parquet', hive_partitioning = false) WHERE status = 'ok'),
nz_texts AS (
    SELECT image_id, z::DOUBLE[] AS z, norm FROM read_parquet(coalesce(in_lake, getvariable('lake')) || '/spaces/*/*.parquet',
        hive_partitioning = false, filename = true)
    WHERE url_decode(regexp_extract(filename, '/space=([^/]*)/[^/]*$', 1)) = text_space AND status = 'ok'),
nz_long AS (
    SELECT attribute, value, image_id, unnest(z) / norm AS x, generate_subscripts(z, 1) AS d FROM nz_texts JOIN nz_items USING (image_id)),
nz_means AS (SELECT attribute, value, d, avg(x) AS mean, count(*) AS prompts FROM nz_long GROUP BY ALL),
nz_vectors AS (SELECT attribute, value, any_value(prompts) AS prompts, list(mean ORDER BY d) AS mean FROM nz_means GROUP BY ALL),
nz_known AS (
    SELECT list(DISTINCT url_decode(parse_filename(parse_dirpath(file))[7:])) AS nz_spaces
    FROM glob(coalesce(in_lake, getvariable('lake')) || '/spaces/*/*.parquet') WHERE parse_filename(file) <> 'empty.parquet'),
nz_trouble AS (
    SELECT 'no space ''' || coalesce(text_space, 'NULL') || ''' of captions in ' || coalesce(in_lake, 'this lake') || '; it has '
        || coalesce(nz_nearest_first(nz_spaces, coalesce(text_space, '')), 'none') AS message
    FROM nz_known WHERE NOT coalesce(list_contains(nz_spaces, text_space), false))
SELECT attribute, value, prompts, list_transform(mean, lambda nz_x: nz_x / sqrt(list_dot_product(mean, mean))) AS unit FROM nz_vectors
UNION ALL
SELECT error(message)::VARCHAR, error(message)::BOOLEAN, error(message)::BIGINT, error(message)::DOUBLE[]
FROM nz_trouble WHERE error(message)::BOOLEAN;

-- Zero-shot classifiers of pictures by class prompts: cosine to an attribute's prompts less cosine to those of its absence, on the test
-- split. `majority` is what always answering the commoner label gives; shuffled_… are means over `shuffles` reassignments in which every
-- attribute is judged by another one's prompts. `in_lake` is the lake of the prompts: captions of the pictures that are judged, which carry
-- the labels that they are judged by, are no prompts and raise.
-- SELECT * FROM zero_shot('mini-clip-a', 'mini-clip-a/text', in_lake := 'classes');
CREATE OR REPLACE MACRO zero_shot(in_space, text_space, in_lake := NULL, shuffles := 5) AS TABLE
WITH nz_classes AS MATERIALIZED (FROM class_vectors(text_space, in_lake := in_lake)),
nz_widths AS (
    SELECT (SELECT len(z) FROM latents WHERE space = in_space LIMIT 1) AS nz_width, (SELECT any_value(len(unit)) FROM nz_classes) AS nz_text_width),
nz_poles AS (
    SELECT attribute, list(unit ORDER BY value DESC) AS units, row_number() OVER (ORDER BY md5(attribute)) AS place, count(*) OVER () AS places
    FROM nz_classes WHERE len(unit) = (SELECT nz_width FROM nz_widths) GROUP BY attribute HAVING count(DISTINCT value) = 2),
nz_asked AS MATERIALIZED (
    SELECT in_space AS space, 'ok' AS status, a.attribute, 'shuffle ' || shift AS method,
        list_transform(b.units[1], lambda nz_x, nz_i: nz_x - b.units[2][nz_i]) AS w, 0.0 AS b, 1.0 AS slope, 0.0 AS "offset"
    FROM range(0, shuffles + 1) nz_r(shift) CROSS JOIN nz_poles a JOIN nz_poles b ON b.place = (a.place + shift - 1) % a.places + 1
    WHERE shift < a.places),
nz_tested AS (
    SELECT nz_s.* REPLACE (score / norm AS score) FROM scores_of('nz_asked') nz_s JOIN latents nz_l USING (space, image_id)
    WHERE nz_s.split = 'test'),
nz_measured AS (FROM metrics_of('nz_tested')),
nz_known AS (SELECT attribute FROM nz_classes GROUP BY attribute HAVING count(DISTINCT value) = 2),
nz_own AS MATERIALIZED (
    SELECT count(*) AS nz_items, min(image_id) AS nz_first FROM latents nz_l SEMI JOIN (
        SELECT image_id FROM read_parquet(coalesce(in_lake, getvariable('lake')) || '/spaces/*/*.parquet', hive_partitioning = false,
            filename = true)
        WHERE url_decode(regexp_extract(filename, '/space=([^/]*)/[^/]*$', 1)) = text_space AND status = 'ok') nz_p USING (image_id)
    WHERE nz_l.space = in_space),
-- One trouble at most: where there are two, whichever is computed first is said.
nz_trouble AS (
    FROM nz_space_trouble(in_space)
    UNION ALL
    SELECT nz_items || ' items of ''' || text_space || ''' in ' || coalesce(in_lake, 'this lake') || ' are items of ''' || in_space || ''' too ('''
        || nz_first || '''): captions of the pictures that are judged are no prompts; the prompts'' lake is one of a corpus classes:LAKE,'
        || ' named by in_lake'
    FROM nz_own WHERE nz_items > 0
    UNION ALL
    SELECT 'space ''' || in_space || ''' has ' || nz_width || ' numbers and ''' || text_space || ''' ' || nz_text_width
        || ': pictures are judged by the texts of their own model, or through a map into its space'
    FROM nz_widths WHERE nz_width <> nz_text_width AND NOT EXISTS (FROM nz_own WHERE nz_items > 0)
    UNION ALL
    SELECT 'no attribute has prompts of both values in space ''' || text_space || '''; une build --corpus classes:LAKE makes them'
    FROM nz_widths WHERE nz_width IS NOT NULL AND NOT EXISTS (FROM nz_known) AND NOT EXISTS (FROM nz_own WHERE nz_items > 0)
    UNION ALL
    SELECT 'the prompts of ''' || text_space || ''' are of ' || (SELECT array_to_string(list_sort(list(attribute))[:8], ', ') FROM nz_known)
        || ', and no picture of this lake has a label of these; it has '
        || coalesce((SELECT array_to_string(list_sort(list(DISTINCT attribute))[:8], ', ') FROM attributes), 'no attributes')
    FROM nz_widths WHERE nz_width = nz_text_width AND EXISTS (FROM nz_known) AND NOT EXISTS (FROM nz_own WHERE nz_items > 0)
        AND NOT EXISTS (SELECT attribute FROM nz_known SEMI JOIN attributes USING (attribute)))
SELECT attribute, max(test) AS test, max(accuracy) FILTER (method = 'shuffle 0') AS accuracy,
    max(balanced_accuracy) FILTER (method = 'shuffle 0') AS balanced_accuracy, max(auc) FILTER (method = 'shuffle 0') AS auc,
    max(majority) AS majority, avg(accuracy) FILTER (method <> 'shuffle 0') AS shuffled_accuracy,
    avg(auc) FILTER (method <> 'shuffle 0') AS shuffled_auc
FROM nz_measured GROUP BY attribute
UNION ALL
SELECT error(message)::VARCHAR, error(message)::BIGINT, error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE,
    error(message)::DOUBLE, error(message)::DOUBLE, error(message)::DOUBLE
FROM nz_trouble WHERE error(message)::BOOLEAN
ORDER BY attribute;

-- A prompt as a direction of a space of captions, from a neutral one: w their difference, its norm, and `unit` of length 1.
-- SELECT * FROM prompt_direction('mini-sd-a/hspace', 'a person with a hat', 'a person');
CREATE OR REPLACE MACRO prompt_direction(in_space, of_prompt, neutral) AS TABLE
WITH nz_read AS (
    SELECT nz_i.caption AS nz_caption, any_value(nz_l.z::DOUBLE[]) AS nz_z, count(*) AS nz_items
    FROM latents nz_l JOIN images nz_i USING (image_id)
    WHERE nz_l.space = in_space AND nz_i.caption IN (of_prompt, neutral) GROUP BY nz_i.caption),
nz_pair AS (
    SELECT any_value(nz_z) FILTER (nz_caption = of_prompt) AS nz_prompt, any_value(nz_z) FILTER (nz_caption = neutral) AS nz_neutral FROM nz_read),
nz_moved AS (
    SELECT list_transform(nz_prompt, lambda nz_x, nz_d: nz_x - nz_neutral[nz_d]) AS nz_w, nz_neutral FROM nz_pair
    WHERE nz_prompt IS NOT NULL AND nz_neutral IS NOT NULL),
nz_normed AS (
    SELECT nz_w, sqrt(list_dot_product(nz_w, nz_w)) AS nz_norm, sqrt(list_dot_product(nz_neutral, nz_neutral)) AS nz_length FROM nz_moved),
nz_known AS (SELECT list(DISTINCT nz_i.caption) AS nz_captions FROM latents nz_l JOIN images nz_i USING (image_id) WHERE nz_l.space = in_space),
nz_trouble AS (
    FROM nz_space_trouble(in_space)
    UNION ALL
    SELECT 'the neutral prompt ''' || neutral || ''' has no direction from itself' AS message FROM range(1) WHERE of_prompt = neutral
    UNION ALL
    SELECT '''' || of_prompt || ''' is the neutral prompt to this model: it has no direction from it'
    FROM nz_normed WHERE of_prompt <> neutral AND nz_norm <= 1e-4 * nz_length
    UNION ALL
    SELECT nz_items || ' items of space ''' || in_space || ''' have the caption ''' || nz_caption || '''; a prompt is one item, of a corpus prompts:FILE'
    FROM nz_read WHERE nz_items > 1
    UNION ALL
    SELECT 'no prompt ''' || coalesce(nz_lost, 'NULL') || ''' in space ''' || in_space || '''; it has ' || nz_nearest_first(nz_captions, coalesce(nz_lost, ''))
    FROM nz_known CROSS JOIN (SELECT unnest([of_prompt, neutral]) AS nz_lost)
    WHERE nz_captions IS NOT NULL AND NOT coalesce(list_contains(nz_captions, nz_lost), false))
SELECT nz_w AS w, nz_norm AS norm, list_transform(nz_w, lambda nz_x: nz_x / nz_norm) AS unit FROM nz_normed WHERE nz_w IS NOT NULL
UNION ALL
SELECT error(message)::DOUBLE[], error(message)::DOUBLE, error(message)::DOUBLE[] FROM nz_trouble WHERE error(message)::BOOLEAN;
