"""(S + λI)⁻¹ of many columns for one λ after another, and the degrees of freedom that generalised cross-validation asks for.

Conjugate gradients (Hestenes & Stiefel 1952) need few products where S is near a multiple of the identity, as that of inverted
noise is: they are in float32, what they leave is corrected in float64. A Cholesky factor takes their place for the first λ at
which they would cost more or tell the degrees of freedom too badly, and for all smaller ones.
"""

from __future__ import annotations

import math

import torch

from une_ray.geometry.gram import PANEL

DIRECT = 2048  # dims up to which a factor is cheap, and its trace exact
PROBES = 16  # columns of random signs, of which the trace of the inverse is estimated (Hutchinson 1990)
PRECISION = (
    0.01  # the standard error of what it says of the degrees of freedom that are left, in units of these
)
TOLERANCE = 1e-6  # of the length of a column, what is left of it
PACE = 10  # steps whose pace foretells how many are to come

Solution = tuple[torch.Tensor, float | None]
"""X (d, k) float64, and the degrees of freedom that ridge leaves of the rows, n − 1 − tr S (S + λI)⁻¹, where `rows` were given."""


class Shifted:
    """A scatter S (d, d) and right-hand sides (d, k), both float64; ask for the largest λ first.

    With `rows`, the number n that the scatter is of, the degrees of freedom are told as well. Above DIRECT dims there is a float32 copy of S.
    """

    def __init__(self, scatter: torch.Tensor, right: torch.Tensor, rows: int | None = None) -> None:
        self.scatter, self.right, self.rows, self.single = scatter, right, rows, None
        if len(scatter) > DIRECT:
            self.single = scatter.float()
            columns = (
                PROBES if rows else 1
            )  # that one meets every eigenvector, as labels need not: a singular scatter is noticed
            coin = torch.randint(0, 2, (len(scatter), columns), generator=torch.Generator().manual_seed(0))
            self.probes = (2.0 * coin - 1).to(scatter)

    def solve(self, shift: float) -> Solution:
        """Raises torch.linalg.LinAlgError where S + λI is singular to rounding."""
        found = self._by_gradients(shift) if self.single is not None else None
        if found is None:
            self.single = None  # the next λ is smaller and no easier
            return self._by_factor(shift)
        return found

    def _free(self, weighted_trace: float) -> float:
        """Degrees of freedom left, of λ tr (S + λI)⁻¹ = d − tr S (S + λI)⁻¹."""
        return self.rows - 1 - len(self.scatter) + weighted_trace

    def _by_gradients(self, shift: float) -> Solution | None:
        """None where that takes more products than cost as much as a factor and its inverse's trace, or where PRECISION is not met."""
        right = torch.cat([self.right, self.probes], 1)
        left = 4 * len(right) // (3 * right.shape[1])  # as measured
        length = right.norm(dim=0).clamp_min(torch.finfo(torch.float64).tiny)
        right = residual = right / length
        found = torch.zeros_like(right)
        while residual.norm(dim=0).max() > TOLERANCE:
            step, used = self._steps(residual.float(), shift, left)
            left -= used + 2  # a product in float64 takes as long as two
            if left <= 0:
                return None
            found = found + step.double()
            residual = right - self.scatter @ found - shift * found
        columns = self.right.shape[1]
        x = (length * found)[:, :columns]
        if not self.rows:
            return x, None
        told = shift * (self.probes * (length * found)[:, columns:]).sum(0)
        free = self._free(told.mean().item())
        return (x, free) if told.std().item() / PROBES**0.5 < PRECISION * free else None

    def _steps(self, residual: torch.Tensor, shift: float, most: int) -> tuple[torch.Tensor, int]:
        """Steps in float32 until no column of `residual` is longer than half the tolerance; their number, above `most` if in vain."""
        tiny, enough = torch.finfo(torch.float32).tiny, TOLERANCE / 2
        found, direction, square = torch.zeros_like(residual), residual, residual.square().sum(0)
        worst = [square.max().item() ** 0.5]
        for used in range(1, most + 1):
            image = self.single @ direction + shift * direction
            stride = square / (direction * image).sum(0).clamp_min(tiny)
            found, residual = found + stride * direction, residual - stride * image
            before, square = square, residual.square().sum(0)
            worst.append(square.max().item() ** 0.5)
            if worst[-1] <= enough:
                return found, used
            if used >= PACE and PACE * math.log(worst[-1] / enough) > (most - used) * math.log(
                worst[-1 - PACE] / worst[-1]
            ):
                break
            direction = residual + square / before.clamp_min(tiny) * direction
        return found, most + 1

    def _by_factor(self, shift: float) -> Solution:
        shifted = self.scatter.clone()
        shifted.diagonal().add_(shift)
        factor = torch.linalg.cholesky(shifted)
        free = self._free(shift * _trace_of_inverse(factor)) if self.rows else None
        return torch.cholesky_solve(self.right, factor), free


def _trace_of_inverse(factor: torch.Tensor) -> float:
    """tr (LLᵀ)⁻¹ = ‖L⁻¹‖², by panels of columns, of which each starts at its diagonal: a third of a full solve's work."""
    total = 0.0
    for i in range(0, len(factor), PANEL):
        lower = factor[i:, i:]
        unit = torch.eye(len(lower), min(PANEL, len(lower)), dtype=factor.dtype, device=factor.device)
        total += torch.linalg.solve_triangular(lower, unit, upper=False).square().sum().item()
    return total
