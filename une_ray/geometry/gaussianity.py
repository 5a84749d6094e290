"""Is a space Gaussian? Families of tests, from paper 1's weak one to those of norms and neighbours.

Projections on random directions are near normal for almost any data of many dimensions (Diaconis & Freedman
1984): at 4,096 dimensions independent ±1 pass as well as Gaussian noise. Coordinates and principal
components average over nothing; the norm sees the scale; lags see what neighbouring pixels share.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import special, stats

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Floats, Integers
from une_ray.geometry.components.exact import component_scores
from une_ray.geometry.normality import FEWEST, MOST, TESTS

LEVEL = 0.05
LAGS = (0, 1), (1, 0), (1, 1)
SIMULATED = 1999  # p = .05 is known to ± .005
# Anderson–Darling accepts 15.8 % of directions, the paper's control 15.88 %; held there by
# tests/geometry/test_gaussianity.py.
SHIFT = 5.0


@dataclass(frozen=True)
class Finding:
    """What one test says of all units of one kind.

    `rows` values go into each of the `tests`. No test, no numbers. `components` is how many a norm is of.
    """

    unit: str
    test: str
    tests: int
    rows: int
    statistic: float | None  # median
    accepted: float | None  # share with p > .05
    rejected_fdr: float | None  # share that Benjamini & Hochberg 1995 reject, at 5 % false discoveries
    smallest_p: float | None
    components: int | None = None


def families(
    z: AnyFloats,
    shape: tuple[int, ...] | None = None,
    directions: int = 5000,
    rows: int = 250,
    seed: int = 0,
) -> list[Finding]:
    """All families over the latents z (n, d) float32.

    `shape` (c, h, w) marks maps, which are held to N(0, I) itself. Every direction, coordinate and
    component is tested on `rows` fresh random rows (all, if there are fewer), so that their acceptance can
    be compared. Raises UneError for rows outside 20 to 5,000, latents that are not finite or all equal.
    """
    _check(z, rows)
    rng = np.random.default_rng(seed)
    components = component_scores(z)
    findings = [
        *normality("direction", z @ random_directions(z.shape[1], directions, rng), rows, rng),
        *normality("coordinate", z, rows, rng),
        *normality("component", components, rows, rng),
        mahalanobis(components),
    ]
    if shape is not None:
        findings += [*norm(z), *autocorrelation(z.reshape(-1, *shape))]
    return findings


def normality(unit: str, X: AnyFloats, rows: int, rng: np.random.Generator) -> list[Finding]:
    """Three tests of every column of X (n, m), each on fresh random rows.

    Columns that are constant there are left out.
    """
    n, m = X.shape
    rows = min(rows, n)
    drawn = np.take_along_axis(X, random_rows(n, rows, m, rng), axis=0)
    drawn = drawn[:, np.ptp(drawn, axis=0) > 0]
    return [_summary(unit, name, rows, *test(drawn)) for name, test in TESTS.items()]


def mahalanobis(components: Floats) -> Finding:
    """Norms of standardised principal components against their law, for any mean and covariance.

    Σ_k u_ik² · n/(n−1) over K left singular vectors u of n centred Gaussian rows is Beta(K/2, (n−1−K)/2),
    whatever their covariance and however few (Gnanadesikan & Kettenring 1972, for K = d). K is at most half
    of n: all n − 1 of them have equal norms. As the mean and covariance are the rows' own, Kolmogorov and
    Smirnov's statistic is held against simulated ones and not their law (Lilliefors 1967): see
    `whitened_statistics`. Beyond all of these p is that law's, which is too large.
    """
    n = len(components)
    K = min(components.shape[1], (n - 1) // 2)
    law = stats.beta(K / 2, (n - 1 - K) / 2)
    statistic, bound = stats.kstest((components[:, :K] ** 2).sum(1) * n / (n - 1), law.cdf)
    above = SIMULATED - np.searchsorted(whitened_statistics(n, K), statistic)
    p = min((1 + above) / (1 + SIMULATED), bound)
    found = _summary("mahalanobis", "kolmogorov_smirnov", n, np.array([statistic]), np.array([p]))
    return replace(found, components=K)


@functools.cache
def whitened_statistics(n: int, K: int) -> Floats:
    """(SIMULATED,) Kolmogorov and Smirnov's statistics of whitened norms of n Gaussian rows, rising.

    What whitening does to the norms is that it fixes their mean: of the estimated parameters a law of norms
    feels the common scale alone (Durbin 1973). So draws are independent Beta numbers, brought to that mean,
    where rows would take n·K² operations; tests/geometry/test_gaussianity.py compares both.
    """
    a, b = K / 2, (n - 1 - K) / 2
    squares = np.random.default_rng([n, K]).beta(a, b, (SIMULATED, n))
    squares *= a / (a + b) / squares.mean(1, keepdims=True)
    levels = np.linspace(0, 1, 2049)
    below = np.sort(np.interp(squares, special.betaincinv(a, b, levels), levels), axis=1)
    steps = np.arange(n + 1) / n
    return np.sort(np.maximum((below - steps[:-1]).max(1), (steps[1:] - below).max(1)))


def norm(z: AnyFloats) -> list[Finding]:
    """‖z‖² of z (n, d) against χ²_d, and its mean.

    The distribution by Kolmogorov–Smirnov; mean ‖z‖²/d, which is N(1, 2/nd).
    """
    n, d = z.shape
    squares = np.einsum("nd,nd->n", z, z, dtype=np.float64)
    ratio = squares.mean(keepdims=True) / d
    score = (ratio - 1) * np.sqrt(n * d / 2)
    return [
        _kolmogorov_smirnov("norm", squares, stats.chi2(d).cdf),
        _summary("norm", "mean_square", n, ratio, _two_sided(score)),
    ]


def autocorrelation(maps: AnyFloats, lags: tuple[tuple[int, int], ...] = LAGS) -> list[Finding]:
    """Per map of (n, c, h, w), the correlation of pixels that are `lags` apart.

    In standard deviations of white noise of mean 0: √(d(d+2)/P) · Σ x_i x_j / ‖x‖² over the P pairs inside
    the map has mean 0 and variance 1 exactly for x ~ N(0, σ²I), d = c·h·w; it is near normal where P is in
    the hundreds.
    """
    maps = maps[maps.any((1, 2, 3))]
    _, c, h, w = maps.shape
    d = c * h * w
    squares = np.einsum("nchw,nchw->n", maps, maps, dtype=np.float64)
    findings = []
    for down, right in lags:
        pairs = c * max(h - down, 0) * max(w - right, 0)
        if pairs:
            products = np.einsum(
                "nchw,nchw->n", maps[..., down:, right:], maps[..., : h - down, : w - right], dtype=np.float64
            )
            score = np.sqrt(d * (d + 2) / pairs) * products / squares
            findings.append(
                _summary("map", f"autocorrelation_{down}_{right}", pairs, score, _two_sided(score))
            )
    return findings


def random_directions(d: int, m: int, rng: np.random.Generator) -> AnyFloats:
    """(d, m) float32: m columns, uniform on the unit sphere."""
    directions = rng.standard_normal((d, m), np.float32)
    return directions / np.linalg.norm(directions, axis=0)


def random_rows(n: int, rows: int, m: int, rng: np.random.Generator) -> Integers:
    """(rows, m): per column `rows` different numbers below n, all sets as likely (Bentley & Floyd 1987)."""
    sample = np.empty((rows, m), np.int32)
    for i, last in enumerate(range(n - rows, n)):
        drawn = rng.integers(0, last + 1, m, np.int32)
        taken = (sample[:i] == drawn).any(0)
        sample[i] = np.where(taken, last, drawn)
    return sample


def normal(n: int, d: int, seed: int) -> AnyFloats:
    """(n, d) float32 from N(0, I): what must be accepted."""
    return _stream(seed).standard_normal((n, d), np.float32)


def bimodal(n: int, d: int, seed: int) -> AnyFloats:
    """(n, d) float32, half from N(s, I) and half from N(−s, I): what must be rejected.

    s is one draw from N(0, SHIFT²·I). Its norm grows as √d, so that a direction sees two modes
    2·SHIFT·|N(0, 1)| apart whatever d is; only directions nearly orthogonal to s take the mixture for
    normal.
    """
    rng = _stream(seed)
    side = rng.choice(np.array([-1, 1], np.float32), (n, 1))
    return rng.standard_normal((n, d), np.float32) + side * (SHIFT * rng.standard_normal(d, np.float32))


CONTROLS: dict[str, Callable[[int, int, int], AnyFloats]] = {"normal": normal, "bimodal": bimodal}


def _stream(seed: int) -> np.random.Generator:
    """Not `families`' generator of that seed: the first rows would be the first directions."""
    return np.random.default_rng([seed, 1])


