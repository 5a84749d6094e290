-- Who copies, what stops it, and what tells: five tables over the rows of `une memorization`.
--
-- A title counts as memorised where most of its plain pictures of even seeds are copies of its training picture; "titled" ones were duplicated and
-- are not memorised, "ordinary" captions were trained on once or never. Of titles pictures of odd seeds are reported: those that made them memorised
-- are copies by choice, and fewer of any others would be. chosen_apart says so; false is a title's group by the pictures that are compared, as of
-- one seed, whose plain copies are too many and whose changes too large. ± is half a 95 % interval over prompts, never over single pictures. Shares of
-- copies have an exact one, copies_from to copies_to, of which "± copies" is half: a t interval of eight titles that agree has no width.

-- The pictures, whose models are told apart by their weights where one name has several, as a folder that was trained anew.
CREATE OR REPLACE TEMP VIEW of_weights AS
SELECT * REPLACE (if(min(weights) OVER same <> max(weights) OVER same, model || ' of weights ' || regexp_replace(weights, '^.*:', '')[:8], model) AS model)
FROM memorization WINDOW same AS (PARTITION BY model);

-- Every picture with its prompt's group; of prompts whose plain pictures were not made none is known. Of a method without a picture of odd seeds,
-- or a title without plain ones of even seeds, all are reported, not chosen apart; of ordinary prompts, which nothing chooses, all.
CREATE OR REPLACE TEMP VIEW grouped AS
WITH plain AS (
    SELECT weights, steps, guidance_scale, prompt, avg(is_copy::INT) AS copied, avg(is_copy::INT) FILTER (seed % 2 = 0) AS choosing
    FROM of_weights WHERE method = 'none' GROUP BY ALL),
pictures AS (
    SELECT m.*, CASE WHEN kind <> 'duplicated' THEN 'ordinary' WHEN coalesce(choosing, copied) > .5 THEN 'memorised' ELSE 'titled' END AS "group",
        CASE WHEN kind = 'duplicated' THEN choosing IS NOT NULL AND seed % 2 <> 0 END AS chosen_apart
    FROM of_weights m JOIN plain USING (weights, steps, guidance_scale, prompt) WHERE kind <> 'given')
SELECT *, coalesce(chosen_apart OR NOT bool_or(chosen_apart) OVER same, true) AS is_reported
FROM pictures WINDOW same AS (PARTITION BY weights, method, settings, steps, guidance_scale, prompt);

CREATE OR REPLACE TEMP VIEW reported AS FROM grouped WHERE is_reported;

-- The 97.5 % point of Student's t: closed forms of one and two degrees of freedom, between them by a parabola of its logarithm in 1 / degrees, fitted to
-- SciPy's points (to .2 %), from there on Cornish and Fisher's expansion, whose last two terms are fitted to SciPy's points (to .03 %, from three
-- on .01 %); and half the interval of a mean over rows.
CREATE OR REPLACE TEMP MACRO student(degrees) AS CASE WHEN degrees = 1 THEN tan(pi() * .475) WHEN degrees = 2 THEN .95 * sqrt(2 / (1 - .95 ** 2))
    WHEN degrees < 2 THEN exp(.59911 + 1.49193 / degrees + .45270 / degrees ** 2)
    ELSE 1.95996 + 2.37227 / degrees + 2.82250 / degrees ** 2 + 2.55585 / degrees ** 3 + 1.55127 / degrees ** 4 + 1.04101 / degrees ** 5 END;
CREATE OR REPLACE TEMP MACRO half(x) AS round(student(nullif(count(x) - 1, 0)) * stddev_samp(x) / sqrt(count(x)), 3);

-- The quantile of a beta distribution, to a thousandth: its density summed up in θ, x = sin² θ, which has no peaks at the ends; by forties, then by ones.
-- Its logarithm is taken less the largest, as of thousands of draws the density itself is below all numbers.
CREATE OR REPLACE TEMP MACRO beta_quantile(q, a, b) AS list_transform(
    [list_transform(range(1000), lambda i: (2 * a - 1) * ln(sin(pi() / 2 * (i + .5) / 1000)) + (2 * b - 1) * ln(cos(pi() / 2 * (i + .5) / 1000)))],
    lambda logarithms: list_transform([list_transform(logarithms, lambda l: exp(l - list_max(logarithms)))], lambda density: list_transform(
        [40 * len(list_filter(range(1, 26), lambda k: list_sum(density[:40 * k]) < q * list_sum(density)))],
        lambda n: sin(pi() / 2 * (n + len(list_filter(range(1, 41), lambda i: list_sum(density[:n + i]) < q * list_sum(density))) + .5) / 1000) ** 2)[1])[1])[1];

