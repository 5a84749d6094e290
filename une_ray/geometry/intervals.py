"""Intervals of figures whose draws are not independent, or are few: of splits, of shares, of ratios."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from une_ray.geometry.arrays import AnyFloats, Floats, Integers

LEVEL = 0.95


def split_margin(sd: Floats | float, splits: int, test_per_train: float) -> Floats | float:
    """Half the interval of a mean over splits that share train rows: t · sd · √(1 / splits + test / train)
    (Nadeau & Bengio 2003, eq. 9)."""
    return stats.t.ppf((1 + LEVEL) / 2, splits - 1) * sd * math.sqrt(1 / splits + test_per_train)


def mean_margin(sd: float, draws: int) -> float:
    """Half the interval of a mean of independent draws by Student's t; `sd` has the denominator draws − 1."""
    return float(split_margin(sd, draws, 0.0))


def share_interval(hits: Integers, sizes: Integers) -> tuple[float, float]:
    """Interval of a share over clusters, such as copies among each title's pictures (Korn & Graubard 1998).

    Clopper and Pearson's exact interval (1934) of as many independent draws as the clusters are worth:
    their number where all draws agree, or where there is one draw of each. `hits` and `sizes` (clusters,).
    """
    clusters, draws = len(hits), int(np.sum(sizes))
    share = float(np.sum(hits)) / draws
    shares = np.asarray(hits) / np.asarray(sizes)
    worth = float(clusters)
    if clusters > 1 and 0 < share < 1:
        of_mean = float(np.sum(np.square(np.asarray(sizes) * (shares - share)))) / draws**2 * clusters
        independent = share * (1 - share) * (clusters - 1) / max(of_mean, 1e-12)
        degrees = (stats.norm.ppf((1 + LEVEL) / 2) / student(clusters - 1)) ** 2
        worth = min(max(independent * degrees, 1.0), float(draws))
    return clopper_pearson(share * worth, worth)


def clopper_pearson(hits: float, draws: float) -> tuple[float, float]:
    """The exact interval of a share, also of fractional numbers of hits and draws."""
    tail = (1 - LEVEL) / 2
    low = 0.0 if hits <= 0 else float(stats.beta.ppf(tail, hits, draws - hits + 1))
    high = 1.0 if hits >= draws else float(stats.beta.ppf(1 - tail, hits + 1, draws - hits))
    return low, high


def student(degrees: int) -> float:
    """The point of Student's t that LEVEL of it lies within."""
    return float(stats.t.ppf((1 + LEVEL) / 2, degrees))


def jackknife(statistic: Callable[..., Floats], *samples: AnyFloats) -> tuple[Floats, Floats]:
    """A statistic's values (p,) and their covariance (p, p) over rows, which all `samples` (n, …) share
    (Efron & Tibshirani 1993, eq. 11.5).

    With Student's t it holds from a few rows on, where percentiles of a bootstrap are too narrow.
    """
    n = len(samples[0])
    left_out = np.array([statistic(*(np.delete(rows, i, 0) for rows in samples)) for i in range(n)])
    off = left_out - left_out.mean(0)
    return statistic(*samples), (n - 1) / n * off.T @ off


def jackknife_margin(left_out: Floats) -> Floats:
    """Half the interval of values (…) from those with each of n draws left out, (n, …), by Student's t with
    n − 1 degrees of freedom."""
    n = len(left_out)
    return student(n - 1) * np.sqrt((n - 1) / n * np.square(left_out - left_out.mean(0)).sum(0))


def difference_interval(
    a: Sequence[float], b: Sequence[float], correlation: float = 0.0
) -> tuple[float, float]:
    """Of a − b, from (value, low, high) of either and the `correlation` of their estimates (Zou 2007): as
    lopsided as theirs are."""
    (x, x_low, x_high), (y, y_low, y_high) = a, b

    def reach(one: float, other: float) -> float:
        return np.sqrt(max(one**2 + other**2 - 2 * correlation * one * other, 0.0))

    return float(x - y - reach(x - x_low, y_high - y)), float(x - y + reach(x_high - x, y - y_low))


def fieller(numerator: AnyFloats, denominator: AnyFloats) -> tuple[float, float] | None:
    """Interval of a ratio of two means over the same draws, (n,) both (Fieller 1954); None where the
    denominator is not clearly away from 0, for then no interval is bounded."""
    n = len(numerator)
    a, b = float(np.mean(numerator)), float(np.mean(denominator))
    (aa, ab), (_, bb) = np.cov(numerator, denominator) / n
    return fieller_of(a, b, aa, ab, bb, student(n - 1))


def fieller_of(a: float, b: float, aa: float, ab: float, bb: float, t: float) -> tuple[float, float] | None:
    """The same of a and b with variances aa, bb and covariance ab."""
    g = t**2 * bb / b**2 if b else math.inf
    if g >= 1:
        return None
    ratio = a / b
    variance = aa - 2 * ratio * ab + ratio**2 * bb - (t / b) ** 2 * (aa * bb - ab**2)
    root = t / abs(b) * math.sqrt(max(variance, 0.0))
    middle = ratio - (t / b) ** 2 * ab
    return (middle - root) / (1 - g), (middle + root) / (1 - g)
