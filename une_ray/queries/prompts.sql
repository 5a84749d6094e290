-- What does a generator take for granted? Tables over the rows of `une prompts`. Brackets of a prompt are 95 % intervals over seeds, those of a
-- correlation or an accuracy over prompts. Of several computations of one question that of most prompts counts, of those the one with a truth that is
-- no vote, of those the newest; beside one truth the newest, as what is known may have been corrected.

-- Prompts between two poles, from the second to the first. `is_clear`: the interval leaves out 0.
CREATE OR REPLACE TEMP VIEW biases AS
WITH known AS (
    SELECT b.* EXCLUDE (truth_of), coalesce(b.truth_of, a.truth) AS truth_of, count(*) OVER (PARTITION BY b.config) AS prompts
    FROM prompt_biases b LEFT JOIN prompt_agreements a ON a.config = b.config)
SELECT space, neutral, pole_first, pole_second, prompt, round(bias, 3) AS bias, round(low, 3) AS low, round(high, 3) AS high, low > 0 OR high < 0 AS is_clear,
    round(truth, 3) AS truth, truth_of
FROM known
QUALIFY config = first(config) OVER (
    PARTITION BY space, neutral, pole_first, pole_second ORDER BY prompts DESC, starts_with(truth_of, 'vote:') NULLS LAST, computed DESC NULLS LAST, config)
ORDER BY space, neutral, pole_first, known.bias, prompt;

-- How the order of prompts agrees with the truth, or with a judge's vote on drawn pictures: Spearman's ρ of h-space beside that of text towers, the share
-- of shuffled prompts that reach it (p), what 95 in 100 random pairs of poles stay below, and how one half of the seeds agrees with the other, whence
-- `ceiling`: what all of them can be expected to reach at most, √(2 halves / (1 + halves)).
CREATE OR REPLACE TEMP VIEW bias_agreements AS
SELECT pole_first, pole_second, truth, space, neutral, prompts, seeds, round(rho, 3) AS rho, round(low, 3) AS low, round(high, 3) AS high, round(p, 4) AS p,
    round(random_poles, 3) AS random_poles, round(halves, 3) AS halves, round(CASE WHEN halves > 0 THEN sqrt(2 * halves / (1 + halves)) END, 3) AS ceiling
FROM prompt_agreements
QUALIFY config = first(config) OVER (PARTITION BY space, neutral, pole_first, pole_second, truth ORDER BY computed DESC NULLS LAST, prompts DESC, config)
ORDER BY pole_first, truth, prompt_agreements.rho DESC, space;

-- The judges' votes on drawn pictures, each prompt's share of the first pole, beside what is known of it.
CREATE OR REPLACE TEMP VIEW votes AS
SELECT space, judge, pole_first, pole_second, steps, guidance_scale, prompt, pictures, round(vote, 3) AS vote, round(low, 3) AS low, round(high, 3) AS high,
    round(truth, 3) AS truth
FROM (SELECT *, count(truth) OVER (PARTITION BY config) AS known FROM prompt_votes) v
QUALIFY config = first(config) OVER (
    PARTITION BY space, judge, pole_first, pole_second, guidance_scale ORDER BY known > 0 DESC, pictures DESC, steps DESC, computed DESC NULLS LAST, config)
ORDER BY space, judge, pole_first, guidance_scale, v.vote, prompt;

CREATE OR REPLACE TEMP VIEW vote_agreements AS
SELECT space, judge, pole_first, pole_second, truth, guidance_scale, pictures, prompts, round(rho, 3) AS rho, round(low, 3) AS low, round(high, 3) AS high,
    round(p, 4) AS p, round(halves, 3) AS halves, round(difference, 3) AS difference,
    round(CASE WHEN halves > 0 THEN sqrt(2 * halves / (1 + halves)) END, 3) AS ceiling
FROM prompt_vote_agreements
QUALIFY config = first(config) OVER (PARTITION BY space, judge, pole_first, pole_second, truth, guidance_scale ORDER BY pictures DESC, steps DESC, computed DESC NULLS LAST, config)
ORDER BY ALL;

-- Every descriptor of every prompt, the nearest first in `place`; of those that describe one thing the nearest is the default, `support` its share of
-- resampled seeds. A default that is no nearer than the nearest of random directions (`random`) is none.
CREATE OR REPLACE TEMP VIEW descriptor_ranking AS
SELECT space, neutral, prompt, describes, descriptor, round(cosine, 3) AS cosine, round(low, 3) AS low, round(high, 3) AS high, is_default,
    round(support, 3) AS support, round(random, 3) AS random, cosine > random AS is_beyond_random, round(truth, 3) AS truth,
    row_number() OVER (PARTITION BY space, neutral, prompt ORDER BY cosine DESC, descriptor) AS place