-- Clopper and Pearson's exact interval (1934) of a share of so many independent draws as the prompts are worth (Korn & Graubard 1998): their number
-- where all draws agree, else share · (1 − share) over the mean's variance, less for the few degrees of freedom; never more than there are draws.
CREATE OR REPLACE TEMP MACRO draws_worth(share, of_mean, degrees, prompts, draws) AS CASE WHEN share IN (0, 1) OR of_mean IS NULL THEN prompts
    WHEN of_mean = 0 THEN draws ELSE least(greatest(share * (1 - share) / of_mean * (1.95996 / student(degrees)) ** 2, 1), draws) END;
CREATE OR REPLACE TEMP MACRO worth(share, prompts, variance, draws) AS draws_worth(share, variance / prompts, prompts - 1, prompts, draws);
-- Degrees of freedom of a sum of two variances, over so many draws each (Welch 1947, Satterthwaite 1946).
CREATE OR REPLACE TEMP MACRO welch(a, n, b, m) AS (a + b) ** 2 / nullif(a ** 2 / (n - 1) + b ** 2 / (m - 1), 0);
-- Of draws that all agree the bounds have a closed form.
CREATE OR REPLACE TEMP MACRO share_from(share, n) AS round(CASE WHEN share = 0 THEN 0 WHEN share = 1 THEN .025 ** (1 / n)
    WHEN share > 0 THEN beta_quantile(.025, share * n, n - share * n + 1) END, 3);
CREATE OR REPLACE TEMP MACRO share_to(share, n) AS round(CASE WHEN share = 1 THEN 1 WHEN share = 0 THEN 1 - .025 ** (1 / n)
    WHEN share > 0 THEN beta_quantile(.975, share * n + 1, n - share * n) END, 3);

-- Dose–response: how often plain pictures are copies, by how often their picture was trained on. Dose 0 was never seen; captions, unlike titles,
-- describe their pictures, so that a few of theirs are near enough to count.
CREATE OR REPLACE TEMP VIEW dose_response AS
WITH titles AS (
    SELECT model, steps, guidance_scale, kind, dose, prompt, avg(is_copy::INT) AS copied, avg(similarity) AS likeness, count(*) AS seeds
    FROM of_weights WHERE method = 'none' AND kind <> 'given' GROUP BY ALL),
shares AS (
    SELECT model, steps, guidance_scale, kind, dose, count(*) AS prompts, avg(copied) AS share, round(avg(likeness), 3) AS similarity, half(likeness) AS "±",
        worth(share, count(copied), var_samp(copied), sum(seeds)) AS n
    FROM titles GROUP BY ALL)
SELECT model, steps, guidance_scale, kind, dose, prompts, round(share, 3) AS copies, round((share_to(share, n) - share_from(share, n)) / 2, 3) AS "± copies",
    similarity, "±", share_from(share, n) AS copies_from, share_to(share, n) AS copies_to
FROM shares ORDER BY model, steps, guidance_scale, kind, dose;

-- Means over seeds: what all tables below are about.
CREATE OR REPLACE TEMP VIEW per_prompt AS
SELECT model, steps, guidance_scale, method, settings, "group", prompt, avg(similarity) AS similarity, avg(is_copy::INT) AS copied,
    avg(similarity_unmitigated) AS similarity_unmitigated, avg(alignment) AS alignment, avg(diversity) AS diversity,
    avg(distance_to_real) AS distance_to_real, avg(seconds) AS seconds, max(peak_bytes) AS peak_bytes, count(is_copy) AS seeds,
    bool_and(chosen_apart) AS chosen_apart
FROM reported GROUP BY ALL;

-- Methods, ablations and peers, for memorised, titled and ordinary prompts apart: similarity to the training picture, the share of copies,
-- similarity to the plain picture of the same seed, alignment with the prompt, diversity over seeds, Mahalanobis distance to real pictures
-- (less is better), and what a picture costs.
CREATE OR REPLACE TEMP VIEW methods AS
WITH shares AS (
    SELECT model, steps, guidance_scale, "group", method, settings, count(*) AS prompts, round(avg(similarity), 3) AS similarity, half(similarity) AS "±",
        avg(copied) AS share, worth(share, count(copied), var_samp(copied), sum(seeds)) AS n,
        round(avg(similarity_unmitigated), 3) AS similarity_unmitigated, round(avg(alignment), 3) AS alignment, half(alignment) AS "± alignment",
        round(avg(diversity), 3) AS diversity, round(avg(distance_to_real), 3) AS distance_to_real, half(distance_to_real) AS "± distance",
        round(avg(seconds), 2) AS seconds, round(max(peak_bytes) / 1e6) AS peak_mb, bool_and(chosen_apart) AS chosen_apart
    FROM per_prompt GROUP BY ALL)
