"""What edits did, from scores of a judge that did not make them: dose–response, leakage, identity, with
intervals over images.

Shapes: n images, k attributes, m doses α in ascending order. Scores are (n, k) before and (n, k, m) after;
a score above 0 means that the judge sees the attribute. Quality is
`une_ray.geometry.kernel_distance` on a judge's embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry import intervals
from une_ray.geometry.intervals import difference_interval, fieller_of, jackknife, student


def changes(before: np.ndarray, after: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """(n, k, m) change of every judged score, in its standard deviations `spread` (k,) over the judge's train
    images: over the few images that were edited they would be another unit in every edit.

    Its mean over images is the leakage matrix, with the target's own dose–response in the target's row.
    Raises UneError where a score is the same for all train images."""
    constant = np.flatnonzero(spread == 0)
    if constant.size:
        raise UneError(
            f"judged scores at positions {constant.tolist()} are the same for all train images; "
            "leave these out"
        )
    return (after - before[:, :, None]) / spread[:, None]


def flip_rate(before: np.ndarray, after: np.ndarray, alphas: Sequence[float] | np.ndarray) -> np.ndarray:
    """(m,) share of the images that a dose could flip and did: judged on the other side before, on α's side
    after.

    `before` (n,) and `after` (n, m) are the target's scores. NaN at α = 0, and where all images are on α's
    side already."""
    could = _could_flip(before, alphas)
    did = could & (np.where(after > 0, 1, -1) == np.sign(alphas))
    return np.where(could.any(0), did.sum(0) / np.maximum(could.sum(0), 1), np.nan)


def flippable(before: np.ndarray, alphas: Sequence[float] | np.ndarray) -> np.ndarray:
    """(m,) how many images a dose could flip: what `flip_rate` is a share of."""
    return _could_flip(before, alphas).sum(0)


def _could_flip(before: np.ndarray, alphas: Sequence[float] | np.ndarray) -> np.ndarray:
    sides = np.sign(alphas)
    return (np.where(before > 0, 1, -1)[:, None] != sides) & (sides != 0)


def slopes(changed: np.ndarray, alphas: Sequence[float] | np.ndarray) -> np.ndarray:
    """(n, k) least-squares slope of every image's `changes` over α, through their mean: standard deviations
    judged per one applied."""
    centred = np.asarray(alphas, float) - np.mean(alphas)
    if not centred.any():
        raise UneError(f"doses {list(alphas)} are all the same; a slope needs two different ones")
    return changed @ centred / (centred @ centred)


def leakage(slope: np.ndarray, target: int | Sequence[int]) -> float:
    """Root mean square over the other attributes than the target, or the targets, of their mean slope: what
    an edit of one standard deviation does to what it should leave. Of (n, k) slopes; divide by the target's
    mean slope for leakage at equal effect. Without what images differ by, which would show leakage where
    there is none, the more the fewer the images."""
    return _root(_mean_square(slope, target))


def _mean_square(slope: np.ndarray, target: int | Sequence[int]) -> float:
    """The mean of the others' squared mean slopes, unbiased, and so below 0 at times: of two images' slopes
    the product, over all pairs of them. Of one image it is its own square."""
    images, mean = len(slope), slope.mean(0)
    squares = np.square(mean) - (slope.var(0, ddof=1) / images if images > 1 else 0)
    return float(np.delete(squares, target).mean())


def _root(square: float) -> float:
    return float(np.sqrt(max(square, 0)))


def leakage_of_one(slope: np.ndarray, target: int | Sequence[int]) -> float:
    """Root mean square over images and the other attributes of single slopes: how far one image is dragged.

    Of (n, k) slopes. Steps that differ from image to image, as random ones do, cancel in the mean over
    images, the more the more images there are; here they do not, so this is what a probe's and a random
    direction's are to be compared by."""
    return float(np.sqrt(np.square(np.delete(slope, target, axis=1)).mean()))


def predicted_leakage(slope: np.ndarray, correlation: np.ndarray, target: int) -> float:
    """How far leakage follows the labels' correlation: 1 where an edit drags others along as the labels go
    together, 0 where not.

    The regression through the origin of the others' mean slopes, per unit of the target's, on their
    correlation φ with the target's labels: Σφℓ / Σφ². `slope` (n, k), `correlation` (k,); attributes that
    matter may be cut out of both beforehand."""
    mean = slope.mean(0)
    leaked, phi = np.delete(mean / mean[target], target), np.delete(correlation, target)
    return float(phi @ leaked / (phi @ phi))


