"""Oracle: scikit-learn, a column at a time, with ties and unknown labels."""

import numpy as np
import pytest
from sklearn import metrics as sk

from une_ray.geometry.metrics import auc, calibration_error, measure

RNG = np.random.default_rng(0)
N, K = 400, 7
SCORES = np.round(RNG.normal(size=(N, K)) * np.linspace(1, 8, K))  # ties, from nearly everywhere to few
LABELS = (SCORES + 4 * RNG.normal(size=(N, K)) > np.linspace(-3, 3, K)).astype(float)
LABELS[RNG.random((N, K)) < 0.1] = np.nan
SLOPE, OFFSET = np.linspace(0.2, 2, K), np.linspace(-1, 1, K)
MEASURED = measure(SCORES, LABELS, SLOPE, OFFSET)


@pytest.mark.parametrize("column", range(K))
def test_every_metric_is_scikit_learns_on_the_labelled_rows(column):
    known = ~np.isnan(LABELS[:, column])
    s, y = SCORES[known, column], LABELS[known, column]
    p = 1 / (1 + np.exp(-(SLOPE[column] * s + OFFSET[column])))
    expected = {
        "accuracy": sk.accuracy_score(y, s > 0),
        "balanced_accuracy": sk.balanced_accuracy_score(y, s > 0),
        "auc": sk.roc_auc_score(y, s),
        "average_precision": sk.average_precision_score(y, s),
        "brier": sk.brier_score_loss(y, p),
        "majority": max(y.mean(), 1 - y.mean()),
    }
    for name, value in expected.items():
        assert MEASURED[name][column] == pytest.approx(value, abs=1e-12), name


def test_calibration_error_is_the_bins_weighted_gap():
    for column in range(K):
        known = ~np.isnan(LABELS[:, column])
        p, y = (
            1 / (1 + np.exp(-(SLOPE[column] * SCORES[known, column] + OFFSET[column]))),
            LABELS[known, column],
        )
        bins = np.clip(np.digitize(p, np.linspace(0, 1, 11)) - 1, 0, 9)
        gaps = [
            (bins == i).mean() * abs(p[bins == i].mean() - y[bins == i].mean())
            for i in range(10)
            if (bins == i).any()
        ]
        assert MEASURED["calibration_error"][column] == pytest.approx(sum(gaps), abs=1e-12)


def test_probabilities_that_are_true_have_no_calibration_error():
    p = np.repeat([0.25, 0.75], 1000)[:, None]
    y = np.tile([1.0, 0, 0, 0], 250), np.tile([1.0, 1, 1, 0], 250)
    assert calibration_error(p, np.concatenate(y)[:, None])[0] == 0


def test_a_single_class_has_no_auc_and_no_rows_have_no_metric():
    labels = np.column_stack([np.ones(5), np.zeros(5), np.full(5, np.nan)])
    metrics = measure(np.ones((5, 3)), labels, np.ones(3), np.zeros(3))
    assert np.isnan(metrics["auc"]).all() and np.isnan(metrics["balanced_accuracy"]).all()
    assert np.isnan(metrics["average_precision"][1:]).all()
    assert metrics["accuracy"][:2].tolist() == [1, 0] and np.isnan(metrics["accuracy"][2])


def test_thousands_of_columns_go_through_at_once():
    scores, labels = RNG.normal(size=(200, 3000)), RNG.random((200, 3000)) < 0.3
    areas = auc(scores, labels.astype(float))
    assert areas[1234] == pytest.approx(sk.roc_auc_score(labels[:, 1234], scores[:, 1234]), abs=1e-12)
