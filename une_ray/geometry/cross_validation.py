"""Generalised cross-validation: λ from a ridge regression's own rows (Golub, Heath & Wahba 1979, eq. 1.4).

Wherever a ridge regression of this package chooses its λ, it minimises V(λ) = n·RSS(λ) / (n − dof(λ))², the
intercept counted as a degree of freedom: one λ for each target, as probes of unlike attributes want it, or
one for all targets together, as the coordinates of a map's target space do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from une_ray.geometry.arrays import Floats

if TYPE_CHECKING:  # maps are NumPy's: who fits them should not wait for torch
    import torch

Residual = TypeVar("Residual", float, "torch.Tensor")

Fit: TypeAlias = "tuple[torch.Tensor, torch.Tensor, float]"
"""Weights (d, k), residual sums of squares (k,) and the degrees of freedom left."""


def gcv(rows: int, residual: Residual, freedom: float, guard: float = 0.0) -> Residual:
    """V of a residual sum of squares, or of many (k,).

    `freedom` = n − dof degrees of freedom are left of n `rows`. Infinite unless more than `guard` · n of
    them are left: near interpolation V is 0/0, and a residual that comes from a difference is nothing but
    rounding, which would choose.
    """
    return rows * residual / freedom**2 if freedom > guard * rows else residual + math.inf


def best_for_each(
    penalties: Iterable[float], rows: int, fit: Callable[[float], Fit], guard: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (d, k) of each target's best of the `penalties`, and those penalties (k,).

    `fit` is asked for one λ after another, the largest first, and for all of them: V has several valleys.
    The largest stands where the guard lets none pass; of a single one no degrees of freedom are looked at.
    """
    largest, *smaller = sorted(penalties, reverse=True)
    weights, residual, freedom = fit(largest)
    best, least = residual.new_full(residual.shape, largest), gcv(rows, residual, freedom, guard)
    for penalty in smaller:
        fitted, residual, freedom = fit(penalty)
        score = gcv(rows, residual, freedom, guard)
        better = score < least
        weights, best = fitted.where(better, weights), best.masked_fill(better, penalty)
        least = score.where(better, least)
    return weights, best


def best_for_all(
    penalties: Sequence[float], rows: int, eigenvalues: Floats, power: Floats, total: float
) -> float:
    """The one of the `penalties` that is best for all targets together.

    `eigenvalues` (r,) > 0 of the centred Gram matrix XᵀX, `power` (r,) the squared length of XᵀY along each
    eigenvector, `total` the targets' sum of squares. RSS and degrees of freedom are sums of positive terms
    here, so no guard is needed: near interpolation the textbook differences are nothing but rounding.
    """
    explained = power / eigenvalues
    unreachable = max(total - explained.sum(), 0.0)

    def score(penalty: float) -> float:
        left = penalty / (eigenvalues + penalty)  # what λ leaves of each direction's residual
        return gcv(rows, unreachable + left**2 @ explained, rows - 1 - len(eigenvalues) + left.sum())

    return min(penalties, key=score)
