-- How far apart the means of an attribute's two sides lie in every space, in units of the space's mean norm.
-- The space is turned on its side, one list per dimension, so that a mean is a dot product with the labels' 0/1 list
-- instead of a row per image × dimension × attribute. Images whose label is unknown are on neither side.
WITH long AS (SELECT space, image_id, unnest(z) AS x, generate_subscripts(z, 1) AS d FROM latents),
sides AS (SELECT space, d, list(x ORDER BY image_id) AS x FROM long GROUP BY space, d),
labels AS (
    SELECT l.space, n.attribute, list(coalesce(a.value::INT, 0)::FLOAT ORDER BY l.image_id) AS of_true,
        list(coalesce((NOT a.value)::INT, 0)::FLOAT ORDER BY l.image_id) AS of_false, count_if(a.value) AS trues, count_if(NOT a.value) AS falses
    FROM latents l CROSS JOIN (SELECT DISTINCT attribute FROM attributes) n LEFT JOIN attributes a ON a.image_id = l.image_id AND a.attribute = n.attribute
    GROUP BY ALL),
means AS (
    SELECT space, attribute, list_dot_product(x, of_true) / trues AS on_mean, list_dot_product(x, of_false) / falses AS off_mean
    FROM sides JOIN labels USING (space) WHERE trues > 0 AND falses > 0)
SELECT space, attribute, round(sqrt(sum((on_mean - off_mean) ** 2)) / any_value(n.mean_norm), 4) AS distance
FROM means JOIN norms n USING (space)
GROUP BY space, attribute ORDER BY space, distance DESC;
