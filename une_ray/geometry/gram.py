"""What every linear method needs to know of latents and labels, gathered in one pass (Chan, Golub & LeVeque 1983).

Second moments are kept about the mean, never about zero, so a space whose mean is far larger than its spread loses no
digits. Blocks are multiplied in float32 and summed in float64: against products in float64 throughout that halves the
time and costs 3e-7 of an entry's scale, √(S_ii S_jj). Memory is d² + dk numbers, whatever the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from une_ray.errors import UneError

Blocks = Callable[[], Iterable]
"""Starts a pass over the latents: blocks (b, d) of any float type, together all rows in their order."""

ROWS = 1024  # of one float32 product: more rows lose digits, fewer spend the time on adding up
PANEL = 512  # columns of one product: the panels skip nearly half of the symmetric matrix


class NonFiniteLatents(UneError):
    """Latents that hold NaN or infinity; `rows` are their positions in the first block that has any."""

    def __init__(self, rows: list[int]) -> None:
        super().__init__(f"latents of {len(rows)} rows hold NaN or infinity, at positions {rows[:10]}; leave these rows out")
        self.rows = rows


@dataclass
class Gram:
    """Count, means and scatter about them of latents z (n, d) and labels y (n, k): all float64, on one device."""

    count: int
    mean_z: torch.Tensor
    mean_y: torch.Tensor
    zz: torch.Tensor  # (d, d), of which only the panels at and right of the diagonal are kept: read it by `scatter`
    zy: torch.Tensor  # (d, k)
    yy: torch.Tensor  # (k,): the diagonal of YᵀY

    @classmethod
    def empty(cls, dim: int, labels: int, device: str | torch.device = "cpu") -> Gram:
        shapes = ((dim,), (labels,), (dim, dim), (dim, labels), (labels,))
        return cls(0, *(torch.zeros(shape, dtype=torch.float64, device=device) for shape in shapes))

    def add(self, z: torch.Tensor, y: torch.Tensor) -> None:
        """Take in rows z (b, d) with labels y (b, k), of any float types, all known."""
        for some_z, some_y in zip(z.split(ROWS), y.split(ROWS)):
            if len(some_z):
                self._add(some_z.float(), some_y.float())

    def _add(self, z: torch.Tensor, y: torch.Tensor) -> None:
        count = self.count + len(z)
        shift = math.sqrt(self.count * len(z) / count)
        centred_z, self.mean_z = _centre(z, self.mean_z, len(z) / count, shift)
        centred_y, self.mean_y = _centre(y, self.mean_y, len(z) / count, shift)
        for i in range(0, len(self.zz), PANEL):
            self.zz[i : i + PANEL, i:] += centred_z[:, i : i + PANEL].T @ centred_z[:, i:]
        self.zy += centred_z.T @ centred_y
        self.yy += centred_y.double().square().sum(0)
        self.count = count

    def labelled(self, columns: Sequence[int]) -> Gram:
        """The same rows with some of their labels; the latents' part is shared."""
        return Gram(self.count, self.mean_z, self.mean_y[columns], self.zz, self.zy[:, columns], self.yy[columns])

    def scatter(self) -> torch.Tensor:
        """Σ (z − z̄)(z − z̄)ᵀ (d, d), whole: the Gram's own memory, not a copy."""
        for i in range(0, len(self.zz), PANEL):
            self.zz[i + PANEL :, i : i + PANEL] = self.zz[i : i + PANEL, i + PANEL :].T
        return self.zz

    def __add__(self, other: Gram) -> Gram:
        """Of the rows of both."""
        return self._combine(other, 1)

    def __sub__(self, other: Gram) -> Gram:
        """Of the rows that are not among `other`'s, which are all among these."""
        return self._combine(other, -1)

    def _combine(self, other: Gram, sign: int) -> Gram:
        count = self.count + sign * other.count
        if not count:
            return Gram.empty(len(self.mean_z), len(self.mean_y), self.zz.device)
        share, weight = sign * other.count / count, sign * self.count * other.count / count
        z, y = other.mean_z - self.mean_z, other.mean_y - self.mean_y
        return Gram(
            count,
            self.mean_z + share * z,
            self.mean_y + share * y,
            torch.add(self.zz, other.zz, alpha=sign).addr_(z, z, alpha=weight),
            torch.add(self.zy, other.zy, alpha=sign).addr_(z, y, alpha=weight),
            self.yy + sign * other.yy + weight * y.square(),
        )