SELECT model, steps, guidance_scale, "group", method, settings, prompts, similarity, "±", round(share, 3) AS copies,
    round((share_to(share, n) - share_from(share, n)) / 2, 3) AS "± copies", similarity_unmitigated, alignment, "± alignment", diversity,
    distance_to_real, "± distance", seconds, peak_mb, share_from(share, n) AS copies_from, share_to(share, n) AS copies_to, chosen_apart
FROM shares ORDER BY model, steps, guidance_scale, "group", copies DESC, method, settings;

-- The same as differences from the plain pictures of the same prompts and seeds: prompts differ more than methods do. The change
-- of copies is the share that comes less the share that goes, and its interval, copies_from to copies_to, is of both shares' exact ones (MOVER:
-- Newcombe 1998, Zou & Donner 2008) with their correlation: prompts that all agree leave it its width. "± copies" is the larger of its two sides.
CREATE OR REPLACE TEMP VIEW method_changes AS
WITH pairs AS (
    SELECT p.model, p.steps, p.guidance_scale, p."group", p.method, p.settings, p.prompt, avg(p.similarity - n.similarity) AS d_similarity,
        avg(p.is_copy::INT - n.is_copy::INT) AS d_copied, avg(p.alignment - n.alignment) AS d_alignment, avg(p.diversity - n.diversity) AS d_diversity,
        avg(p.distance_to_real - n.distance_to_real) AS d_distance, count(p.is_copy AND n.is_copy) AS draws, bool_and(p.chosen_apart) AS chosen_apart,
        abs(d_copied) * (d_copied > 0)::INT AS come, abs(d_copied) * (d_copied < 0)::INT AS gone
    FROM reported p JOIN grouped n USING (model, weights, steps, guidance_scale, prompt, seed) WHERE n.method = 'none' AND p.method <> 'none'
    GROUP BY p.model, p.steps, p.guidance_scale, p."group", p.method, p.settings, p.prompt),
means AS (
    SELECT model, steps, guidance_scale, "group", method, settings, count(*) AS prompts, round(avg(d_similarity), 3) AS similarity,
        half(d_similarity) AS "±", round(avg(d_alignment), 3) AS alignment,
        half(d_alignment) AS "± alignment", round(avg(d_diversity), 3) AS diversity, half(d_diversity) AS "± diversity",
        round(avg(d_distance), 3) AS distance_to_real, half(d_distance) AS "± distance",
        avg(come) AS come, worth(avg(come), count(come), var_samp(come), sum(draws)) AS n_come,
        avg(gone) AS gone, worth(avg(gone), count(gone), var_samp(gone), sum(draws)) AS n_gone,
        bool_and(chosen_apart) AS chosen_apart,
        -- No prompt is among both, so that their covariance is −come · gone.
        coalesce(-avg(come) * avg(gone) / nullif(stddev_pop(come) * stddev_pop(gone), 0), 0) AS correlation
    FROM pairs GROUP BY ALL),
sides AS (
    SELECT *, come - share_from(come, n_come) AS come_down, share_to(come, n_come) - come AS come_up, gone - share_from(gone, n_gone) AS gone_down,
        share_to(gone, n_gone) - gone AS gone_up
    FROM means),
bounds AS (
    SELECT *, round(come - gone, 3) AS copies,
        round(come - gone - sqrt(come_down ** 2 + gone_up ** 2 - 2 * correlation * come_down * gone_up), 3) AS low,
        round(come - gone + sqrt(come_up ** 2 + gone_down ** 2 - 2 * correlation * come_up * gone_down), 3) AS high,
        if(low < -1, -1, low) AS copies_from, if(high > 1, 1, high) AS copies_to
    FROM sides)
SELECT model, steps, guidance_scale, "group", method, settings, prompts, similarity, "±", copies,
    round(greatest(copies_to - copies, copies - copies_from), 3) AS "± copies", alignment, "± alignment", diversity,
    "± diversity", distance_to_real, "± distance", copies_from, copies_to, chosen_apart
FROM bounds ORDER BY model, steps, guidance_scale, "group", similarity, method, settings;

