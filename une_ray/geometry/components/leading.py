"""The leading principal components of many rows: exactly by LAPACK, or nearly by block Lanczos (`lanczos`).

Nearly is enough for a probe, and quicker for rank ≪ d. Lanczos needs products alone: with the scatter,
where it is at hand, or with the rows and back, where d² numbers are too many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch

from une_ray.geometry.components.lanczos import Components, lanczos
from une_ray.geometry.gram import Gram

SMALL = 512  # dims up to which LAPACK is quicker, and up to 4 · rank


def leading_components(gram: Gram, rank: int, missed: float) -> Components:
    """Exact ones of a small scatter, otherwise those that lack the share `missed` of the variance."""
    dim = len(gram.mean_z)
    if dim <= 4 * rank or dim <= SMALL:
        return exact_components(gram, rank)
    return approximate_components(gram, rank, missed)


def exact_components(gram: Gram, rank: int) -> Components:
    """By the whole scatter's eigenvectors, in LAPACK."""
    values, vectors = torch.linalg.eigh(gram.scatter())
    return vectors.flip(1)[:, :rank], values.flip(0)[:rank]


def approximate_components(gram: Gram, rank: int, missed: float) -> Components:
    """By products with the scatter.

    Of the variance that the exact components hold, an estimated share `missed` is not in these.
    """
    scatter = gram.scatter()
    single = scatter.float()  # twice as fast, and the space is approximate anyhow
    space, _ = lanczos(lambda block: single @ block, _start(gram, rank / 8), rank, missed, gram.spread)
    basis = torch.linalg.qr(space).Q
    values, rotation = torch.linalg.eigh(basis.T @ (scatter @ basis))
    return (basis @ rotation).flip(1), values.flip(0)


def approximate_components_of_rows(
    blocks: Callable[[], Iterable[torch.Tensor]], gram: Gram, rank: int, missed: float
) -> Components:
    """The same without the scatter, by passes over `blocks`, the rows (b, d) float32 that `gram` is of.

    Every pass multiplies rank / 4 columns; some fourteen are needed.
    """
    mean = gram.mean_z.float()

    def product(columns: torch.Tensor) -> torch.Tensor:
        total = torch.zeros(columns.shape, dtype=torch.float64, device=columns.device)
        for z in blocks():
            centred = z - mean
            total += centred.T @ (centred @ columns)
        return total

    return lanczos(product, _start(gram, rank / 4), rank, missed, gram.spread)


def _start(gram: Gram, width: float) -> torch.Tensor:
    """A random block of `width` columns, or of as many as there are dims.

    Made a multiple of 64, at which BLAS is a quarter quicker than between.
    """
    dim = len(gram.mean_z)
    columns = min(dim, 64 * math.ceil(width / 64))
    return torch.randn(dim, columns, generator=torch.Generator().manual_seed(0)).to(gram.mean_z.device)
