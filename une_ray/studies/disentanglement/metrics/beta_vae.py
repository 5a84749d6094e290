"""The β-VAE metric. Higgins et al.: β-VAE: Learning Basic Visual Concepts with a Constrained Variational
Framework, ICLR 2017, section 3.

Pairs share the value of one factor; from the mean absolute difference of 64 such pairs' codes a linear
classifier tells which. Pairs are drawn out of the sample.
"""

from __future__ import annotations

import warnings

import numpy as np

from une_ray.studies.disentanglement.metrics.sample import Partners, sample

BATCH = 64
AT_A_TIME = 256  # batches


def beta_vae(
    codes: np.ndarray, factors: np.ndarray, *, seed: int = 0, fast: bool = False
) -> dict[str, float]:
    """`beta_vae`: how often the classifier is right on fresh batches."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    rows = sample(codes, factors, seed, fast)
    whole = rows.whole
    if whole.factors.shape[1] < 2:
        return {"beta_vae": 1.0}  # there is nothing else to take it for
    partners = Partners(whole.factors)
    (train, named), (test, truth) = (
        differences(whole.codes, partners, batches, rows.random) for batches in rows.batches
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the library's default number of steps
        model = LogisticRegression().fit(train, named)
    return {"beta_vae": float(np.mean(model.predict(test) == truth))}


def differences(
    codes: np.ndarray, partners: Partners, batches: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(batches, d): mean absolute differences of pairs of codes, and (batches,): the factor that they
    share."""
    held = np.sort(random.integers(partners.factors.shape[1], size=batches))
    means = np.empty((batches, codes.shape[1]))
    for factor in np.unique(held):
        for places in np.array_split(*_parts(np.nonzero(held == factor)[0])):
            first = random.integers(len(codes), size=(len(places), BATCH))
            second = partners.draw(first, int(factor), random)
            means[places] = np.abs(codes[first] - codes[second]).mean(1)
    return means, held


def _parts(places: np.ndarray) -> tuple[np.ndarray, int]:
    return places, -(-len(places) // AT_A_TIME)


METRIC = beta_vae
