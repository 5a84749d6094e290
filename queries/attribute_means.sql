-- How far apart the means of an attribute's two sides lie in every space, in units of the space's mean norm.
WITH pairs AS (
    SELECT l.space, a.attribute, a.value, unnest(l.z) AS x, generate_subscripts(l.z, 1) AS d
    FROM latents l JOIN attributes a USING (image_id)),
means AS (SELECT space, attribute, d, avg(x) FILTER (value) AS on_mean, avg(x) FILTER (NOT value) AS off_mean FROM pairs GROUP BY ALL)
SELECT space, attribute, round(sqrt(sum((on_mean - off_mean) ** 2)) / any_value(n.mean_norm), 4) AS distance
FROM means JOIN norms n USING (space)
GROUP BY space, attribute ORDER BY space, distance DESC;
