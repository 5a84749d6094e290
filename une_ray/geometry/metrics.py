"""What a probe is worth on rows it has not seen, for all attributes at once.

Scores and labels are (n, k): a column per attribute, positive above zero. Labels are 0, 1 or NaN where
unknown, and unknown rows count for nothing. A figure that the rows don't determine, such as the AUC of rows
that are all positive, is NaN.
"""

from __future__ import annotations

import numpy as np

from une_ray.geometry.arrays import Floats, Integers

BINS = 10


def measure(scores: Floats, labels: Floats, slope: Floats, offset: Floats) -> dict[str, Floats]:
    """Every metric by name, each (k,); probabilities are σ(slope · score + offset)."""
    labels = np.asarray(labels, dtype=np.float64)
    p = 0.5 + 0.5 * np.tanh((slope * scores + offset) / 2)
    return {
        "accuracy": accuracy(scores, labels),
        "balanced_accuracy": balanced_accuracy(scores, labels),
        "auc": auc(scores, labels),
        "average_precision": average_precision(scores, labels),
        "brier": _mean(np.square(p - labels)),
        "calibration_error": calibration_error(p, labels),
        "majority": majority(labels),
    }


def accuracy(scores: Floats, labels: Floats) -> Floats:
    """Share of rows on their own side of zero."""
    return _mean(np.where(np.isnan(labels), np.nan, (scores > 0) == (labels == 1)))


def balanced_accuracy(scores: Floats, labels: Floats) -> Floats:
    """Mean of the accuracies among positives and among negatives."""
    negative, positive = (
        _ratio(((labels == side) & ((scores > 0) == side)).sum(0), (labels == side).sum(0)) for side in (0, 1)
    )
    return (negative + positive) / 2


def majority(labels: Floats) -> Floats:
    """Accuracy of always answering with the commoner class of these rows."""
    share = _mean(labels)
    return np.maximum(share, 1 - share)


def auc(scores: Floats, labels: Floats) -> Floats:
    """Area under the ROC curve, exact.

    Mann and Whitney's U by mid-ranks, a tie counting half. NaN if a class is absent.
    """
    scores, labels = _ranked(scores, labels)
    first, last = _ties(scores)
    positives, negatives = (labels == 1).sum(1), (labels == 0).sum(1)
    ranks = ((first + last) / 2 + 1) * (labels == 1)
    return _ratio(ranks.sum(1) - positives * (positives + 1) / 2, positives * negatives)


def average_precision(scores: Floats, labels: Floats) -> Floats:
    """Σ (R_n − R_{n−1}) P_n over the distinct scores, highest first. NaN without positives."""
    negated, labels = _ranked(-scores, labels)
    last = _ties(negated)[1]
    positive = labels == 1
    precision = np.take_along_axis(positive.cumsum(1), last, 1) / (last + 1)
    return _ratio((precision * positive).sum(1), positive.sum(1))


def calibration_error(p: Floats, labels: Floats) -> Floats:
    """Expected calibration error (Naeini et al. 2015).

    Σ over equal-width bins of |Σ (p − label)|, over the rows.
    """
    known = ~np.isnan(labels)
    bins = np.minimum((p * BINS).astype(int), BINS - 1) + BINS * np.arange(p.shape[1])
    gaps = np.bincount(bins[known], weights=(p - labels)[known], minlength=BINS * p.shape[1])
    return _ratio(np.abs(gaps).reshape(-1, BINS).sum(1), known.sum(0))


def _ranked(scores: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """(k, n) both, in ascending order of score; rows without a label go last and touch no other's rank."""
    scores, labels = np.where(np.isnan(labels), np.inf, scores).T, labels.T
    order = np.argsort(scores, axis=1, kind="stable")
    return np.take_along_axis(scores, order, 1), np.take_along_axis(labels, order, 1)


def _ties(ordered: Floats) -> tuple[Integers, Integers]:
    """Where the run of equal scores that each of (k, n) belongs to begins and ends."""
    at = np.arange(ordered.shape[1])
    new = np.ones(ordered.shape, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    first = np.maximum.accumulate(np.where(new, at, 0), axis=1)
    end = np.concatenate([new[:, 1:], np.ones((len(new), 1), dtype=bool)], axis=1)
    last = np.minimum.accumulate(np.where(end, at, at[-1])[:, ::-1], axis=1)[:, ::-1]
    return first, last


def _mean(values: Floats) -> Floats:
    known = ~np.isnan(values)
    columns = np.ascontiguousarray(np.where(known, values, 0).T)  # whose sums don't depend on their number
    return _ratio(columns.sum(1), known.sum(0))


def _ratio(numerator: Floats | Integers, denominator: Floats | Integers) -> Floats:
    ratio = np.full(np.shape(denominator), np.nan)
    return np.divide(numerator, denominator, out=ratio, where=np.asarray(denominator) > 0)
