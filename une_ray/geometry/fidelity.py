"""How much of one space a map from another explains: held-out R² of a rotation, of ridge, and through CCA.

The three side by side say what relates two spaces: a rotation (and one scale), only a general linear map,
or nothing. Fitted on the first half of the rows, measured on the second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from une_ray.geometry.arrays import AnyFloats, Floats, Integers
from une_ray.geometry.cross_validation import best_for_all
from une_ray.geometry.procrustes import procrustes_of_moments
from une_ray.geometry.transfer import PENALTIES

COMPONENTS = 256  # of either space that a map is fitted in; what lies outside counts as not explained
ROUNDING = 1e-6  # of the first singular value: what float16 latents hold below is none of theirs
SHARED = 32  # canonical directions that the map through CCA goes through


@dataclass(frozen=True, kw_only=True, eq=False)
class Halves:
    """Rows of one space in its components on the first half: `train` (h, r) and `test` (m, r) scores,
    `squares` (r,) of the train scores, and the sums of squares that the components leave out of either."""

    train: Floats
    test: Floats
    squares: Floats
    train_rest: float
    test_rest: float

    @classmethod
    def of(cls, z: AnyFloats) -> Halves:
        z = np.asarray(z, np.float64)
        half = len(z) // 2
        mean = z[:half].mean(0)
        train, test = z[:half] - mean, z[half:] - mean
        _, values, vt = np.linalg.svd(train, full_matrices=False)
        most = min(COMPONENTS, max(1, half - 1))
        kept = vt[:most][values[:most] > ROUNDING * values[0]]
        scores = train @ kept.T
        tested = test @ kept.T
        return cls(
            train=scores,
            test=tested,
            squares=np.square(scores).sum(0),
            train_rest=float(np.square(train).sum() - np.square(scores).sum()),
            test_rest=float(np.square(test).sum() - np.square(tested).sum()),
        )

    def r2(self, predicted: Floats) -> float:
        """1 − Σ‖y − ŷ‖² / Σ‖y‖² of the second half, about the first half's mean."""
        total = np.square(self.test).sum() + self.test_rest
        return float(1 - (np.square(self.test - predicted).sum() + self.test_rest) / total)


Fidelity = Callable[[Halves, Halves], Callable[[Integers], float]]
"""(source, target) → R² with row i of the source's first half beside row `order[i]` of the target's."""


def orthogonal_r2(a: Halves, b: Halves) -> Callable[[Integers], float]:
    """Of a rotation and one scale; where either first half is the same for every row, of its mean."""
    if not (len(a.squares) and len(b.squares)):
        return lambda order: b.r2(np.zeros_like(b.test))
    mean_a, mean_b = (np.zeros(len(z.squares)) for z in (a, b))  # scores are about their means
    scatter = np.diag(a.squares)

    def paired(order: Integers) -> float:
        cross = a.train.T @ b.train[order]
        found = procrustes_of_moments(cross, mean_a, mean_b, rows=len(order) - 1, scatter=scatter)
        return b.r2(found(a.test))

    return paired


def ridge_r2(a: Halves, b: Halves) -> Callable[[Integers], float]:
    """Of ridge regression, λ by generalised cross-validation."""

    def paired(order: Integers) -> float:
        cross = a.train.T @ b.train[order]
        return b.r2(a.test @ (cross / (a.squares + _penalty(a, b, cross))[:, None]))

    return paired


def cca_r2(a: Halves, b: Halves) -> Callable[[Integers], float]:
    """Of the map through the 32 leading canonical directions, whitened with both ways' ridge λ."""

    def paired(order: Integers) -> float:
        cross = a.train.T @ b.train[order]
        scale_a = 1 / np.sqrt(a.squares + _penalty(a, b, cross))
        scale_b = 1 / np.sqrt(b.squares + _penalty(b, a, cross.T))
        u, values, vt = np.linalg.svd(scale_a[:, None] * cross * scale_b, full_matrices=False)
        kept = slice(0, SHARED)
        weight = (scale_a[:, None] * u[:, kept] * values[kept]) @ (vt[kept] / scale_b)
        return b.r2(a.test @ weight)

    return paired


FIDELITIES: Mapping[str, Fidelity] = {
    "orthogonal": orthogonal_r2,
    "ridge": ridge_r2,
    "cca-map": cca_r2,
}


def _penalty(a: Halves, b: Halves, cross: Floats) -> float:
    """λ of the ridge map a → b whose cross-scatter is `cross` (r_a, r_b)."""
    total = float(b.squares.sum() + b.train_rest)
    grid = (PENALTIES * a.squares.mean()).tolist()
    return best_for_all(grid, len(a.train), a.squares, np.square(cross).sum(1), total)