-- The paper's ablations on memorised prompts: which rows carry the copy? Under the model's own padding, then under "!", whose plain row is M1a; by
-- zeros, as in the paper, and by removal from the softmax, since a zeroed row still draws attention.
CREATE OR REPLACE TEMP VIEW ablations AS
WITH known(place, method, padding, ablation) AS (VALUES
    (0, 'none', 'own', 'plain'), (0, 'pad-swap-keeping-eot', '!', 'plain'), (1, 'ablation-a', 'own', '(a) no eot, no pads'),
    (2, 'ablation-b', 'own', '(b) prompt := eot'), (3, 'ablation-c', 'own', '(c) no prompt'), (4, 'ablation-d', 'own', '(d) pads := eot'),
    (5, 'ablation-e', 'own', '(e) all but sot := eot'), (6, 'ablation-f', 'own', '(f) no eot'), (6, 'pad-swap', '!', '(f) no eot'),
    (7, 'ablation-g', 'own', '(g) prompt, eot := mean pad'), (8, 'ablation-h', 'own', '(h) no pads')),
variants(settings, twin, how) AS (VALUES ('{}', NULL, 'zeros'), ('{"by": "removal"}', NULL, 'removal'), ('{"padding": "exclamation"}', '!', 'zeros'))
SELECT m.model, m.steps, m.guidance_scale, ablation, coalesce(twin, padding) AS padding, CASE WHEN ablation LIKE '%no %' THEN how END AS how, prompts,
    similarity, "±", copies, "± copies", similarity_unmitigated, alignment, "± alignment", copies_from, copies_to, chosen_apart
FROM methods m JOIN known USING (method) JOIN variants USING (settings)
WHERE "group" = 'memorised' ORDER BY model, steps, guidance_scale, coalesce(twin, padding) DESC, place, settings DESC;

-- Detectors: one image's score, memorised prompts against all others. TPR is that of the lowest threshold that no more than 1 % of the others
-- reach. Intervals are exact ones of a share, of so many draws as the variance over prompts is worth: of AUC over the memorised and over the others
-- (Obuchowski 1997), of TPR over the memorised and in the threshold, which in each of 200 draws lies where the others' prompts weigh −ln u (Rubin
-- 1981). So they have a width where all titles separate, and are wider than need be (benchmarks/interval_coverage.py). Fewer than a hundred
-- pictures of others do not know what 1 % of them reach: nothing then bounds TPR from below.
CREATE OR REPLACE TEMP VIEW detectors AS
WITH every AS (
    SELECT model, steps, guidance_scale, "group" = 'memorised' AS is_memorised, prompt, seed, chosen_apart, unnest(map_keys(detectors)) AS detector,
        unnest(map_values(detectors)) AS score
    FROM reported WHERE method = 'none'),
scores AS (FROM every WHERE isfinite(score)),  -- what is not a number is no score
choices AS (SELECT model, steps, guidance_scale, detector, bool_and(chosen_apart) AS chosen_apart FROM scores GROUP BY ALL),
compared AS (
    SELECT model, steps, guidance_scale, detector, m.prompt AS memorised, m.seed, o.prompt AS other, count(*) AS pictures,
        sum(CASE WHEN m.score > o.score THEN 1 WHEN m.score = o.score THEN .5 ELSE 0 END) AS beaten, sum((o.score >= m.score)::INT) AS reaching
    FROM scores m JOIN scores o USING (model, steps, guidance_scale, detector) WHERE m.is_memorised AND NOT o.is_memorised GROUP BY ALL),
found AS (
    SELECT model, steps, guidance_scale, detector, memorised, seed, sum(beaten) AS beaten, sum(pictures) AS pairs,
        (sum(reaching) <= .01 * sum(pictures))::INT AS found
    FROM compared GROUP BY ALL),
figures AS (
    SELECT model, steps, guidance_scale, detector, sum(beaten) / sum(pairs) AS auc, avg(found) AS tpr, sum(pairs) AS all_pairs, count(*) AS all_pictures
    FROM found GROUP BY ALL),
by_prompt AS (
    SELECT model, steps, guidance_scale, detector, true AS is_memorised, memorised AS prompt, sum(beaten) AS beaten, sum(pairs) AS pairs,
        sum(found) AS found, count(*) AS pictures
    FROM found GROUP BY ALL
    UNION ALL
    SELECT model, steps, guidance_scale, detector, false, other, sum(beaten), sum(pictures), NULL, max(pictures) FROM compared GROUP BY ALL),
