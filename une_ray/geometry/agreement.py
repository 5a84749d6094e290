"""Do two spaces find the same attributes easy, and along the same directions? (paper 1, agreement)"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from une_ray.geometry.arrays import Booleans, Floats

FEWEST = 3  # attributes; a correlation of two points is ±1
ROUNDING = 1e-12  # of figures, which is no variation
FLAT = 1e-14  # of the whole variance, along a direction: that is rounding


@dataclass(frozen=True)
class Correlation:
    """A coefficient with its percentile bootstrap interval; and mean and standard deviation of the same over
    attributes paired at random, with the one-sided p-value. NaN where a side does not vary."""

    value: float
    low: float
    high: float
    p_value: float
    null_mean: float
    null_sd: float


def agreement(
    a: Floats, b: Floats, resamples: int = 10_000, level: float = 0.95, seed: int = 0
) -> dict[str, Correlation]:
    """'pearson' and 'spearman' of two spaces' figures per attribute.

    `a` and `b` are (k,) or (split seeds, k), attributes in one order. The coefficient is that of the means
    over seeds. Each bootstrap draw takes attributes with replacement and, where there are several seeds,
    seeds too. p is the share of pairings of attributes at random that agree as much (the true one counted).
    Attributes of one corpus overlap, so the interval speaks of other draws of such attributes, not of
    independent ones. Raises ValueError for different shapes or fewer than three attributes.
    """
    a, b = np.atleast_2d(a).astype(float), np.atleast_2d(b).astype(float)
    if a.shape != b.shape or a.shape[1] < FEWEST:
        raise ValueError(
            "agreement needs one figure per attribute from both spaces, of three or more; "
            f"got {a.shape} and {b.shape}"
        )
    random = np.random.default_rng(seed)
    drawn = _resample(a, b, resamples, random)
    x, y = a.mean(0), b.mean(0)
    paired = random.permuted(np.tile(y, (resamples, 1)), axis=1)
    correlations = {}
    for name, transform in (("pearson", np.asarray), ("spearman", lambda values: rankdata(values, axis=-1))):
        value = float(rowwise_correlation(transform(x), transform(y)))
        bootstrap = rowwise_correlation(*map(transform, drawn))
        low, high = np.nanquantile(bootstrap, [(1 - level) / 2, (1 + level) / 2])
        chance = rowwise_correlation(transform(x), transform(paired))
        as_high = np.count_nonzero(chance >= value - 1e-12)  # ties in exact arithmetic are ties here
        p_value = (1 + as_high) / (1 + resamples) if np.isfinite(value) else np.nan
        correlations[name] = Correlation(
            value, float(low), float(high), p_value, float(chance.mean()), float(chance.std(ddof=1))
        )
    return correlations


def _resample(a: Floats, b: Floats, resamples: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """(resamples, k) bootstrap draws of both, by the same seeds and attributes."""
    seeds, attributes = a.shape
    # How often each seed is drawn, in units of all draws.
    shares = random.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    picked = random.integers(attributes, size=(resamples, attributes))
    return np.take_along_axis(shares @ a, picked, 1), np.take_along_axis(shares @ b, picked, 1)


def rowwise_correlation(x: Floats, y: Floats) -> Floats:
    """Pearson correlation along the last axis, broadcasting; NaN where one side does not vary."""
    (x, varies), (y, also) = _centred(x), _centred(y)
    lengths = np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return np.divide(
        (x * y).sum(-1), lengths, out=np.full(lengths.shape, np.nan), where=varies & also & (lengths > 0)
    )


def _centred(x: Floats) -> tuple[Floats, Booleans]:
    """Less the mean along the last axis, and where that leaves more than rounding."""
    centred = x - x.mean(-1, keepdims=True)
    return centred, np.abs(centred).max(-1) > ROUNDING * np.abs(x).max(-1)


def direction_agreement(source: Floats, pulled_back: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """(cosines, score correlations), each (k,), of probes with another space's, pulled back.

    `source` (d, k) are the source's own probes, `pulled_back` (d, k) the target's. A probe is a functional,
    so it travels against the map: z ↦ (zW)·w_target is the source's direction W·w_target. (The transpose,
    w_source·W, would carry a displacement, as an edit is.) The plain cosine depends on the axes: where the
    space hardly varies a direction may turn at no cost to any score, so two equally good probes may be
    orthogonal. In the inner product of the covariance (d, d) it is the correlation of the two scores over
    images, which no change of axes alters: that is the figure to read, the cosine stands beside it.
    """
    return cosines(source, pulled_back), cosines(source, pulled_back, covariance)


def cosines(a: Floats, b: Floats, metric: Floats | None = None) -> Floats:
    """Cosine (k,) of each column of `a` (d, k) with that of `b` in the inner product `metric` (d, d).

    NaN where either column has no length but for rounding.
    """
    (measured, square), (_, own) = _measured(b, metric), _measured(a, metric)
    lengths = np.sqrt(square * own)
    return np.divide((a * measured).sum(0), lengths, out=np.full(lengths.shape, np.nan), where=lengths > 0)


def _measured(x: Floats, metric: Floats | None) -> tuple[Floats, Floats]:
    """Columns (d, k) times the metric, and their squared lengths (k,) in it, 0 where they are rounding."""
    if metric is None:
        return x, np.square(x).sum(0)
    image = metric @ x
    square = (x * image).sum(0)
    return image, np.where(square > FLAT * np.trace(metric) * np.square(x).sum(0), square, 0.0)
