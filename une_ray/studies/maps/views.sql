-- What `une map fit` found, over the draws of anchors: mean and standard deviation of every figure.
-- `any_orthogonal`: every orthogonal matrix would give this figure, so it says nothing of the one that was fitted.
CREATE OR REPLACE VIEW map_figures AS
SELECT source, target, map, centred, anchors, classes_fitted, "of", subset, metric, avg(value) AS value, stddev_samp(value) AS sd,
    count(*) AS draws, any_value(items) AS items, bool_or(any_orthogonal) AS any_orthogonal, split_seed, config
FROM (
    SELECT * REPLACE (if(classes_fitted IS NULL, anchors, (avg(anchors) OVER same_classes)::BIGINT) AS anchors) FROM map_fits
    WINDOW same_classes AS (PARTITION BY config, map, centred, classes_fitted))
GROUP BY ALL;
