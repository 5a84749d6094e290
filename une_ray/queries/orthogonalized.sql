-- Probes made orthogonal to others, in stock DuckDB: after `.read queries/noisezoo.sql`, `.read queries/orthogonalized.sql`.

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

-- What is left of the glasses' probe when grey hair and gender are to stay as they are.
SELECT round(remaining_norm, 4) AS remaining_norm, round(b, 4) AS b, w[:3] AS first_weights
FROM orthogonalized('mini-sd-a/ddim50', 'Eyeglasses', ['Gray_Hair', 'Male']);
