"""Whether two of several means differ, where all pairs may be looked at: Games and Howell 1976, J. Educ.
Stat. 1, 113."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from une_ray.geometry.arrays import Floats


def games_howell(first: Floats, second: Floats, means: int) -> float:
    """p-value that two of `means` samples have the same mean: Welch's t against the studentized range, so
    that picking the best of several is accounted for. Samples are of two or more; their variances may
    differ. Two samples without variance differ for certain where their values do."""
    shares = [np.var(sample, ddof=1) / len(sample) for sample in (first, second)]
    gap, variance = abs(float(np.mean(first) - np.mean(second))), sum(shares)
    if variance == 0:
        return 1.0 if gap == 0 else 0.0
    degrees = variance**2 / sum(
        share**2 / (len(sample) - 1) for share, sample in zip(shares, (first, second))
    )
    return float(stats.studentized_range.sf(math.sqrt(2 / variance) * gap, means, degrees))
