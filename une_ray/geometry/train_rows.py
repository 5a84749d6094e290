"""Train rows as a method wants them, and their Gram, in one pass over the latents.

Few are gathered and kept in memory, whatever the number of others: with them ridge regressions work in
float64, where no λ is lost in the rounding of eigenvalues that are zero, and of many dims that is less work
than with a scatter. Of more the pass gives Grams, and what else a method reads is read again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from une_ray.errors import UneError
from une_ray.geometry.arrays import Booleans
from une_ray.geometry.gram import Gram, Rows, passes, refuse_not_finite, train_grams
from une_ray.geometry.linear import PENALTIES, RIDGES
from une_ray.geometry.spread import Blocks, Spread, taken

FEW = 4096  # train rows of a split
ROUNDING = 1e-12  # of the largest coordinate, which is no variation


RowsOf = Callable[[torch.Tensor, Booleans], Rows]
"""Of labels (n, k) and train rows (n,): what starts a pass over these."""


def train_rows(
    blocks: Blocks,
    y: torch.Tensor,
    known: Booleans,
    test: Booleans,
    method: str,
    penalties: Sequence[float] | None,
    device: str,
    spread: Spread,
) -> tuple[Iterator[Gram], RowsOf]:
    """The Gram of each split's train rows with labels `y` (n, k), and passes over such rows.

    `test` (n, splits) bool, `known` (n,) bool: the rows to look at. Raises NonFiniteLatents, and UneError
    where all of them are the same.
    """
    trained = [known & ~held_out for held_out in test.T]
    counts = [int(np.count_nonzero(train)) for train in trained]
    if _are_few(method, max(counts)):
        ever = known & ~test.all(1)
        z = gathered(ever, spread).to(device)
        of = lambda train: z[torch.as_tensor(train[ever])]  # noqa: E731
        exact = (exact_gram(of(train), 2 * y[train].to(device) - 1) for train in trained)
        return exact, lambda own, train: lambda: iter([(of(train).float(), own[train].to(device))])
    largest, least = scatter_up_to(method, device), exact_from(method, min(counts), penalties)
    grams = train_grams(blocks, 2 * y - 1, test, known, device, largest, least, spread)
    return grams, lambda own, train: _again(blocks, own, train, device)


def in_memory(
    z: torch.Tensor, y: torch.Tensor, method: str, penalties: Sequence[float] | None
) -> tuple[Gram, Rows]:
    """The same of rows z (n, d) with labels y (n, k) that are all train rows."""
    count, dims = z.shape
    if _are_few(method, count):
        return exact_gram(z, 2 * y - 1), lambda: iter([(z.double(), y)])
    gram = Gram.empty(dims, y.shape[1], scatter=dims <= scatter_up_to(method, "cpu"))
    gram.add(z, 2 * y - 1, dims >= exact_from(method, count, penalties))
    return gram, lambda: iter([(z.float(), y)])


def is_exact(method: str, latents: int, dims: int, penalties: Sequence[float] | None) -> bool:
    """Whether of so many latents a split is fitted in float64 throughout: one tests about a fifth of them."""
    train = latents * 3 // 4
    return _are_few(method, train) or dims >= exact_from(method, train, penalties)


def _are_few(method: str, rows: int) -> bool:
    return method in RIDGES and rows <= FEW


def scatter_up_to(method: str, device: str) -> float:
    """Dims up to which a method is given the scatter of many train rows.

    Of more, PCA reads the rows again and again: less work, and no d² numbers in memory. The difference of
    means needs none.
    """
    if method == "pca-logistic":
        return 8192 if device == "cpu" else 16384
    return 0 if method == "mean-difference" else math.inf


def exact_from(method: str, rows: int, penalties: Sequence[float] | None) -> float:
    """Dims from which a method wants a Gram of so many train rows in float64 throughout.

    That is where λ could be lost in its rounding: among eigenvalues that are zero, of no more rows than dims,
    or below the usual.
    """
    if method not in RIDGES:
        return math.inf
    is_small = method == "least-squares" or min(penalties or PENALTIES) < min(PENALTIES)
    return 0 if is_small else rows


@dataclass(frozen=True, eq=False)
class Gathered:
    """Blocks of latents (b, d) as they came, rows in their order."""

    blocks: list[np.ndarray]

    def __add__(self, other: Gathered) -> Gathered:
        """Of both, these rows before the other's."""
        return Gathered(self.blocks + other.blocks)


def gathered(selected: Booleans, spread: Spread) -> torch.Tensor:
    """Latents (m, d) of the `selected` rows (n,), in one pass. Raises NonFiniteLatents."""
    rows = torch.as_tensor(selected)
    own = lambda at: (at.start, taken(rows, at))  # noqa: E731
    (found,) = spread(_gather, None, own, 1)
    return torch.from_numpy(np.concatenate(found.blocks))


def _gather(blocks: Blocks, shared: None, own: tuple[int, torch.Tensor]) -> list[Gathered]:
    start, selected = own
    found = []
    for at, z in passes(blocks, len(selected)):
        refuse_not_finite(z.float(), start + at.start)
        found.append(z[selected[at]].numpy())
    return [Gathered(found)]


def exact_gram(z: torch.Tensor, y: torch.Tensor) -> Gram:
    """Of rows z (m, d) with labels y (m, k), in float64, without their scatter. Raises UneError where all
    rows are the same."""
    gram = Gram.empty(z.shape[1], y.shape[1], z.device, scatter=False)
    gram.add(z, y, exact=True)
    if len(z) and gram.spread <= len(z) * (ROUNDING * z.abs().max().item()) ** 2:
        raise UneError(f"all {len(z)} train rows have the same latent; there is nothing to read in them")
    return gram


def _again(blocks: Blocks, y: torch.Tensor, selected: Booleans, device: str) -> Rows:
    rows = torch.as_tensor(selected)

    def one_pass() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for at, z in passes(blocks, len(y)):
            yield z[rows[at]].to(device).float(), y[at][rows[at]].to(device)

    return one_pass
