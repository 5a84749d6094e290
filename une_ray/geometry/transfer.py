"""Ridge maps between spaces (paper 1, cross-space transfer): every pair, both ways, from one pass."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from scipy import linalg
from scipy.stats import rankdata

from une_ray.errors import UneError
from une_ray.geometry.arrays import AnyFloats, Floats
from une_ray.geometry.cross_validation import best_for_all
from une_ray.geometry.partners import Partners

# In units of the source's mean eigenvalue; the ends are interpolation and the mean predictor.
PENALTIES = np.logspace(-5, 6, 45)
# Eigenvalues below this share of the largest are rounding, as those of a space with fewer rows than dims.
ROUNDING = 1e-12


@dataclass(frozen=True)
class LinearMap:
    """z ↦ z·weight + intercept: `weight` (source dim, target dim), `intercept` (target dim,), float64."""

    weight: Floats
    intercept: Floats
    penalty: float | None = None

    def __call__(self, z: AnyFloats) -> Floats:
        return z @ self.weight + self.intercept

    def pull_back(self, probes: Probes) -> Probes:
        """Probes of the target as probes of the source: the same scores, with no mapped row in between."""
        return Probes(probes.attributes, self.weight @ probes.w, self.intercept @ probes.w + probes.b)


@dataclass(frozen=True)
class Probes:
    """Linear probes of one space: `w` (dim, k) and `b` (k,) of k attributes."""

    attributes: list[str]
    w: Floats
    b: Floats

    def __call__(self, z: AnyFloats) -> Floats:
        """Scores (n, k) of rows (n, dim)."""
        return z @ self.w + self.b


class JointMoments:
    """Means and second moments of several spaces over the same images, in float64.

    Moments are about the mean of the first batch, `origin`, so that a mean far larger than the spread costs
    no digits. Memory is 16·(Σ dim)² bytes however many the rows. A second product pairs every image with
    another: the shuffled pairing that a map must beat, with the very same means and Gram matrices.
    """

    def __init__(self, dims: dict[str, int], seed: int = 0) -> None:
        ends = np.cumsum([0, *dims.values()])
        self.columns = {space: slice(*ends[i : i + 2]) for i, space in enumerate(dims)}
        self.rows, self.sums = 0, np.zeros(ends[-1])
        self.products, self.shuffled = np.zeros((2, ends[-1], ends[-1]))
        self.partners = np.zeros(ends[-1])
        self.origin: Floats | None = None
        self.random = np.random.default_rng(seed)

    def add(self, batch: Mapping[str, AnyFloats], partners: Mapping[str, AnyFloats] | None = None) -> None:
        """Count rows in: one (n, dim) array per space, row i of each of one image, and as many of other
        images to pair them with (`Partners`); by default others of the batch, which must then be all.

        Raises UneError where a latent is not finite.
        """
        z = np.concatenate([batch[space] for space in self.columns], axis=1, dtype=np.float64)
        if not np.isfinite(z).all():
            broken = next(space for space in self.columns if not np.isfinite(batch[space]).all())
            raise UneError(
                f"space {broken!r} has a latent that is not finite; "
                "find it with une verify and build that shard again"
            )
        paired = partners or Partners(batch, len(z), self.random).next(len(z))
        others = np.concatenate([paired[space] for space in self.columns], axis=1, dtype=np.float64)
        if self.origin is None:
            self.origin = z.mean(0)
        z, others = z - self.origin, others - self.origin
        self.rows += len(z)
        self.sums += z.sum(0)
        self.partners += others.sum(0)
        self.products += z.T @ z
        self.shuffled += z.T @ others

    def __add__(self, other: JointMoments) -> JointMoments:
        """Of the rows of both, which are of the same spaces."""
        if self.origin is None or other.origin is None:
            return self if other.origin is None else other
        both, step = copy(self), other.origin - self.origin  # (u + s)(v + s)ᵀ = uvᵀ + usᵀ + s(v + s)ᵀ
        moved, partners = other.sums + other.rows * step, other.partners + other.rows * step
        both.rows, both.sums = self.rows + other.rows, self.sums + moved
        both.partners = self.partners + partners
        both.products, both.shuffled = self.products + other.products, self.shuffled + other.shuffled
        for products, second in ((both.products, moved), (both.shuffled, partners)):
            products += np.outer(other.sums, step)
            products += np.outer(step, second)
        return both

    def mean(self, space: str) -> Floats:
        """(dim,)"""
        assert self.origin is not None
        return self.origin[self.columns[space]] + self.sums[self.columns[space]] / self.rows

    def scatter(self, a: str, b: str, shuffled: bool = False) -> Floats:
        """Σ (z_a − mean)(z_b − mean)ᵀ, (dim of a, dim of b)."""
        one, other = self.columns[a], self.columns[b]
        products, sums = (self.shuffled, self.partners) if shuffled else (self.products, self.sums)
        return products[one, other] - np.outer(self.sums[one] / self.rows, sums[other])


class Ridge:
    """Ridge regressions out of one space: one eigendecomposition serves every target, pairing and penalty."""

    def __init__(self, moments: JointMoments, source: str) -> None:
        self.moments, self.source = moments, source
        self.eigenvalues, self.vectors = linalg.eigh(moments.scatter(source, source))
        self.varying = self.eigenvalues > ROUNDING * max(self.eigenvalues[-1], 0)

    def fit(self, target: str, shuffled: bool = False) -> LinearMap:
        """The map to `target`, its penalty by cross-validation; `shuffled` fits the control's pairing."""
        moments = self.moments
        projected = self.vectors.T @ moments.scatter(self.source, target, shuffled)
        total = np.trace(moments.scatter(target, target))
        eigenvalues, power = self.eigenvalues[self.varying], (projected[self.varying] ** 2).sum(1)
        penalties = PENALTIES * (eigenvalues.sum() / len(self.eigenvalues) or 1.0)
        penalty = best_for_all(penalties.tolist(), moments.rows, eigenvalues, power, total)
        weight = self.vectors @ (projected / (np.maximum(self.eigenvalues, 0) + penalty)[:, None])
        return LinearMap(weight, moments.mean(target) - moments.mean(self.source) @ weight, penalty)

    def mean(self, target: str) -> LinearMap:
        """The control that never looks at the source: every image goes to the target's mean."""
        intercept = self.moments.mean(target)
        return LinearMap(np.zeros((len(self.eigenvalues), len(intercept))), intercept)


