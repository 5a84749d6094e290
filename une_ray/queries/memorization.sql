-- Who copies, what stops it, and what tells: four tables over the rows of `une memorization`.
--
-- A title counts as memorised where most of its plain pictures are copies of its training picture; "titled" ones were duplicated and are
-- not memorised, "ordinary" captions were trained on once or never. Intervals are over prompts, mean ± 1.96 standard errors.

-- Every picture with its prompt's group; of prompts whose plain pictures were not made none is known.
CREATE OR REPLACE TEMP VIEW grouped AS
WITH plain AS (SELECT weights, steps, guidance_scale, prompt, avg(is_copy::INT) AS copied FROM memorization WHERE method = 'none' GROUP BY ALL)
SELECT m.*, CASE WHEN kind <> 'duplicated' THEN 'ordinary' WHEN copied > .5 THEN 'memorised' ELSE 'titled' END AS "group"
FROM memorization m JOIN plain USING (weights, steps, guidance_scale, prompt) WHERE kind <> 'given';

-- The area under the ROC curve, an aggregate over (score, truth): pairs in order, ties counted half.
CREATE OR REPLACE TEMP MACRO area(scores, others) AS
    list_sum(list_transform(scores, lambda s: list_sum(list_transform(others, lambda o: CASE WHEN s > o THEN 1 WHEN s = o THEN .5 ELSE 0 END))))
    / (len(scores) * len(others));

-- Dose–response: how often plain pictures are copies, by how often their picture was trained on. Dose 0 was never seen.
CREATE OR REPLACE TEMP VIEW dose_response AS
SELECT model, steps, kind, dose, count(DISTINCT prompt) AS prompts, round(avg(is_copy::INT), 3) AS copies, round(avg(similarity), 3) AS similarity
FROM memorization WHERE method = 'none' AND kind <> 'given' GROUP BY ALL ORDER BY model, steps, kind, dose;

-- Methods, ablations and peers, for memorised, titled and ordinary prompts apart: similarity to the training picture and to the plain
-- picture of the same seed, alignment with the prompt, diversity over seeds.
CREATE OR REPLACE TEMP VIEW methods AS
WITH per_prompt AS (
    SELECT model, steps, method, settings, "group", prompt, avg(similarity) AS similarity, avg(is_copy::INT) AS copies,
        avg(similarity_unmitigated) AS similarity_unmitigated, avg(alignment) AS alignment, avg(diversity) AS diversity, avg(seconds) AS seconds
    FROM grouped GROUP BY ALL)
SELECT model, steps, "group", method, settings, count(*) AS prompts, round(avg(similarity), 3) AS similarity,
    round(1.96 * stddev_samp(similarity) / sqrt(count(*)), 3) AS "±", round(avg(copies), 3) AS copies,
    round(avg(similarity_unmitigated), 3) AS similarity_unmitigated, round(avg(alignment), 3) AS alignment,
    round(1.96 * stddev_samp(alignment) / sqrt(count(*)), 3) AS "± alignment", round(avg(diversity), 3) AS diversity, round(avg(seconds), 2) AS seconds
FROM per_prompt GROUP BY ALL ORDER BY model, steps, "group", copies DESC, method, settings;

-- Detectors: one image's score, memorised prompts against all others. AUC with Hanley and McNeil's (1982) standard error, and the share
-- of memorised images above the 99th percentile of the others.
CREATE OR REPLACE TEMP VIEW detectors AS
WITH scores AS (
    SELECT model, steps, "group", unnest(map_keys(detectors)) AS detector, unnest(map_values(detectors)) AS score FROM grouped WHERE method = 'none'),
sides AS (
    SELECT model, steps, detector, list(score) FILTER ("group" = 'memorised') AS memorised, list(score) FILTER ("group" <> 'memorised') AS others
    FROM scores GROUP BY ALL),
areas AS (SELECT *, area(memorised, others) AS auc, len(memorised) AS m, len(others) AS n FROM sides WHERE len(memorised) > 0 AND len(others) > 0)
SELECT model, steps, detector, round(auc, 3) AS auc,
    round(1.96 * sqrt((auc * (1 - auc) + (m - 1) * (auc / (2 - auc) - auc ** 2) + (n - 1) * (2 * auc ** 2 / (1 + auc) - auc ** 2)) / (m * n)), 3) AS "±",
    round(len(list_filter(memorised, lambda s: s > list_aggregate(others, 'quantile_cont', .99))) / m, 3) AS tpr_at_1_percent_fpr,
    m AS memorised, n AS others
FROM areas ORDER BY model, steps, auc DESC, detector;

-- Where the conditional branch looks: cross-attention on each class of tokens in the first, the middle and the last step.
CREATE OR REPLACE TEMP VIEW attention AS
WITH masses AS (SELECT model, steps, "group", unnest(map_keys(attention)) AS tokens, unnest(map_values(attention)) AS mass FROM grouped WHERE method = 'none')
SELECT model, steps, "group", tokens, round(avg(mass[1]), 3) AS first_step, round(avg(mass[len(mass) // 2 + 1]), 3) AS middle_step,
    round(avg(mass[-1]), 3) AS last_step
FROM masses GROUP BY ALL ORDER BY model, steps, "group", min(list_position(['sot', 'prompt', 'eot', 'pad'], tokens));

FROM dose_response;
FROM methods;
FROM detectors;
FROM attention;
