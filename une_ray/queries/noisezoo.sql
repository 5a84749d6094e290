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
