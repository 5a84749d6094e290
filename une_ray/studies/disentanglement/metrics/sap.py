"""Separated attribute predictability. Kumar, Sattigeri, Balakrishnan: Variational Inference of Disentangled
Latent Concepts from Unlabeled Observations, arXiv 1711.00848, section 3.

How much better the best code of a factor predicts it, alone and by a linear classifier, than the second best.
It is small by nature: on one code, a linear classifier can't tell a value in the middle from both its
neighbours. InfoGAN-CR's SAP (about .5) is another metric.
"""

from __future__ import annotations

import warnings

import numpy as np

from une_ray.studies.disentanglement.metrics.sample import Rows, sample, top_two

PENALTY = 0.01  # LinearSVC's C


def sap(codes: np.ndarray, factors: np.ndarray, *, seed: int = 0, fast: bool = False) -> dict[str, float]:
    """`sap`: mean over factors of the test accuracy of the best code less that of the second."""
    rows = sample(codes, factors, seed, fast)
    return {"sap": float(np.mean(top_two(accuracies(rows.train, rows.test, seed))))}


def accuracies(train: Rows, test: Rows, seed: int) -> np.ndarray:
    """(d, f): on test rows, of a balanced linear support vector machine on one code each."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    scores = np.zeros((train.codes.shape[1], train.factors.shape[1]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # codes of large scale; the library keeps silent
        for column, (factor, truth) in enumerate(zip(train.factors.T, test.factors.T)):
            for code in range(len(scores)):
                if len(np.unique(factor)) < 2:
                    scores[code, column] = np.mean(truth == factor[0])
                    continue
                machine = LinearSVC(C=PENALTY, class_weight="balanced", random_state=seed)
                machine.fit(train.codes[:, [code]], factor)
                scores[code, column] = np.mean(machine.predict(test.codes[:, [code]]) == truth)
    return scores


METRIC = sap
