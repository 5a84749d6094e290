"""(S + λI)⁻¹ of many columns for one λ after another, and the degrees of freedom for cross-validation.

Conjugate gradients (Hestenes & Stiefel 1952) need few products where S is near a multiple of the identity,
as that of inverted noise is: they are in float32, what they leave is corrected in float64. A Cholesky
factor takes their place for the first λ at which they would cost more or estimate the degrees of freedom
too badly, and for all smaller ones. Columns of random signs alone decide that, and every column stops by
itself: none's solution depends on what is solved beside it.
"""

from __future__ import annotations

import math

import torch

from une_ray.geometry.gram import PANEL, in_panels

DIRECT = 2048  # dims up to which a factor is cheap, and its trace exact
PROBES = 16  # columns of random signs, of which the trace of the inverse is estimated (Hutchinson 1990)
COLUMNS = 96  # for which conjugate gradients and a factor are weighed against each other
PRECISION = 0.01  # the standard error of the degrees of freedom left, in units of these
TOLERANCE = 1e-6  # of the length of a column, what is left of it
PACE = 10  # steps whose pace foretells how many are to come

Solution = tuple[torch.Tensor, float]
"""X (d, k) float64, and the degrees of freedom left, n − 1 − tr S (S + λI)⁻¹; NaN without `rows`."""


class Shifted:
    """A scatter S (d, d) and right-hand sides (d, k), both float64; solve for the largest λ first.

    With `rows`, the number n that the scatter is of, the degrees of freedom come with every solution. Above
    DIRECT dims there is a float32 copy of S.
    """

    def __init__(self, scatter: torch.Tensor, right: torch.Tensor, rows: int | None = None) -> None:
        self.scatter, self.right, self.rows = scatter, right, rows
        self.single: torch.Tensor | None = None
        if len(scatter) > DIRECT:
            self.single = scatter.float()
            # One without `rows`: unlike labels it meets every eigenvector, so a singular scatter is noticed.
            columns = PROBES if rows else 1
            coin = torch.randint(0, 2, (len(scatter), columns), generator=torch.Generator().manual_seed(0))
            self.probes = (2.0 * coin - 1).to(scatter)

    def solve(self, shift: float) -> Solution:
        """Raises torch.linalg.LinAlgError where S + λI is singular to rounding."""
        if self.single is not None:
            solution = self._by_gradients(self.single, shift)
            if solution is not None:
                return solution
            self.single = None  # the next λ is smaller and no easier
        return self._by_factor(shift)

    def _freedom(self, weighted_trace: float) -> float:
        """Degrees of freedom left, of λ tr (S + λI)⁻¹ = d − tr S (S + λI)⁻¹."""
        return math.nan if self.rows is None else self.rows - 1 - len(self.scatter) + weighted_trace

    def _by_gradients(self, single: torch.Tensor, shift: float) -> Solution | None:
        """None where that costs more than a factor and its inverse's trace, or misses PRECISION."""
        budget = 4 * len(self.scatter) // (3 * COLUMNS)  # products, as measured
        solved = self._iterated(single, self.probes, shift, budget)
        if solved is None:
            return None
        freedom = math.nan
        if self.rows is not None:
            traces = shift * (self.probes * solved).sum(0)
            freedom = self._freedom(traces.mean().item())
            if traces.std().item() / PROBES**0.5 >= PRECISION * freedom:
                return None
        x = self._iterated(single, in_panels(self.right), shift, 4 * budget)
        return None if x is None else (x[:, : self.right.shape[1]], freedom)

    def _iterated(
        self, single: torch.Tensor, right: torch.Tensor, shift: float, budget: int
    ) -> torch.Tensor | None:
        """(S + λI)⁻¹ of `right`, None where that takes more than `budget` products."""
        length = right.norm(dim=0).clamp_min(torch.finfo(torch.float64).tiny)
        right = residual = right / length
        x = torch.zeros_like(right)
        while (unsolved := residual.norm(dim=0) > TOLERANCE).any():
            step, used = _conjugate_gradients(single, (residual * unsolved).float(), shift, budget)
            budget -= used + 2  # a product in float64 takes as long as two
            if budget <= 0:
                return None
            x = x + step.double()
            residual = right - self.scatter @ x - shift * x
        return length * x

    def _by_factor(self, shift: float) -> Solution:
        shifted = self.scatter.clone()
        shifted.diagonal().add_(shift)
        factor = torch.linalg.cholesky(shifted)
        freedom = math.nan if self.rows is None else self._freedom(shift * _trace_of_inverse(factor))
        solution = torch.cholesky_solve(in_panels(self.right), factor)
        return solution[:, : self.right.shape[1]], freedom


def _conjugate_gradients(
    scatter: torch.Tensor, residual: torch.Tensor, shift: float, most: int
) -> tuple[torch.Tensor, int]:
    """Steps in float32 until no column of `residual` is longer than half the tolerance.

    A column that is short enough is left as it is. Returns their sum and number, which is above `most` if in
    vain.
    """
    tiny, enough = torch.finfo(torch.float32).tiny, TOLERANCE / 2
    x, direction, square = torch.zeros_like(residual), residual, residual.square().sum(0)
    worst = [square.max().item() ** 0.5]
    for used in range(1, most + 1):
        image = scatter @ direction + shift * direction
        stride = square / (direction * image).sum(0).clamp_min(tiny)
        stride = torch.where(square.sqrt() > enough, stride, 0.0)
        x, residual = x + stride * direction, residual - stride * image
        before, square = square, residual.square().sum(0)
        worst.append(square.max().item() ** 0.5)
        if worst[-1] <= enough:
            return x, used
        if used >= PACE:
            progress, to_go = math.log(worst[-1 - PACE] / worst[-1]), math.log(worst[-1] / enough)
            if PACE * to_go > (most - used) * progress:
                break
        direction = residual + square / before.clamp_min(tiny) * direction
    return x, most + 1


def _trace_of_inverse(factor: torch.Tensor) -> float:
    """tr (LLᵀ)⁻¹ = ‖L⁻¹‖², by panels of columns.

    Each starts at its diagonal: a third of a full solve's work.
    """
    total = 0.0
    for i in range(0, len(factor), PANEL):
        lower = factor[i:, i:]
        unit = torch.eye(len(lower), min(PANEL, len(lower)), dtype=factor.dtype, device=factor.device)
        total += torch.linalg.solve_triangular(lower, unit, upper=False).square().sum().item()
    return total