def _centre(x: torch.Tensor, mean: torch.Tensor, share: float, shift: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (b + 1, d) float32 and the new mean: `x` about its own mean, and the step between the means as one more row."""
    step = x.double().mean(0) - mean
    rows = torch.empty(len(x) + 1, x.shape[1], dtype=torch.float32, device=x.device)
    torch.sub(x, (mean + step).float(), out=rows[:-1])  # the mean's rounding enters squared
    rows[-1] = shift * step
    return rows, mean + share * step


def train_grams(blocks: Blocks, y: torch.Tensor, test: np.ndarray, known: np.ndarray, device: str = "cpu") -> Iterator[Gram]:
    """The Gram of every split's train rows, from one pass: that of all rows less that of the split's test rows.

    `y` (n, k) labels; `test` (n, splits) bool; `known` (n,) bool, the rows to look at. Splits + 1 Grams are held, or one for a
    single split. Raises NonFiniteLatents, and UneError where blocks and labels differ in their number of rows or all latents are the same.
    """
    ever = known & ~test.all(1)  # in some split's train rows
    away = [rows if (rows := ever & held_out).any() else None for held_out in test.T]
    whole, *parts = _accumulate(blocks, y, [ever, *(rows for rows in away if rows is not None)], device)
    if not whole.zz.any():
        raise UneError(f"all {whole.count} train rows have the same latent; there is nothing to read in them")
    for rows in away:
        yield whole if rows is None else whole - parts.pop(0)


def _accumulate(blocks: Blocks, y: torch.Tensor, selections: list[np.ndarray], device: str) -> list[Gram]:
    grams: list[Gram] = []
    for at, z in passes(blocks, len(y), device):
        grams = grams or [Gram.empty(z.shape[1], y.shape[1], device) for _ in selections]
        for gram, rows in zip(grams, selections):
            chosen = torch.as_tensor(rows[at], device=z.device)
            gram.add(z[chosen], y[at].to(z.device)[chosen])
    return grams


def passes(blocks: Blocks, rows: int, device: str = "cpu") -> Iterator[tuple[slice, torch.Tensor]]:
    """One pass: where a block's rows are, and its latents (b, d) float32 on `device`, looked through for NaN."""
    start = 0
    for block in _regrouped(blocks()):
        z = block.to(device).float()
        if not z.sum().isfinite():
            raise NonFiniteLatents((start + (~z.isfinite().all(1)).nonzero().flatten()).tolist())
        yield slice(start, start + len(z)), z
        start += len(z)
    if start != rows or not rows:
        raise UneError(f"{start} latents came for {rows} rows of labels; they must be the same rows, at least one, in the same order")


def _regrouped(blocks: Iterable) -> Iterator[torch.Tensor]:
    """The same rows in blocks of ROWS or more, whatever the size they come in."""
    waiting: list[torch.Tensor] = []
    for block in blocks:
        waiting.append(torch.as_tensor(block))
        if sum(map(len, waiting)) >= ROWS:
            yield torch.cat(waiting)
            waiting = []
    if waiting:
        yield torch.cat(waiting)


def principal_components(gram: Gram, rank: int, tolerance: float = 1e-4) -> tuple[torch.Tensor, torch.Tensor]:
    """The `rank` leading eigenvectors (d, rank) of the scatter and their eigenvalues (rank,), largest first.

    Small matrices by LAPACK; for rank ≪ d by subspace iteration with a Chebyshev filter (Zhou & Saad 2007) until the captured
    variance grows by less than `tolerance` of itself; what it still misses then is some ten times less. Components of fewer dimensions
    are the first of these.
    """
    scatter = gram.scatter()
    if len(scatter) <= 4 * rank or len(scatter) <= 512:
        values, vectors = torch.linalg.eigh(scatter)
        return vectors.flip(1)[:, :rank], values.flip(0)[:rank]
    single = scatter.float()  # twice as fast, and the subspace is approximate anyhow
    generator = torch.Generator().manual_seed(0)
    block = torch.randn(len(scatter), rank + max(10, rank // 10), generator=generator).to(scatter.device)
    values, block, image = _rayleigh_ritz(single, single @ block)
    captured, grown = values[:rank].sum().item(), math.inf
    while grown > tolerance:
        values, block, image = _rayleigh_ritz(single, _filter(single, block, image, values))
        found = values[:rank].sum().item()
        captured, grown = found, 1 - captured / found
    values, block, _ = _rayleigh_ritz(scatter, block.double())
    return block[:, :rank], values[:rank]


def _rayleigh_ritz(scatter: torch.Tensor, block: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ritz values, largest first, their vectors in the span of the block, and the scatter times those."""
    basis = torch.linalg.qr(block).Q
    image = scatter @ basis
    values, rotation = torch.linalg.eigh(basis.T @ image)
    rotation = rotation.flip(1)
    return values.flip(0), basis @ rotation, image @ rotation


def _filter(scatter: torch.Tensor, block: torch.Tensor, image: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """T_m of the scatter, mapped so that all below the block's smallest Ritz value stays within ±1; m keeps growth below 1e8."""
    half = values[-1].clamp_min(1e-12 * values[0]).item() / 2
    top = values[0].item() / half - 1
    degree = int(math.log(1e8) / math.acosh(max(top, 1.5)))
    before, now = block, image / half - block
    for _ in range(min(degree, 12) - 1):
        before, now = now, 2 * (scatter @ now / half - now) - before
    return now
