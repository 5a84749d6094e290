"""Three tests of normality with unknown mean and variance, each over all columns of a matrix at once."""

from __future__ import annotations

import numpy as np
from scipy import special

from une_ray.geometry.arrays import AnyFloats, Floats

# Rows for which the approximations hold: Anscombe & Glynn 1983 for the kurtosis, Royston 1995 for W.
FEWEST, MOST = 20, 5000

# Stephens 1974, table 1.3: what A² exceeds with the given probability in normal samples, mean and
# variance estimated.
CRITICAL, LEVELS = np.array([0.561, 0.631, 0.752, 0.873, 1.035]), np.array([0.15, 0.10, 0.05, 0.025, 0.01])

# Beasley & Springer 1977, AS 111, highest power first: centre (|p − ½| ≤ .42) and tail of the quantile.
CENTRE = (
    [-25.44106049637, 41.39119773534, -18.61500062529, 2.50662823884],
    [3.13082909833, -21.06224101826, 23.08336743743, -8.47351093090, 1],
)
TAIL = [2.32121276858, 4.85014127135, -2.29796479134, -2.78718931138], [1.63706781897, 3.54388924762, 1]


def anderson_darling(X: AnyFloats) -> tuple[Floats, Floats]:
    """A² and its p (Stephens 1974) of every column of X (n, m).

    As `scipy.stats.anderson(x, method="interpolate")`: between 15 % and 1 % p is interpolated in the
    published critical values; above it stays at .15; below, where SciPy stays at .01, it goes on by
    D'Agostino & Stephens 1986, table 4.9: many tests at once need small p.
    """
    n = len(X)
    X = _floats(X)
    w = np.sort((X - X.mean(0)) / X.std(0, ddof=1), axis=0)
    odd = (2 * np.arange(1, n + 1) - 1) / n
    A2 = -n - odd @ (_log_cdf(w) + _log_cdf(-w[::-1]))
    correction = 1 + 0.75 / n + 2.25 / n**2
    critical = np.around(CRITICAL / correction, 3)
    adjusted = np.minimum(
        A2 * correction, 10
    )  # p = 4e-24 there; further out the table's parabola turns upwards
    tail = np.minimum(np.exp(1.2937 - 5.709 * adjusted + 0.0186 * adjusted**2), LEVELS[-1])
    return A2, np.where(A2 > critical[-1], tail, np.interp(A2, critical, LEVELS))


def dagostino_pearson(X: AnyFloats) -> tuple[Floats, Floats]:
    """K² and its p (D'Agostino & Pearson 1973) of X (n, m) by column, n ≥ 20, as `scipy.stats.normaltest`."""
    n = len(X)
    X = _floats(X)
    centred = X - X.mean(0)
    square = centred * centred
    variance = square.mean(0)
    skewness = _skewness_score((square * centred).mean(0) / variance**1.5, n)
    kurtosis = _kurtosis_score((square * square).mean(0) / variance**2, n)
    K2 = skewness**2 + kurtosis**2
    return K2, np.exp(-K2 / 2)


def shapiro_wilk(X: AnyFloats) -> tuple[Floats, Floats]:
    """W and its p (Royston 1995, AS R94) of X (n, m) by column, 12 ≤ n ≤ 5000, as `scipy.stats.shapiro`."""
    n = len(X)
    y = np.sort(_floats(X), axis=0)
    y -= y.mean(0)
    y /= np.sqrt((y * y).sum(0))
    a = _shapiro_weights(n)
    correlation = a @ y
    rest = (1 - correlation) * (1 + correlation)  # 1 − W without its cancellation
    log_n = np.log(n)
    mean = np.polyval([0.0038915, -0.083751, -0.31082, -1.5861], log_n)
    std = np.exp(np.polyval([0.0030302, -0.082676, -0.4803], log_n))
    return 1 - rest, special.ndtr((mean - np.log(rest)) / std)


TESTS = {
    "anderson_darling": anderson_darling,
    "dagostino_pearson": dagostino_pearson,
    "shapiro_wilk": shapiro_wilk,
}


def _floats(X: AnyFloats) -> Floats:
    return np.asarray(X, np.float64)


def _log_cdf(w: Floats) -> Floats:
    """log Φ(w), in half the time of `special.log_ndtr`, needed only where Φ leaves the range of floats."""
    log = np.log(special.ndtr(w).clip(min=np.finfo(float).tiny))
    far = w < -37
    log[far] = special.log_ndtr(w[far])
    return log


def _skewness_score(skewness: Floats, n: int) -> Floats:
    """√b₁ as a standard normal score: Johnson's S_U curve (D'Agostino 1970)."""
    y = skewness * np.sqrt((n + 1) * (n + 3) / (6 * (n - 2)))
    kurtosis = 3 * (n * n + 27 * n - 70) * (n + 1) * (n + 3) / ((n - 2) * (n + 5) * (n + 7) * (n + 9))
    W2 = np.sqrt(2 * (kurtosis - 1)) - 1
    return np.arcsinh(y / np.sqrt(2 / (W2 - 1))) / np.sqrt(np.log(W2) / 2)


def _kurtosis_score(kurtosis: Floats, n: int) -> Floats:
    """b₂ as a standard normal score: Wilson and Hilferty's cube root (Anscombe & Glynn 1983, eq. 1–5)."""
    mean = 3 * (n - 1) / (n + 1)
    variance = 24 * n * (n - 2) * (n - 3) / ((n + 1) ** 2 * (n + 3) * (n + 5))
    skewness = (
        6
        * (n * n - 5 * n + 2)
        / ((n + 7) * (n + 9))
        * np.sqrt(6 * (n + 3) * (n + 5) / (n * (n - 2) * (n - 3)))
    )
    A = 6 + 8 / skewness * (2 / skewness + np.sqrt(1 + 4 / skewness**2))
    ratio = (1 - 2 / A) / (1 + (kurtosis - mean) / np.sqrt(variance) * np.sqrt(2 / (A - 4)))
    return (1 - 2 / (9 * A) - np.cbrt(ratio)) / np.sqrt(2 / (9 * A))


def _shapiro_weights(n: int) -> Floats:
    """(n,) AS R94's weights of the order statistics, antisymmetric and of unit length."""
    half = _normal_quantile((np.arange(1, n // 2 + 1) - 0.375) / (n + 0.25))
    norm = np.sqrt(2 * (half @ half))
    first = np.polyval([-2.706056, 4.434685, -2.071190, -0.147981, 0.221157, 0], n**-0.5) - half[0] / norm
    second = np.polyval([-3.582633, 5.682633, -1.752461, -0.293762, 0.042981, 0], n**-0.5) - half[1] / norm
    scale = np.sqrt((norm**2 - 2 * half[0] ** 2 - 2 * half[1] ** 2) / (1 - 2 * first**2 - 2 * second**2))
    upper = np.concatenate([[first, second], -half[2:] / scale])
    return np.concatenate([-upper, np.zeros(n % 2), upper[::-1]])


def _normal_quantile(p: AnyFloats) -> Floats:
    """AS R94's own quantile of p < ½ (AS 111, good to 1e-9 or so): the exact one would move W by 2e-9."""
    q, r = p - 0.5, np.sqrt(-np.log(p))
    (top, bottom), (tail_top, tail_bottom) = CENTRE, TAIL
    centre = q * np.polyval(top, q * q) / np.polyval(bottom, q * q)
    return np.where(-q <= 0.42, centre, -np.polyval(tail_top, r) / np.polyval(tail_bottom, r))