sides AS (
    SELECT model, steps, guidance_scale, detector, is_memorised, auc, tpr, count(*) AS prompts, sum(pictures) AS pictures,
        count(*) / nullif(count(*) - 1, 0) * sum(((beaten - auc * pairs) / all_pairs) ** 2) AS of_auc,
        count(*) / nullif(count(*) - 1, 0) * sum(((found - tpr * pictures) / all_pictures) ** 2) AS of_tpr
    FROM by_prompt JOIN figures USING (model, steps, guidance_scale, detector) GROUP BY ALL),
weights AS (
    SELECT prompt, draw, -ln((md5_number_lower(prompt || '/' || draw)::DOUBLE + .5) / 2 ** 64) AS weight
    FROM (SELECT DISTINCT prompt FROM scores WHERE NOT is_memorised), range(1, 201) AS draws(draw)),
weighed AS (
    SELECT model, steps, guidance_scale, detector, draw, sum(weight * pictures) AS total
    FROM by_prompt JOIN weights USING (prompt) WHERE NOT is_memorised GROUP BY ALL),
reached AS (
    SELECT model, steps, guidance_scale, detector, memorised, seed, draw, sum(weight * reaching) AS reaching
    FROM compared JOIN weights ON other = prompt WHERE reaching > 0 GROUP BY ALL),
missed AS (
    SELECT model, steps, guidance_scale, detector, draw, count(*) FILTER (reaching > .01 * total) AS missed
    FROM weighed LEFT JOIN reached USING (model, steps, guidance_scale, detector, draw) GROUP BY ALL),
thresholds AS (
    SELECT model, steps, guidance_scale, detector, var_samp(missed / all_pictures) AS of_threshold
    FROM missed JOIN figures USING (model, steps, guidance_scale, detector) GROUP BY ALL),
worths AS (
    SELECT model, steps, guidance_scale, detector, m.auc, m.tpr, m.pictures::BIGINT AS memorised, o.pictures::BIGINT AS others, least(m.prompts, o.prompts) AS fewest,
        draws_worth(m.auc, m.of_auc + o.of_auc, welch(m.of_auc, m.prompts, o.of_auc, o.prompts), fewest, least(m.pictures, o.pictures)) AS n_auc,
        draws_worth(m.tpr, m.of_tpr + of_threshold, welch(m.of_tpr, m.prompts, of_threshold, o.prompts), fewest, m.pictures) AS n_tpr
    FROM sides m JOIN sides o USING (model, steps, guidance_scale, detector) JOIN thresholds USING (model, steps, guidance_scale, detector)
    WHERE m.is_memorised AND NOT o.is_memorised)
SELECT model, steps, guidance_scale, detector, round(auc, 3) AS auc, share_from(auc, n_auc) AS auc_from, share_to(auc, n_auc) AS auc_to,
    round(tpr, 3) AS tpr_at_1_percent_fpr, if(others < 100, 0, share_from(tpr, n_tpr)) AS tpr_from, share_to(tpr, n_tpr) AS tpr_to, memorised, others,
    chosen_apart
FROM worths JOIN choices USING (model, steps, guidance_scale, detector) ORDER BY model, steps, guidance_scale, auc DESC, detector;

-- Where the conditional branch looks: cross-attention on each class of tokens, step by step from noise on.
CREATE OR REPLACE TEMP VIEW attention_by_step AS
WITH masses AS (
    SELECT model, steps, guidance_scale, "group", prompt, unnest(map_keys(attention)) AS tokens, unnest(map_values(attention)) AS mass
    FROM reported WHERE method = 'none'),
long AS (SELECT * EXCLUDE (mass), unnest(mass) AS mass, generate_subscripts(mass, 1) AS step FROM masses),
means AS (SELECT * EXCLUDE (mass), avg(mass) AS mass FROM long GROUP BY ALL)
SELECT model, steps, guidance_scale, "group", tokens, step, count(*) AS prompts, round(avg(mass), 3) AS mass, half(mass) AS "±"
FROM means GROUP BY ALL ORDER BY model, steps, guidance_scale, "group", min(list_position(['sot', 'prompt', 'eot', 'pad'], tokens)), step;

CREATE OR REPLACE TEMP VIEW attention AS
SELECT model, steps, guidance_scale, "group", tokens, max(mass) FILTER (step = 1) AS first_step, max(mass) FILTER (step = steps // 2 + 1) AS middle_step,
    max(mass) FILTER (step = steps) AS last_step, max("±") AS "largest ±"
FROM attention_by_step GROUP BY ALL ORDER BY model, steps, guidance_scale, "group", min(list_position(['sot', 'prompt', 'eot', 'pad'], tokens));

FROM dose_response;
FROM methods;
FROM method_changes;
FROM ablations;
FROM detectors;
FROM attention;