class Fidelity:
    """How near predictions come to the target's rows, from one pass.

    cosine: mean over rows. centred_cosine: the same after subtracting the target's train mean from both;
    zero where the prediction is that mean itself. r2: variance-weighted, 1 − Σ‖y − ŷ‖² / Σ‖y − test mean‖²,
    which is the same in every rotation of the target space; an average over coordinates is not, and hangs
    on those of hardly any variance.
    """

    def __init__(self, centre: Floats) -> None:
        self.centre, self.rows = centre, 0
        self.cosines = np.zeros(2)
        self.residual, self.square, self.sum = 0.0, 0.0, np.zeros_like(centre)

    def add(self, predicted: Floats, true: AnyFloats) -> None:
        """Count rows (n, dim) in."""
        a, b = predicted - self.centre, true - self.centre
        self.rows += len(true)
        self.cosines += row_cosines(predicted, true).sum(), row_cosines(a, b).sum()
        self.residual += ((a - b) ** 2).sum()
        self.square += (b**2).sum()
        self.sum += b.sum(0)

    def figures(self) -> dict[str, float | None]:
        """cosine, centred_cosine, r2; the last None where the target does not vary."""
        cosine, centred = (self.cosines / self.rows).tolist()
        total = self.square - (self.sum**2).sum() / self.rows
        return {
            "cosine": cosine,
            "centred_cosine": centred,
            "r2": float(1 - self.residual / total) if total > 0 else None,
        }


@dataclass
class MapEvaluation:
    """A target's maps from one source, true and controls, and how its fixed probes do on their rows."""

    maps: dict[str, LinearMap]
    fidelity: dict[str, Fidelity]
    probes: Probes
    scores: dict[str, list[Floats]] = field(default_factory=dict)

    @classmethod
    def begin(cls, ridge: Ridge, target: str, probes: Probes) -> MapEvaluation:
        """Of no test rows yet."""
        maps = {
            "ridge": ridge.fit(target),
            "mean": ridge.mean(target),
            "shuffled": ridge.fit(target, shuffled=True),
        }
        return cls(maps, {name: Fidelity(ridge.moments.mean(target)) for name in maps}, probes)

    def add(self, source: AnyFloats, target: AnyFloats) -> None:
        """Count test rows in: (n, dim) of either space, row i of one image."""
        self.scores.setdefault("native", []).append(self.probes(target))
        for name, linear in self.maps.items():
            self.fidelity[name].add(linear(source), target)
            self.scores.setdefault(name, []).append(linear.pull_back(self.probes)(source))

    def accuracies_and_aucs(
        self, name: str, labels: dict[str, Floats]
    ) -> dict[str, tuple[float | None, float | None]]:
        """By attribute, on the rows of the map `name`, or on the 'native' ones.

        `labels` (n,) in the order of the rows.
        """
        columns = zip(self.probes.attributes, np.concatenate(self.scores[name]).T)
        return {attribute: accuracy_and_auc(labels[attribute], scores) for attribute, scores in columns}


def accuracy_and_auc(labels: Floats, scores: Floats) -> tuple[float | None, float | None]:
    """Accuracy at threshold 0 and ROC-AUC where the label (0, 1 or NaN) is known.

    None without rows, and an AUC of None where they are all of one side.
    """
    known = ~np.isnan(labels)
    positive, scores = labels[known] > 0, scores[known]
    if not len(scores):
        return None, None
    positives, negatives = positive.sum(), (~positive).sum()
    # Pairs in order, ties by half (Mann & Whitney 1947).
    above = rankdata(scores)[positive].sum() - positives * (positives + 1) / 2
    accuracy = float(((scores > 0) == positive).mean())
    return accuracy, float(above / (positives * negatives)) if positives and negatives else None


def row_cosines(a: AnyFloats, b: AnyFloats) -> Floats:
    """Cosine of each row of `a` (n, d) with the same row of `b`, (n,); 0 where either is zero."""
    a, b = (z.astype(np.promote_types(z.dtype, np.float32), copy=False) for z in (a, b))
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.divide((a * b).sum(1), lengths, out=np.zeros(len(a)), where=lengths > 0)
