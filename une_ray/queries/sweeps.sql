-- What sweeps found: trials, the Pareto front and its knee, and what each setting does on average. `une sweep` writes the rows.
--
-- Objectives are compared among the trials that were judged in full (status 'finished'); `gains` are turned so that more is better.

CREATE OR REPLACE TEMP VIEW finished AS
SELECT *, list_transform(map_entries(objectives), lambda o: CASE goals[o.key] WHEN 'max' THEN o.value ELSE -o.value END) AS gains
FROM sweeps WHERE status = 'finished';

-- Trials that no other of the same sweep is as good as in every objective and better in one. One with an objective that is missing or not finite
-- is on no front and keeps none from it, as in une_ray/studies/sweeps/front.py.
CREATE OR REPLACE TEMP VIEW pareto_front AS
WITH comparable AS (FROM finished WHERE len(list_filter(gains, lambda gain: isfinite(gain))) = len(gains))
SELECT * FROM comparable a WHERE NOT EXISTS (
    FROM comparable b WHERE b.sweep = a.sweep AND b.gains <> a.gains
        AND len(list_filter(list_zip(b.gains, a.gains), lambda pair: pair[1] < pair[2])) = 0);

-- The front with its distance to the ideal point, every objective in its fixed range, so that a trial at the front's end moves no other: 0 is
-- the best, 1 the worst. Those of a sweep that has not one of these two sets of objectives and goals are rescaled to their range on the front.
CREATE OR REPLACE TEMP VIEW compromises AS
WITH ranges(subject, name, goal, worst, best) AS (VALUES
    (1, 'effect', 'max', 0, 2), (1, 'leakage', 'min', .5, 0), (1, 'identity', 'max', 0, 1),
    (2, 'similarity', 'min', 1, 0), (2, 'alignment', 'max', 0, .5), (2, 'distance', 'min', 2.3, 1.6)),
subjects AS (SELECT subject, list(name || ' ' || goal ORDER BY name) AS aims FROM ranges GROUP BY subject),
long AS (
    SELECT sweep, config, unnest(gains) AS gain, unnest(map_keys(objectives)) AS name, unnest(map_values(goals)) = 'max' AS is_max,
        list_sort(list_transform(map_entries(goals), lambda g: g.key || ' ' || g.value)) AS aims
    FROM pareto_front),
ends AS (
    SELECT long.*, coalesce(if(is_max, best, -best), max(gain) OVER o) AS best, coalesce(if(is_max, worst, -worst), min(gain) OVER o) AS worst
    FROM long LEFT JOIN subjects USING (aims) LEFT JOIN ranges USING (subject, name) WINDOW o AS (PARTITION BY sweep, name)),
lost AS (SELECT sweep, config, coalesce((best - gain) / nullif(best - worst, 0), 0) AS lost FROM ends),
distances AS (SELECT sweep, config, sqrt(sum(lost ** 2)) AS distance FROM lost GROUP BY ALL)
SELECT p.* EXCLUDE (gains), distance, row_number() OVER (PARTITION BY sweep ORDER BY distance, promise DESC, config) = 1 AS knee
FROM pareto_front p JOIN distances USING (sweep, config);

-- Mean objectives by setting and value, over the trials that were judged in full and have the objective; numbers with more than six values in thirds of equal count.
CREATE OR REPLACE TEMP VIEW setting_effects AS
WITH long AS (
    SELECT study, title, sweep, config, unnest(map_keys(settings)) AS setting, unnest(map_values(settings)) AS value, objectives FROM finished),
counted AS (
    SELECT *, TRY_CAST(value AS DOUBLE) AS number, count(DISTINCT value) OVER s > 6 AND count(TRY_CAST(value AS DOUBLE)) OVER s = count(*) OVER s AS many
    FROM long WINDOW s AS (PARTITION BY sweep, setting)),
thirds AS (SELECT *, ntile(3) OVER (PARTITION BY sweep, setting, many ORDER BY number) AS third FROM counted),
named AS (
    SELECT *, CASE WHEN many THEN format('{:g} … {:g}', min(number) OVER t, max(number) OVER t) ELSE value END AS shown,
        CASE WHEN many THEN third::DOUBLE ELSE number END AS place
    FROM thirds WINDOW t AS (PARTITION BY sweep, setting, many, third)),
apart AS (SELECT * EXCLUDE (objectives), unnest(map_keys(objectives)) AS objective, unnest(map_values(objectives)) AS figure FROM named)
SELECT study, title, sweep, setting, shown AS value, objective, count(figure) AS trials, avg(figure) AS mean, stddev_samp(figure) / sqrt(count(figure)) AS standard_error,
    min(place) AS place
FROM apart WHERE isfinite(figure) GROUP BY ALL;

SELECT study, title, status, count(*) AS trials, round(sum(seconds), 1) AS seconds, max(budget) AS budget, any_value(unit) AS unit
FROM sweeps GROUP BY ALL ORDER BY ALL;

SELECT study, title, point, settings, map_from_entries(list_transform(map_entries(objectives), lambda o: {'key': o.key, 'value': round(o.value, 3)})) AS objectives,
    round(distance, 3) AS distance, knee
FROM compromises ORDER BY study, title, distance;

SELECT study, title, setting, value, objective, trials, round(mean, 3) AS mean, round(standard_error, 3) AS standard_error
FROM setting_effects ORDER BY study, title, setting, place, value, objective;
