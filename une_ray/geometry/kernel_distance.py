"""Kernel distance of two sets of embeddings: KID (Bińkowski et al. 2018, arXiv 1801.01401).

Unlike Fréchet's, whose covariances need many more rows than dims, it is unbiased for any number of rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats

from une_ray.geometry.arrays import AnyFloats, Floats


class KernelDistance(NamedTuple):
    """The squared maximum mean discrepancy and half its 95 % interval over rows."""

    value: float
    margin: float


def kernel_distance(a: AnyFloats, b: AnyFloats, paired: bool = False) -> KernelDistance:
    """MMD² of rows `a` (n, d) and `b` (m, d) under the kernel (x·y / d + 1)³, 0 on average where both are
    drawn alike.

    `paired` rows, such as pictures and what became of them, are of one draw: a row is then never compared
    with its own partner (Gretton et al. 2012, lemma 6). Negative values are chance. The interval is the
    jackknife's over rows. NaN of fewer than three rows.
    """
    n, m = len(a), len(b)
    if min(n, m) < 3:
        return KernelDistance(np.nan, np.nan)
    aa, bb, ab = (_kernel(x, y) for x, y in ((a, a), (b, b), (a, b)))
    np.fill_diagonal(aa, 0)
    np.fill_diagonal(bb, 0)
    if paired:
        np.fill_diagonal(ab, 0)
        h = aa + bb - ab - ab.T
        left_out = (h.sum() - 2 * h.sum(1)) / ((n - 1) * (n - 2))
        return _jackknife(h.sum() / (n * (n - 1)), [left_out])
    between, of_a, of_b = ab.sum() / (n * m), aa.sum() / (n * (n - 1)), bb.sum() / (m * (m - 1))
    without_a = (aa.sum() - 2 * aa.sum(1)) / ((n - 1) * (n - 2)) + of_b
    without_a -= 2 * (ab.sum() - ab.sum(1)) / ((n - 1) * m)
    without_b = (bb.sum() - 2 * bb.sum(1)) / ((m - 1) * (m - 2)) + of_a
    without_b -= 2 * (ab.sum() - ab.sum(0)) / ((m - 1) * n)
    return _jackknife(of_a + of_b - 2 * between, [without_a, without_b])


def _kernel(a: AnyFloats, b: AnyFloats) -> Floats:
    return (a.astype(np.float64) @ b.astype(np.float64).T / a.shape[1] + 1) ** 3


def _jackknife(value: float, left_out: list[Floats]) -> KernelDistance:
    """Of one sample, or of two that are independent (Efron & Stein 1981)."""
    variance = sum((len(part) - 1) * float(np.var(part)) for part in left_out)
    degrees = min(map(len, left_out)) - 1
    return KernelDistance(float(value), float(stats.t.ppf(0.975, degrees) * np.sqrt(variance)))
