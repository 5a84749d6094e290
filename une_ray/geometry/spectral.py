"""Ridge for many λ from one eigendecomposition of the scatter: weights, degrees of freedom and leverages.

With S = V diag(σ²) Vᵀ, every λ costs products of the labels' k columns alone, so that the whole grid of a
generalised cross-validation is nearly free, and what a row weighs in its own fit is at hand. Of fewer rows
than dims it is that of the rows' products (Saunders, Gammerman & Vovk 1998).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from une_ray.geometry.cross_validation import gcv
from une_ray.geometry.gram import in_panels


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues (r,), ascending, and eigenvectors (d, r) of a scatter, and the right-hand sides Vᵀ zy (r, k
    in panels). Where r < d, all others are zero, and nothing is said of what is along their eigenvectors."""

    values: torch.Tensor
    vectors: torch.Tensor
    right: torch.Tensor

    @classmethod
    def of(cls, scatter: torch.Tensor, zy: torch.Tensor) -> Spectrum:
        values, vectors = torch.linalg.eigh(scatter)
        return cls(values, vectors, vectors.T @ in_panels(zy))

    @classmethod
    def of_rows(cls, centred: torch.Tensor, zy: torch.Tensor) -> Spectrum:
        """Of centred rows (n, d) float64; d² numbers are never in memory where n ≤ d."""
        if len(centred) > centred.shape[1]:
            return cls.of(centred.T @ centred, zy)
        values, turns = torch.linalg.eigh(centred @ centred.T)
        kept = values > len(values) * torch.finfo(torch.float64).eps * values[-1]
        values = values[kept]
        vectors = (centred.T @ turns[:, kept]) / values.sqrt()
        return cls(values, vectors, vectors.T @ in_panels(zy))

    def is_singular(self, shift: float) -> bool:
        """Whether S + λI has no inverse to rounding."""
        rounding = len(self.values) * torch.finfo(torch.float64).eps * self.values[-1].item()
        return self.values[0].item() + shift <= rounding

    def best(
        self, shifts: Sequence[float], rows: int, yy: torch.Tensor, guard: float, copies: float = 1.0
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights (d, k) at the λ among `shifts` at which each column's V is least, and its place there (k,).

        Where the guard lets none pass, the largest λ stands. Of `copies` equal rows each, V is that of one of
        each: (n / c)·(RSS / c) / (n / c − dof)².
        """
        labels, yy = len(yy), in_panels(yy[None])[0]
        largest = max(range(len(shifts)), key=shifts.__getitem__)
        best = torch.full_like(yy, largest, dtype=torch.long)
        least = torch.full_like(yy, torch.inf)
        for place, shift in enumerate(shifts if len(shifts) > 1 else []):
            shifted = self.values + shift
            residual = yy - (self.right.square() * ((self.values + 2 * shift) / shifted**2)[:, None]).sum(0)
            freedom = rows - copies * (1 + (self.values / shifted).sum().item())
            score = gcv(rows, residual, freedom, guard)
            better = score < least
            best, least = best.masked_fill(better, place), score.where(better, least)
        chosen = torch.tensor(shifts, dtype=torch.float64, device=yy.device)[best]
        w = self.vectors @ (self.right / (self.values[:, None] + chosen))
        return w[:, :labels], best[:labels]

    def leverages(self, centred: torch.Tensor, shift: float) -> torch.Tensor:
        """(b,) of centred rows (b, d): zᵀ (S + λI)⁻¹ z, the intercept's share 1/n not among it."""
        return (centred @ self.vectors).square() @ (1 / (self.values + shift))