FROM (
    SELECT * FROM (SELECT *, count(*) OVER (PARTITION BY config) AS pairs, count(truth) OVER (PARTITION BY config) AS known FROM prompt_defaults)
    QUALIFY config = first(config) OVER (PARTITION BY space, neutral ORDER BY pairs DESC, known DESC, computed DESC NULLS LAST, config))
ORDER BY space, neutral, prompt, place;

-- What each prompt is taken for, the surest first.
CREATE OR REPLACE TEMP VIEW taken_for_granted AS
SELECT * EXCLUDE (is_default, place), max(truth) OVER (PARTITION BY space, neutral, prompt, describes) AS likeliest
FROM descriptor_ranking
QUALIFY is_default
ORDER BY space, neutral, prompt, cosine DESC;

CREATE OR REPLACE TEMP VIEW default_agreements AS
SELECT space, neutral, truth, prompts, seeds, round(accuracy, 3) AS accuracy, round(low, 3) AS low, round(high, 3) AS high, round(majority, 3) AS majority,
    round(p, 4) AS p, round(rho, 3) AS rho, round(rho_low, 3) AS rho_low, round(rho_high, 3) AS rho_high
FROM prompt_default_agreements
QUALIFY config = first(config) OVER (PARTITION BY space, neutral, truth ORDER BY computed DESC NULLS LAST, prompts DESC, config)
ORDER BY prompt_default_agreements.rho DESC, space;

-- Clusters against known categories, beside shuffled ones, and how far the map may be trusted; 95 in 100 random halves of the seeds give `low` to
-- `high`.
CREATE OR REPLACE TEMP VIEW cluster_scores AS
SELECT space, neutral, categories, measure, round(value, 3) AS value, round(low, 3) AS low, round(high, 3) AS high, round(shuffled, 3) AS shuffled,
    round(p, 4) AS p, prompts, clusters, seeds, round(halves, 3) AS halves, round(trust, 3) AS trust, round(trust_of_components, 3) AS trust_of_components
FROM prompt_cluster_scores
QUALIFY config = first(config) OVER (PARTITION BY space, neutral, categories, measure ORDER BY prompts DESC, computed DESC NULLS LAST, config)
ORDER BY categories, measure, prompt_cluster_scores.value DESC, space;

CREATE OR REPLACE TEMP VIEW map_of_prompts AS
SELECT space, neutral, categories, prompt, category, cluster, x, y
FROM (SELECT *, count(*) OVER (PARTITION BY config) AS prompts FROM prompt_clusters)
QUALIFY config = first(config) OVER (PARTITION BY space, neutral, categories ORDER BY prompts DESC, computed DESC NULLS LAST, config)
ORDER BY space, neutral, categories, category, prompt;

-- What directions say: the strongest phrases of both ends, beside those of random directions, by whose captions (`split`), and by which bridge: where
-- the items of the direction's own space lie, or where the stored `map` of `source` puts the texts of `captions`. `is_first_split`: test items, where they
-- were asked, and all items, a probe's own among them, only where no others were.
CREATE OR REPLACE TEMP VIEW directions_said AS
WITH said AS (
    SELECT config, space, direction, split, captions, map, source, images,
        coalesce(list(phrase ORDER BY correlation DESC) FILTER (correlation > 0), [])[:3] AS head, round(max(correlation), 3) AS head_correlation,
        coalesce(list(phrase ORDER BY correlation) FILTER (correlation < 0), [])[:3] AS foot, round(min(correlation), 3) AS foot_correlation, round(any_value(random), 3) AS random,
        round(any_value(random_p), 4) AS p, max(abs(correlation)) > any_value(random) AS is_explained, any_value(w) AS w, computed
    FROM prompt_explanations WHERE isfinite(correlation)
    GROUP BY config, space, direction, split, captions, map, source, images, computed
    QUALIFY config = first(config) OVER (
        PARTITION BY space, direction, captions, map, split ORDER BY images DESC, computed DESC NULLS LAST, config))
SELECT * EXCLUDE (config, computed), split = first(split) OVER (
    PARTITION BY space, direction, captions, map ORDER BY list_position(['test', 'val', 'all', 'train'], split)) AS is_first_split
FROM said
ORDER BY space, is_explained DESC, p, direction, map NULLS FIRST, split;

FROM bias_agreements;
FROM vote_agreements;
FROM default_agreements;
FROM cluster_scores;
SELECT * EXCLUDE (w) FROM directions_said;
SELECT space, pole_second, pole_first, prompt, bias, low, high, truth, truth_of FROM biases WHERE is_clear;
SELECT space, prompt, describes, descriptor, cosine, low, high, support, random, truth, likeliest FROM taken_for_granted WHERE is_beyond_random;
