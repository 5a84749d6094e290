-- What edits did in the eyes of judges that did not make them, with and without orthogonalisation. `une edit` writes them.

-- Judged scores in long form: `change` is from the same image's round trip (α = 0), in standard deviations of that score over the judge's
-- train images. Edits of before 0.2 did not store these, and are left out.
CREATE OR REPLACE TEMP VIEW edit_changes AS
WITH long AS (
    SELECT * EXCLUDE (scores, z), unnest(map_keys(scores)) AS judged, unnest(map_values(scores)) AS score FROM edits
    WHERE scales IS NOT NULL),
based AS (SELECT *, max(score) FILTER (alpha = 0) OVER (PARTITION BY edit, judge, judged, image_id) AS before FROM long)
SELECT *, (score - before) / nullif(scales[judged], 0) AS change FROM based;

-- Dose and response of the target. A flip counts among the images that were judged to be on the other side before.
CREATE OR REPLACE TEMP VIEW edit_response AS
SELECT space, attribute, direction, keep, inner_product, method, judge, edit, alpha, count(change) AS images, avg(change) AS change,
    avg(((score > 0) = (alpha > 0))::INT) FILTER (alpha <> 0 AND (before > 0) <> (alpha > 0)) AS flips,
    avg(identity) AS identity, avg((status <> 'ok')::INT) AS off_data
FROM edit_changes WHERE judged = attribute GROUP BY ALL;

-- The leakage matrix in long form: what one standard deviation applied does to every judged attribute, in its own standard deviations.
CREATE OR REPLACE TEMP VIEW leakage_matrix AS
SELECT space, attribute, direction, keep, inner_product, method, judge, edit, judged, list_contains(keep, judged) AS is_kept,
    regr_slope(change, alpha) AS slope
FROM edit_changes GROUP BY ALL;

-- One row per edit × judge: effect on the target, leakage as root mean square over the others (which attributes that were moved together,
-- as Smiling+Eyeglasses, are not) of their mean slopes, less what images differ by, the same per unit of effect, and leakage_of_one, over single images as well: steps that differ by image, as
-- random ones do, cancel in leakage, the more the more images there are, and here they do not; both are NULL where there is no other. Identity
-- is at the doses furthest from 0. `efficient` where no other edit of the attribute has more effect, less leakage (where there are others to leak to) and more identity.
CREATE OR REPLACE TEMP VIEW edit_tradeoffs AS
WITH slopes AS (
    SELECT * EXCLUDE (judged, is_kept, slope), avg(slope) FILTER (judged = attribute) AS effect,
        max(abs(slope)) FILTER (is_kept) AS kept_leakage
    FROM leakage_matrix GROUP BY ALL),
furthest AS (
    SELECT edit, judge, avg(identity) AS identity
    FROM (FROM edit_response QUALIFY abs(alpha) = max(abs(alpha)) OVER (PARTITION BY edit, judge)) GROUP BY ALL),
of_images AS (
    SELECT edit, judge, attribute, judged, image_id, regr_slope(change, alpha) AS slope FROM edit_changes
    WHERE judged <> attribute
        AND (attribute IN (SELECT a.attribute FROM attributes a) OR NOT list_contains(string_split(attribute, '+'), judged))
    GROUP BY ALL),
of_one AS (SELECT edit, judge, sqrt(avg(slope ** 2)) AS leakage_of_one FROM of_images GROUP BY ALL),
of_mean AS (
    SELECT edit, judge, avg(slope) ** 2 - coalesce(var_samp(slope), 0) / count(slope) AS square FROM of_images GROUP BY edit, judge, judged),
leaking AS (SELECT edit, judge, sqrt(greatest(avg(square), 0)) AS leakage FROM of_mean GROUP BY ALL),
both_known AS (
    SELECT *, leakage / nullif(abs(effect), 0) AS leakage_per_effect
    FROM slopes JOIN furthest USING (edit, judge) LEFT JOIN leaking USING (edit, judge) LEFT JOIN of_one USING (edit, judge))
SELECT *, NOT EXISTS (
    FROM both_known b WHERE (b.space, b.attribute, b.judge) = (a.space, a.attribute, a.judge)
        AND b.effect >= a.effect AND coalesce(b.leakage <= a.leakage, true) AND b.identity >= a.identity
        AND (b.effect > a.effect OR b.leakage < a.leakage OR b.identity > a.identity)) AS efficient
FROM both_known a;

SELECT space, attribute, judge, direction, keep, alpha, images, round(change, 3) AS change, round(flips, 3) AS flips,
    round(identity, 4) AS identity, round(off_data, 3) AS off_data
FROM edit_response ORDER BY ALL;

-- Side by side with the plain edit: what orthogonalisation took away, attribute by attribute.
SELECT o.space, o.attribute, o.judge, o.keep, o.judged, round(p.slope, 4) AS plain, round(o.slope, 4) AS orthogonalised
FROM leakage_matrix o JOIN leakage_matrix p USING (space, attribute, inner_product, method, judge, judged)
WHERE o.direction = 'orthogonalised' AND p.direction = 'probe' ORDER BY o.space, o.attribute, o.judge, o.keep, abs(p.slope) DESC;

SELECT space, attribute, judge, direction, keep, inner_product, round(effect, 3) AS effect, round(leakage, 4) AS leakage,
    round(leakage_per_effect, 4) AS leakage_per_effect, round(kept_leakage, 4) AS kept_leakage, round(identity, 4) AS identity, efficient
FROM edit_tradeoffs ORDER BY space, attribute, judge, leakage_per_effect;
