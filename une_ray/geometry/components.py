"""Leading principal components, by block Lanczos (Golub & Underwood 1977; Musco & Musco 2015).

A block of random vectors is multiplied by the scatter again and again; the components are read off the space of all the products. Any
product will do: with the scatter, where it is at hand, or with the rows and back, where d² numbers are too many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch

from une_ray.geometry.gram import Gram

Product = Callable[[torch.Tensor], torch.Tensor]
"""The scatter (d, d) times a float32 block (d, b)."""

Components = tuple[torch.Tensor, torch.Tensor]
"""Leading eigenvectors (d, rank) of the scatter and their eigenvalues (rank,), float64, largest first."""

SPENT = 1e-6  # of all the variance that there is: where no more is left outside the space of the products, they end


def principal_components(gram: Gram, rank: int, missed: float) -> Components:
    """Small scatters by LAPACK; for rank ≪ d an estimated `missed` of the variance that the exact components hold is not in these."""
    scatter = gram.scatter()
    if len(scatter) <= 4 * rank or len(scatter) <= 512:
        values, vectors = torch.linalg.eigh(scatter)
        return vectors.flip(1)[:, :rank], values.flip(0)[:rank]
    single = scatter.float()  # twice as fast, and the space is approximate anyhow
    start = _random(gram, rank / 8)
    basis = torch.linalg.qr(lanczos(lambda block: single @ block, start, rank, missed, gram.spread)[0]).Q
    values, rotation = torch.linalg.eigh(basis.T @ (scatter @ basis))
    return (basis @ rotation).flip(1), values.flip(0)


def components_of_rows(
    blocks: Callable[[], Iterable[torch.Tensor]], gram: Gram, rank: int, missed: float
) -> Components:
    """Without the scatter: every pass over `blocks`, the rows (b, d) float32 that `gram` is of, multiplies rank / 4 columns; some fourteen are needed."""
    mean = gram.mean_z.float()

    def product(columns: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(columns.shape, dtype=torch.float64, device=columns.device)
        for z in blocks():
            centred = z - mean
            total += centred.T @ (centred @ columns)
        return total

    return lanczos(product, _random(gram, rank / 4), rank, missed, gram.spread)


def lanczos(product: Product, start: torch.Tensor, rank: int, missed: float, spread: float) -> Components:
    """From the products of a block `start` (d, b), each made orthogonal to all before it, until `missed` is reached; `spread` is the trace.

    What the leading values still miss is foretold from the last two times by which they grew, as they grow by ever the same factor or less.
    """
    (dim, width), due, captured, before = start.shape, 2 * rank, 0.0, 0.0
    block, basis = torch.linalg.qr(start).Q, []
    projected = start.new_zeros(0, 0)
    while True:
        basis.append(block)
        image = product(block).float()
        shares = _shares(basis, image)
        projected = _bordered(projected, shares)
        found = len(projected)
        spent = found >= rank and projected.diagonal().double().sum().item() > (1 - SPENT) * spread
        if spent or found >= min(due, dim):
            values, vectors = torch.linalg.eigh(projected)
            now = values[-rank:].sum().item()
            grown = now - captured if captured else 0.0
            if (
                spent
                or found == dim
                or (
                    captured
                    and (grown <= 0 or (grown < before and grown**2 / (before - grown) < missed * now))
                )
            ):
                return (torch.cat(basis, 1) @ vectors[:, -rank:].flip(1)).double(), values[-rank:].flip(
                    0
                ).double()
            captured, before, due = now, grown, found + rank // 2
        block = _orthogonal(_less(image, basis, shares)[:, : min(width, dim - found)], basis)


def _orthogonal(rest: torch.Tensor, basis: list[torch.Tensor]) -> torch.Tensor:
    """An orthonormal block in place of what a product adds to the basis; where it adds nothing, rounding chooses other directions."""
    block = torch.linalg.qr(rest).Q
    for _ in range(5):  # once, unless little is left, whose rounding errors lie in the basis
        block, kept = torch.linalg.qr(_less(block, basis, _shares(basis, block)))
        if kept.diagonal().abs().min() > 0.5:
            break
    return block


def _shares(basis: list[torch.Tensor], block: torch.Tensor) -> torch.Tensor:
    """Inner products of all vectors of the basis, which is kept in blocks as they came, with those of a block."""
    return torch.cat([some.T @ block for some in basis])


def _less(block: torch.Tensor, basis: list[torch.Tensor], shares: torch.Tensor) -> torch.Tensor:
    """The block less the combination of the basis' vectors that `shares` are the coefficients of."""
    rest = block.clone()
    for some, share in zip(basis, shares.split([some.shape[1] for some in basis])):
        rest.addmm_(some, share, alpha=-1)
    return rest


def _bordered(projected: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The symmetric matrix one block larger, whose last columns are `shares`."""
    old = len(projected)
    larger = shares.new_empty(len(shares), len(shares))
    larger[:old, :old], larger[:, old:], larger[old:, :old] = projected, shares, shares[:old].T
    return larger


def _random(gram: Gram, width: float) -> torch.Tensor:
    """A block of `width` columns, made a multiple of 64, at which BLAS is a quarter quicker than between, or of as many as there are dims."""
    dim = len(gram.mean_z)
    columns = min(dim, 64 * math.ceil(width / 64))
    return torch.randn(dim, columns, generator=torch.Generator().manual_seed(0)).to(gram.mean_z.device)
