-- What `docs/figures.py --lake` asks of a lake: a view per table of the pages, and `sentences`, the figures in prose. Over queries/edits.sql and
-- queries/memorization.sql.
--
-- Means over attributes and splits, and their margins, as in probe_settings: `off` is what a row differs by from its attribute's mean.

-- Probes, tests of normality and maps of every space.
CREATE OR REPLACE TEMP VIEW figures_spaces AS
WITH levelled AS (
    SELECT *, auc - avg(auc) OVER of_attribute AS off, 1 / count(auc) OVER of_attribute AS weight,
        avg(test / train) FILTER (auc IS NOT NULL) OVER (PARTITION BY space) AS ratio
    FROM best_probes WHERE method = 'ridge' AND status = 'ok'
    WINDOW of_attribute AS (PARTITION BY space, attribute)),
probed AS (
    SELECT space, attribute_mean(auc, weight) AS auc, attribute_mean(accuracy, weight) AS accuracy,
        attribute_mean(majority, weight) AS majority, split_margin(off, weight, ratio, split_seed) AS margin
    FROM levelled GROUP BY space),
tested AS (
    SELECT space, max(accepted) FILTER (unit = 'direction') AS directions,
        max(accepted) FILTER (unit = 'coordinate') AS coordinates
    FROM gaussianity WHERE control IS NULL AND test = 'anderson_darling' GROUP BY space),
mapped AS (
    SELECT source AS space, avg(centred_cosine) AS cosine, 100 * avg(accuracy_native - accuracy) AS lost
    FROM transfers WHERE map = 'ridge' AND attribute IS NULL AND target = 'mini-clip-a' GROUP BY source)
SELECT space, role, auc, margin, accuracy, majority, directions, coordinates, cosine, lost
FROM spaces LEFT JOIN probed USING (space) LEFT JOIN tested USING (space) LEFT JOIN mapped USING (space)
ORDER BY role = 'control', space;

-- Every generator's noise beside every control, paired: the same attributes on the same splits in both.
CREATE OR REPLACE TEMP VIEW figures_comparisons AS
WITH pairs AS (
    SELECT m.space, c.space AS control, attribute, split_seed, m.auc - c.auc AS difference,
        m.test / m.train AS test_per_train
    FROM best_probes m JOIN best_probes c USING (attribute, split_seed)
    JOIN spaces ms ON ms.space = m.space JOIN spaces cs ON cs.space = c.space
    WHERE m.method = 'ridge' AND c.method = 'ridge' AND m.status = 'ok' AND c.status = 'ok'
        AND ms.role = 'model' AND ms.method = 'ddim-inversion' AND cs.role = 'control'),
levelled AS (
    SELECT *, difference - avg(difference) OVER of_attribute AS off,
        1 / count(difference) OVER of_attribute AS weight,
        avg(test_per_train) FILTER (difference IS NOT NULL) OVER (PARTITION BY space, control) AS ratio
    FROM pairs WINDOW of_attribute AS (PARTITION BY space, control, attribute))
SELECT space, control, attribute_mean(difference, weight) AS difference,
    split_margin(off, weight, ratio, split_seed) AS margin
FROM levelled GROUP BY space, control ORDER BY space, control;

-- Methods on memorised titles, and their cost to ordinary captions.
CREATE OR REPLACE TEMP VIEW figures_mitigations AS
WITH changed AS (FROM method_changes WHERE "group" = 'memorised'), cost AS (FROM method_changes WHERE "group" = 'ordinary')
SELECT m.method, m.settings, m.prompts, m.copies, m.copies_from, m.copies_to, m.similarity, m."±" AS half_similarity,
    t.similarity AS change, t."±" AS half_change, c.alignment, c."± alignment" AS half_alignment, c.distance_to_real AS distance,
    c."± distance" AS half_distance
FROM methods m LEFT JOIN changed t USING (model, steps, guidance_scale, method, settings)
    LEFT JOIN cost c USING (model, steps, guidance_scale, method, settings)
WHERE m."group" = 'memorised' AND m.method NOT LIKE 'ablation%'
QUALIFY m.steps = max(m.steps) OVER () ORDER BY m.method <> 'none', m.copies, m.method;

-- Ablations of memorised titles.
CREATE OR REPLACE TEMP VIEW figures_ablations AS
SELECT ablation, padding, coalesce(how, '–') AS how, prompts, copies, copies_from, copies_to, similarity, "±"
FROM ablations QUALIFY steps = max(steps) OVER ();

CREATE OR REPLACE TEMP VIEW figures_facts AS
SELECT (SELECT count(*) FROM images WHERE status = 'ok') AS images, (SELECT count(DISTINCT attribute) FROM probes) AS attributes,
    (SELECT count(DISTINCT split_seed) FROM best_probes WHERE method = 'ridge') AS splits;

-- Every edit with its dose, its effect, and what stands beside it. `spread` is over images, of which each has a random step of its own.
CREATE OR REPLACE TEMP VIEW figures_every_edit AS
WITH furthest AS (
    SELECT edit, judge, max(images) AS images, min(alpha) AS low, max(alpha) AS high,
        arg_max(identity, alpha) AS identity_at_high
    FROM edit_response GROUP BY ALL),
by_image AS (
    SELECT edit, judge, image_id, regr_slope(change, alpha) AS slope
    FROM edit_changes WHERE judged = attribute GROUP BY ALL),
spreads AS (SELECT edit, judge, stddev_samp(slope) AS spread FROM by_image GROUP BY ALL)
SELECT space, judge, attribute, direction, edit, images, low, high, effect, spread, leakage, leakage_of_one, identity_at_high AS identity
FROM edit_tradeoffs JOIN furthest USING (edit, judge) JOIN spreads USING (edit, judge);

-- Of edits that differ in their number of images or in their settings the largest, one per direction.
CREATE OR REPLACE TEMP VIEW figures_edits AS
FROM figures_every_edit WHERE direction IN ('probe', 'orthogonalised', 'prompt', 'random')
QUALIFY row_number() OVER (PARTITION BY space, judge, attribute, direction ORDER BY images DESC, edit) = 1
ORDER BY space, judge, attribute;

-- Edits of a family, in h-space or of a shared space, beside others of the same images and doses.
CREATE OR REPLACE TEMP MACRO figures_edits_beside(family) AS TABLE
WITH asked AS (SELECT DISTINCT space, judge, attribute, images, low, high FROM figures_every_edit WHERE direction = family)
FROM figures_every_edit SEMI JOIN asked USING (space, judge, attribute, images, low, high)
WHERE direction IN ('probe', 'random', family, family || '-random', 'random-' || family) OR (direction = 'prompt' AND family = 'hspace')
QUALIFY row_number() OVER (PARTITION BY space, judge, attribute, direction ORDER BY images DESC, edit) = 1
ORDER BY space, judge, attribute, list_position(['probe', 'random', family, family || '-random', 'random-' || family, 'prompt'], direction);

-- Figures in sentences, by the name that stands before them in a page, and their digits.
CREATE OR REPLACE TEMP VIEW sentences AS
SELECT 'below-latents-' || regexp_extract(space, 'mini-sd-(.)', 1) AS name, -difference AS value, 2 AS digits
FROM figures_comparisons WHERE space LIKE 'mini-sd-%' AND control = 'mini-sd-a/latents';
