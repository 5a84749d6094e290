-- How far apart the means of an attribute's two sides lie in every space, in units of the space's mean norm.
-- The space is turned on its side, one list per dimension, so that a mean is a dot product with the labels' 0/1 list
-- instead of a row per image × dimension × attribute.
WITH long AS (SELECT space, image_id, unnest(z) AS x, generate_subscripts(z, 1) AS d FROM latents),
sides AS (SELECT space, d, list(x ORDER BY image_id) AS x FROM long GROUP BY space, d),
labels AS (
    SELECT l.space, a.attribute, list(a.value::INT::FLOAT ORDER BY l.image_id) AS y, sum(a.value::INT) AS n_on, count(*) AS n
    FROM latents l JOIN attributes a USING (image_id) GROUP BY ALL),
means AS (
    SELECT space, attribute, list_dot_product(x, y) / n_on AS on_mean, (list_sum(x) - list_dot_product(x, y)) / (n - n_on) AS off_mean
    FROM sides JOIN labels USING (space) WHERE len(x) = len(y) AND n_on BETWEEN 1 AND n - 1)
SELECT space, attribute, round(sqrt(sum((on_mean - off_mean) ** 2)) / any_value(n.mean_norm), 4) AS distance
FROM means JOIN norms n USING (space)
GROUP BY space, attribute ORDER BY space, distance DESC;