def _check(z: AnyFloats, rows: int) -> None:
    if not FEWEST <= min(len(z), rows) <= MOST:
        raise UneError(
            f"{min(len(z), rows):,} rows per test; the tests of normality hold for {FEWEST} to {MOST:,}"
        )
    finite = np.isfinite(z).all(1)
    if not finite.all():
        raise UneError(f"the latent in row {int(np.argmin(finite))} is not finite; leave it out")
    if (z == z[0]).all():
        raise UneError(f"all {len(z)} latents are equal; there is nothing to test")


def _kolmogorov_smirnov(unit: str, values: Floats, cdf: Callable[[Floats], Floats]) -> Finding:
    statistic, p = stats.kstest(values, cdf)
    return _summary(unit, "kolmogorov_smirnov", len(values), np.array([statistic]), np.array([p]))


def _two_sided(score: Floats) -> AnyFloats:
    return special.erfc(np.abs(score) / np.sqrt(2))


def _summary(unit: str, test: str, rows: int, statistic: AnyFloats, p: AnyFloats) -> Finding:
    if not len(p):
        return Finding(unit, test, 0, rows, None, None, None, None)
    rejected = stats.false_discovery_control(p) <= LEVEL
    return Finding(
        unit,
        test,
        len(p),
        rows,
        float(np.median(statistic)),
        float((p > LEVEL).mean()),
        float(rejected.mean()),
        float(p.min()),
    )
