"""Explicitness. Ridgeway and Mozer: Learning Deep Disentangled Embeddings with the F-Statistic Loss, arXiv
1802.05312, section 3.

Whether the factors' values can be read off all codes together by a linear classifier.
"""

from __future__ import annotations

import warnings

import numpy as np

from une_ray.studies.disentanglement.metrics.sample import Rows, sample


def explicitness(
    codes: np.ndarray, factors: np.ndarray, *, seed: int = 0, fast: bool = False
) -> dict[str, float]:
    """`explicitness`: mean over factors, and over their values, of the area under the curve (one value
    against the rest) on test rows; .5 is chance."""
    rows = sample(codes, factors, seed, fast)
    mean, deviation = rows.train.codes.mean(0), rows.train.codes.std(0)
    scale = np.where(deviation > 0, deviation, 1)  # a dead code stays, as a column of zeros
    train, test = ((part.codes - mean) / scale for part in (rows.train, rows.test))
    return {"explicitness": float(np.mean(areas(train, test, rows.train, rows.test)))}


def areas(train: np.ndarray, test: np.ndarray, fitted: Rows, held_out: Rows) -> list[float]:
    """One mean area a factor, over the values that some rows of both parts have; none where one value is all
    that a part has."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    scores = []
    for factor, truth in zip(fitted.factors.T, held_out.factors.T):
        if len(np.unique(factor)) < 2 or len(np.unique(truth)) < 2 or not np.isin(truth, factor).any():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression().fit(train, factor)
        of_value = zip(model.classes_, model.predict_proba(test).T)
        scores += [
            np.mean([roc_auc_score(truth == value, p) for value, p in of_value if (truth == value).any()])
        ]
    return scores or [0.5]


METRIC = explicitness
