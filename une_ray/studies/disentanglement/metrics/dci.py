"""Disentanglement, completeness and informativeness. Eastwood and Williams: A Framework for the Quantitative
Evaluation of Disentangled Representations, ICLR 2018, section 2.

Gradient-boosted trees predict each factor from all codes; how important each code was to them, R (d, f), says
whether a code serves one factor (D) and a factor needs one code (C). The booster is scikit-learn's with its
defaults: others shift the scores.
"""

from __future__ import annotations

import numpy as np

from une_ray.studies.disentanglement.metrics.sample import Rows, sample

TREES, FAST_TREES = 100, 10
TINY = 1e-11  # keeps a dead code's importances from dividing by zero: it counts as serving all factors alike


def dci(codes: np.ndarray, factors: np.ndarray, *, seed: int = 0, fast: bool = False) -> dict[str, float]:
    """`dci_disentanglement`, `dci_completeness`, and `dci_informativeness`, the accuracy on test rows."""
    rows = sample(codes, factors, seed, fast)
    importance, accuracy = importances(rows.train, rows.test, FAST_TREES if fast else TREES, seed)
    return {
        "dci_disentanglement": disentanglement(importance),
        "dci_completeness": disentanglement(importance.T),
        "dci_informativeness": accuracy,
    }


def importances(train: Rows, test: Rows, trees: int, seed: int) -> tuple[np.ndarray, float]:
    """R (d, f), each column a factor's, and the mean accuracy on test rows."""
    from sklearn.ensemble import GradientBoostingClassifier

    columns, accuracies = [], []
    for factor, truth in zip(train.factors.T, test.factors.T):
        if len(np.unique(factor)) < 2:  # of a rare value the train rows may have none
            columns.append(np.zeros(train.codes.shape[1]))
            accuracies.append(np.mean(truth == factor[0]))
            continue
        model = GradientBoostingClassifier(n_estimators=trees, random_state=seed).fit(train.codes, factor)
        columns.append(np.abs(model.feature_importances_))
        accuracies.append(np.mean(model.predict(test.codes) == truth))
    return np.stack(columns, axis=1), float(np.mean(accuracies))


def disentanglement(importance: np.ndarray) -> float:
    """Σᵢ ρᵢ (1 − H(Rᵢ)): entropy of each row of R (d, f) to the base of its length, weighted by the row's
    share of all. Of the transposed matrix it is completeness."""
    if importance.shape[1] < 2:
        return 1.0  # of one thing, a row can serve no other
    shares = (importance + TINY) / (importance + TINY).sum(1, keepdims=True)
    per_row = 1 + (shares * np.log(shares)).sum(1) / np.log(importance.shape[1])
    total = importance.sum()
    weights = importance.sum(1) / total if total > 0 else np.full(len(importance), 1 / len(importance))
    return float((per_row * weights).sum())


METRIC = dci
