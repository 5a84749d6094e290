-- Is every space Gaussian? D'Agostino and Pearson's test, whose p has a closed form (exp(-K²/2)), on random directions and
-- on single coordinates, and mean ‖z‖²/dim with its distance from 1 in standard deviations of χ²: beside noise from
-- N(0, I) of the same size, drawn by Box and Muller, that goes the same way. `une gaussianity` does more and writes it down.
--
-- Every direction and coordinate is tested on 250 of up to 1,000 images, one of each picture and group, give or take some: a hash draws them afresh each time.
-- Nothing is tested on fewer than 20 values, or where all are equal. "chi2_score" asks for unit variance: noise claims it, embeddings don't.

-- A number in (0, 1) and one from N(0, 1), by a key alone: random() would depend on the threads.
CREATE OR REPLACE TEMP MACRO uniform(key) AS ((hash(key) >> 11)::DOUBLE + .5) / 2.0 ** 53;
CREATE OR REPLACE TEMP MACRO normal(key) AS sqrt(-2 * ln(uniform(key || '/r'))) * cos(2 * pi() * uniform(key || '/a'));

-- √b₁ of n numbers as a standard normal score: D'Agostino 1970.
CREATE OR REPLACE TEMP MACRO skewness_w2(n) AS
    sqrt(6.0 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9)) - 2) - 1;
CREATE OR REPLACE TEMP MACRO skewness_score(root_b1, n) AS
    asinh(root_b1 * sqrt((n + 1) * (n + 3) / (6.0 * (n - 2))) * sqrt((skewness_w2(n) - 1) / 2)) / sqrt(ln(skewness_w2(n)) / 2);

-- b₂ of n numbers as a standard normal score: Anscombe and Glynn 1983. `a` is their A, the degrees of freedom of the fitted χ².
CREATE OR REPLACE TEMP MACRO kurtosis_skewness(n) AS
    6.0 * (n * n - 5 * n + 2) / ((n + 7) * (n + 9)) * sqrt(6.0 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)));
CREATE OR REPLACE TEMP MACRO kurtosis_a(n) AS
    6 + 8 / kurtosis_skewness(n) * (2 / kurtosis_skewness(n) + sqrt(1 + 4 / kurtosis_skewness(n) ** 2));
CREATE OR REPLACE TEMP MACRO kurtosis_z(b2, n) AS
    (b2 - 3.0 * (n - 1) / (n + 1)) / sqrt(24.0 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5)));
CREATE OR REPLACE TEMP MACRO kurtosis_score(b2, n) AS
    (1 - 2 / (9 * kurtosis_a(n)) - cbrt((1 - 2 / kurtosis_a(n)) / (1 + kurtosis_z(b2, n) * sqrt(2 / (kurtosis_a(n) - 4)))))
    / sqrt(2 / (9 * kurtosis_a(n)));

-- K² of a group's values, an aggregate: SELECT dagostino_pearson(x) FROM …. DuckDB's skewness is the corrected one; √b₁ is not.
CREATE OR REPLACE TEMP MACRO dagostino_pearson(x) AS CASE WHEN count(x) >= 20 AND min(x) < max(x) THEN
    skewness_score(skewness(x) * (count(x) - 2) / sqrt(count(x) * (count(x) - 1.0)), count(x)::DOUBLE) ** 2
    + kurtosis_score(kurtosis_pop(x) + 3, count(x)::DOUBLE) ** 2 END;

-- `dim` numbers from N(0, 1), by a key: a random direction, not of unit length, which no test of normality sees; or a row of the control.
CREATE OR REPLACE TEMP MACRO normal_list(key, dim) AS list_transform(range(dim), lambda d: normal(key || '/' || d)::FLOAT);

WITH of_groups AS (
    SELECT space, image_id, sha256 FROM readings r LEFT JOIN images USING (image_id) WHERE r.status = 'ok'
    QUALIFY row_number() OVER (PARTITION BY space, coalesce(split_group, image_id) ORDER BY md5(image_id)) = 1),
apart AS (
    SELECT space, image_id FROM of_groups
    QUALIFY row_number() OVER (PARTITION BY space, coalesce(sha256, image_id) ORDER BY md5(image_id)) = 1),
chosen AS (
    SELECT space, image_id, count(*) OVER (PARTITION BY space) AS images FROM (
        SELECT space, image_id FROM apart QUALIFY row_number() OVER (PARTITION BY space ORDER BY md5(image_id)) <= 1000)),
measured AS MATERIALIZED (SELECT space, images, dim, image_id, z FROM latents JOIN chosen USING (space, image_id)),
data AS MATERIALIZED (
    SELECT space, NULL AS control, images, dim, image_id, z FROM measured
    UNION ALL
    SELECT space, 'normal', images, dim, image_id, normal_list('control/' || image_id, dim) FROM measured),
directions AS MATERIALIZED (SELECT dim, k, normal_list('direction/' || k, dim) AS u FROM (SELECT DISTINCT dim FROM measured), range(500) t(k)),
along_directions AS (
    SELECT space, control, k, dagostino_pearson(list_dot_product(z, u)::DOUBLE) AS K2
    FROM data JOIN directions USING (dim) WHERE uniform(image_id || '/' || k) < 250 / images GROUP BY ALL),
along_coordinates AS (
    SELECT space, control, d, dagostino_pearson(x::DOUBLE) AS K2
    FROM (SELECT space, control, images, image_id, unnest(z) AS x, generate_subscripts(z, 1) AS d FROM data)
    WHERE uniform(image_id || '/' || d) < 250 / images GROUP BY ALL),
norms_squared AS (
    SELECT space, control, any_value(images) AS images, any_value(dim) AS dim, avg(list_dot_product(z, z)) / any_value(dim) AS mean_square
    FROM data GROUP BY ALL),
shares AS (
    SELECT space, control, 'directions' AS unit, avg((exp(-K2 / 2) > .05)::INT) AS accepted FROM along_directions GROUP BY ALL
    UNION ALL
    SELECT space, control, 'coordinates', avg((exp(-K2 / 2) > .05)::INT) FROM along_coordinates GROUP BY ALL)
SELECT n.space, n.control, n.images, n.dim,
    round(any_value(s.accepted) FILTER (unit = 'directions'), 4) AS directions_accepted,
    round(any_value(s.accepted) FILTER (unit = 'coordinates'), 4) AS coordinates_accepted,
    round(n.mean_square, 4) AS mean_square, round((n.mean_square - 1) * sqrt(n.images * n.dim / 2), 2) AS chi2_score
FROM norms_squared n JOIN shares s ON n.space = s.space AND n.control IS NOT DISTINCT FROM s.control
GROUP BY ALL ORDER BY n.space, n.control NULLS FIRST;
