-- How good the probes in `fitted` (queries/fit_probes.sql) are on the images whose split is 'test'; without it, those stored in the lake.
-- Leaves the temporary table `evaluated`: the columns of `fitted` and the figures of metrics_of, named as in `probes`.

CREATE TEMP TABLE IF NOT EXISTS fitted AS
SELECT space, attribute, method, engine, penalty, rank, split_seed, status, error, w, b, slope, "offset", train, train_positive
FROM chosen_probes;

CREATE OR REPLACE TEMP TABLE evaluated AS
WITH tested AS (SELECT * FROM scores_of('fitted') WHERE split = 'test'),
judged AS (
    SELECT *, CASE
        WHEN status <> 'ok' THEN error
        WHEN test IS NULL THEN 'no test row has both a label and a latent, or a test latent is not finite'
        WHEN test_positive IN (0, test) THEN 'constant in test: all ' || test || ' rows are ' || if(test_positive = 0, 'negative', 'positive')
        END AS reason
    FROM fitted LEFT JOIN metrics_of('tested') USING (space, attribute, method)),
counts AS (FROM judged SELECT space, attribute, method, engine, penalty, rank, split_seed, if(reason IS NULL, 'ok', 'refused') AS status,
    reason AS error, train, train_positive, test, test_positive),
figures AS (SELECT space, attribute, method, w, b, slope, "offset", accuracy, balanced_accuracy, auc, average_precision, brier,
    calibration_error, majority FROM judged WHERE reason IS NULL)
FROM counts LEFT JOIN figures USING (space, attribute, method) ORDER BY space, attribute, method;

SELECT space, attribute, method, test, round(accuracy, 3) AS accuracy, round(majority, 3) AS majority, round(balanced_accuracy, 3) AS balanced,
    round(auc, 3) AS auc, round(average_precision, 3) AS average_precision, round(brier, 3) AS brier, round(calibration_error, 3) AS calibration
FROM evaluated ORDER BY space, attribute, method;