def explained_leakage(slope: np.ndarray, correlation: np.ndarray, target: int) -> float:
    """R² of that regression: the share of the leakage that follows the labels' correlation at all."""
    mean = slope.mean(0)
    leaked, phi = np.delete(mean, target), np.delete(correlation, target)
    return float((phi @ leaked) ** 2 / max(phi @ phi * (leaked @ leaked), 1e-300))


@dataclass(frozen=True, kw_only=True)
class RemovedLeakage:
    """What orthogonalisation did to an edit's leakage, plain and kept, over the same images.

    `coefficient` is the `predicted_leakage` of each and what of it went, `explained` its R², `per_effect` all
    leakage per unit of effect and what of it went; `share` is the part of the plain coefficient that went,
    None where that is not clearly away from 0.
    """

    coefficient: tuple[Interval, Interval, Interval]
    explained: tuple[float, float]
    per_effect: tuple[Interval, Interval, Interval]
    share: Interval | None


def removed_leakage(
    plain: np.ndarray, kept: np.ndarray, correlation: np.ndarray, target: int
) -> RemovedLeakage:
    """`plain` and `kept` (n, k) are `slopes` of both edits of the same images.

    Intervals are Student's by the jackknife over images, which four of them are enough for, that of the share
    is Fieller's (1954). Those of leakage are of its square, whose root they are, and that of their difference
    follows from both (Zou 2007).
    """

    def figures(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        coefficients = [predicted_leakage(slope, correlation, target) for slope in (a, b)]
        squares = [_mean_square(slope, target) / slope[:, target].mean() ** 2 for slope in (a, b)]
        return np.array([*coefficients, coefficients[0] - coefficients[1], *squares])

    values, covariance = jackknife(figures, plain, kept)
    t = student(len(plain) - 1)
    margins = t * np.sqrt(covariance.diagonal())
    found = [
        Interval(value, value - margin, value + margin)
        for value, margin in zip(values.tolist(), margins.tolist())
    ]
    per_effect = [Interval(*map(_root, (one.value, one.low, one.high))) for one in found[3:]]
    together = covariance[3, 4] / np.sqrt(covariance[3, 3] * covariance[4, 4] or 1)
    plain_leaks, kept_leaks = ((one.value, one.low, one.high) for one in per_effect)
    low, high = difference_interval(plain_leaks, kept_leaks, float(together))
    less = Interval(per_effect[0].value - per_effect[1].value, low, high)
    whole, left = values[:2]
    (bb, ab), (_, aa) = covariance[:2, :2]
    ratio = fieller_of(left, whole, aa, ab, bb, t)
    return RemovedLeakage(
        coefficient=(found[0], found[1], found[2]),
        explained=(
            explained_leakage(plain, correlation, target),
            explained_leakage(kept, correlation, target),
        ),
        per_effect=(per_effect[0], per_effect[1], less),
        share=None if ratio is None else Interval(1 - left / whole, 1 - ratio[1], 1 - ratio[0]),
    )


def cosine(original: np.ndarray, edited: np.ndarray) -> np.ndarray:
    """(n, …) identity: cosine of an encoder's embeddings (n, …, d) of the original and the edited pictures,
    over the last axis."""
    return (original * edited).sum(-1) / (np.linalg.norm(original, axis=-1) * np.linalg.norm(edited, axis=-1))


def kendall(after: np.ndarray) -> np.ndarray:
    """(n,) Kendall's τ-a between α and an image's target scores (n, m): pairs of doses in order less pairs
    out of it, of all."""
    low, high = np.triu_indices(after.shape[-1], 1)
    return np.sign(after[:, high] - after[:, low]).mean(-1)


def monotone(after: np.ndarray) -> np.ndarray:
    """(n,) whether the target scores (n, m) rise with every dose, which is Spearman's ρ = 1."""
    return np.asarray((np.diff(after, axis=-1) > 0).all(-1))


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float


def mean_margin(values: np.ndarray) -> float:
    """Half the 95 % t interval of a mean over images (n,)."""
    return intervals.mean_margin(values.std(ddof=1), len(values))
