"""Block Lanczos (Golub & Underwood 1977; Musco & Musco 2015): a scatter's leading eigenvectors from products.

A block of random vectors is multiplied by the scatter again and again; the eigenvectors are those of the
scatter within the space of all the products.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Product = Callable[[torch.Tensor], torch.Tensor]
"""The scatter (d, d) times a float32 block (d, b)."""

Components = tuple[torch.Tensor, torch.Tensor]
"""Leading eigenvectors (d, rank) of the scatter and their eigenvalues (rank,), float64, largest first."""

# Where no more of all variance, and little beside the least of the leading values, is left outside the space
# of the products, they end.
SPENT, LITTLE = 1e-6, 0.01
FLOOR = 1e-6  # of the largest value: what is smaller is rounding


def lanczos(product: Product, start: torch.Tensor, rank: int, missed: float, spread: float) -> Components:
    """The `rank` leading eigenpairs; on average their values are short by no more than about the share
    `missed`.

    Each value counts by its own size: what few huge ones hold says nothing of the others. `product`
    multiplies a block `start` (d, b), and then what each product adds to all before it; `spread` is the
    scatter's trace. What the leading values still miss is foretold from the last two times by which their
    logarithms grew, as they grow by ever the same factor or less.
    """
    (dim, width), due, before = start.shape, 2 * rank, 0.0
    captured: float | None = None
    block, basis = torch.linalg.qr(start).Q, list[torch.Tensor]()
    projected = start.new_zeros(0, 0)
    while True:
        basis.append(block)
        image = product(block).float()
        shares = _shares(basis, image)
        projected = _bordered(projected, shares)
        size = len(projected)
        left = spread - projected.diagonal().double().sum().item()
        if size >= min(due, dim) or (size >= rank and left < SPENT * spread):
            values, vectors = torch.linalg.eigh(projected)
            least = values[-rank:].double().clamp_min(FLOOR * max(values[-1].item(), 1e-300))
            spent = left < min(SPENT * spread, LITTLE * len(least) * least[0].item())
            now = least.log().sum().item()
            grown = 0.0 if captured is None else now - captured
            done = captured is not None and _ends(grown, before, missed * len(least))
            if spent or size == dim or done:
                leading = torch.cat(basis, 1) @ vectors[:, -rank:].flip(1)
                return leading.double(), values[-rank:].flip(0).double()
            captured, before, due = now, grown, size + rank // 2
        block = _orthogonal(_less(image, basis, shares)[:, : min(width, dim - size)], basis)


def _ends(grown: float, before: float, enough: float) -> bool:
    """Whether growth that falls by the factor grown / before each time comes to less than `enough` in all."""
    return grown <= 0 or (grown < before and grown**2 / (before - grown) < enough)


def _orthogonal(rest: torch.Tensor, basis: list[torch.Tensor]) -> torch.Tensor:
    """An orthonormal block in place of what a product adds to the basis.

    Where it adds nothing, rounding chooses others.
    """
    block = torch.linalg.qr(rest).Q
    for _ in range(5):  # once, unless little is left, whose rounding errors lie in the basis
        block, triangle = torch.linalg.qr(_less(block, basis, _shares(basis, block)))
        if triangle.diagonal().abs().min() > 0.5:
            break
    return block


def _shares(basis: list[torch.Tensor], block: torch.Tensor) -> torch.Tensor:
    """Inner products of all vectors of the basis, a list of blocks as they came, with those of a block."""
    return torch.cat([part.T @ block for part in basis])


def _less(block: torch.Tensor, basis: list[torch.Tensor], shares: torch.Tensor) -> torch.Tensor:
    """The block less the combination of the basis' vectors that `shares` are the coefficients of."""
    rest = block.clone()
    for part, share in zip(basis, shares.split([part.shape[1] for part in basis])):
        rest.addmm_(part, share, alpha=-1)
    return rest


def _bordered(projected: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The symmetric matrix one block larger, whose last columns are `shares`."""
    old = len(projected)
    larger = shares.new_empty(len(shares), len(shares))
    larger[:old, :old], larger[:, old:], larger[old:, :old] = projected, shares, shares[:old].T
    return larger
