"""Which of several means differ, where all pairs are looked at: Welch 1947, Biometrika 34, 28, and Holm 1979,
Scand. J. Stat. 6, 65."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import stats

from une_ray.geometry.arrays import Floats


def welch_holm(samples: Sequence[Floats]) -> dict[tuple[int, int], float]:
    """(i, j), i < j → p-value that samples i and j have the same mean: Welch's t of each pair, whose
    variances may differ, adjusted by Holm's step-down over all pairs. Pairs below .05 are told apart with a
    chance of 5 % that any of them is wrong. Samples are of two values or more.

    Of seven samples of three, Welch's own error included, that chance is .02 where spreads are equal and .05
    at most where they differ a hundredfold; of two samples of three it reaches .06. Games and Howell's test
    has .07 to .12 there, as the studentized range is no bound with so few degrees of freedom.
    """
    pairs = list(itertools.combinations(range(len(samples)), 2))
    adjusted = holm([_welch(samples[i], samples[j]) for i, j in pairs])
    return dict(zip(pairs, adjusted))


def holm(pvalues: Sequence[float]) -> list[float]:
    """Adjusted p-values: below α for what Holm's step-down rejects at a familywise error of α."""
    order = np.argsort(pvalues, kind="stable")
    stepped = np.asarray(pvalues, float)[order] * np.arange(len(pvalues), 0, -1)
    adjusted = np.empty(len(pvalues))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1)
    return adjusted.tolist()


def _welch(first: Floats, second: Floats) -> float:
    """Two samples without variance differ for certain where their values do."""
    means, deviations = zip(*(_mean_and_deviation(np.asarray(sample)) for sample in (first, second)))
    if not any(deviations):
        return float(means[0] == means[1])
    found = stats.ttest_ind_from_stats(
        means[0], deviations[0], len(first), means[1], deviations[1], len(second), equal_var=False
    )
    return float(found.pvalue)


def _mean_and_deviation(sample: Floats) -> tuple[float, float]:
    if np.ptp(sample) == 0:  # whose standard deviation is that of rounding
        return float(sample[0]), 0.0
    return float(sample.mean()), float(sample.std(ddof=1))
