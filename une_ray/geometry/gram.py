"""What every linear method needs of latents and labels, gathered in one pass (Chan, Golub & LeVeque 1983).

Second moments are kept about the mean, never about zero, so a space whose mean is far larger than its
spread loses no digits. Blocks are multiplied in float32 and summed in float64: against products in float64
throughout that halves the time and costs 3e-7 of an entry's scale, √(S_ii S_jj). Where that could decide,
as eigenvalues next to nothing do where there are fewer rows than dims, they are multiplied in float64. Memory
is d² + dk numbers, whatever the number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from une_ray.errors import UneError
from une_ray.geometry.arrays import Booleans
from une_ray.geometry.spread import Blocks, Spread, here, taken

Rows = Callable[[], Iterable[tuple[torch.Tensor, torch.Tensor]]]
"""Starts a pass over the train rows: features (b, d) float32 and labels (b, k) of 0 or 1."""

ROWS = 1024  # of one float32 product: more rows lose digits, fewer spend the time on adding up
LABELS = 32  # columns of labels that are multiplied together
PANEL = 512  # columns of one product: the panels skip nearly half of the symmetric matrix
# Of a float32 block that is read and forgotten: larger ones would have their memory mapped anew every time.
NUMBERS = 2**22


class NonFiniteLatents(UneError):
    """Latents that hold NaN or infinity.

    `rows` are their positions in the first block that has any: there may be more.
    """

    def __init__(self, rows: list[int]) -> None:
        super().__init__(
            f"latents of {len(rows)} rows or more hold NaN or infinity, at positions {rows[:10]}; "
            "leave these rows out"
        )
        self.rows = rows

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.rows,)


@dataclass
class Gram:
    """Count, means and scatter about them of latents z (n, d) and labels y (n, k): float64, on one device."""

    count: int
    mean_z: torch.Tensor
    mean_y: torch.Tensor
    zz: (
        torch.Tensor
    )  # (d, d), of which only the panels at and right of the diagonal are written: read it by `scatter`
    zy: torch.Tensor  # (d, k)
    yy: torch.Tensor  # (k,): the diagonal of YᵀY
    spread: float = 0.0  # Σ‖z − z̄‖², the trace of the scatter

    @classmethod
    def empty(cls, dim: int, labels: int, device: str | torch.device = "cpu", scatter: bool = True) -> Gram:
        """Of no rows. Without `scatter` memory is dk numbers, and `zz` stays (0, 0)."""

        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        square = zeros(dim, dim) if scatter else zeros(0, 0)
        return cls(0, zeros(dim), zeros(labels), square, zeros(dim, labels), zeros(labels))

    def add(self, z: torch.Tensor, y: torch.Tensor, exact: bool = False) -> None:
        """Take in rows z (b, d) with labels y (b, k), of any float types, all known; `exact` in float64."""
        kind = torch.float64 if exact else torch.float32
        for part_z, part_y in zip(z.split(ROWS), y.split(ROWS)):
            if len(part_z):
                self._add(part_z.to(kind), part_y.to(kind))

    def _add(self, z: torch.Tensor, y: torch.Tensor) -> None:
        count, labels = self.count + len(z), y.shape[1]
        shift = math.sqrt(self.count * len(z) / count)
        centred_z, self.mean_z = _centre(z, self.mean_z, len(z) / count, shift)
        mean_y = in_panels(self.mean_y[None])[0]
        centred_y, mean_y = _centre(in_panels(y), mean_y, len(z) / count, shift)
        self.mean_y = mean_y[:labels]
        for i in range(0, len(self.zz), PANEL):
            self.zz[i : i + PANEL, i:] += centred_z[:, i : i + PANEL].T @ centred_z[:, i:]
        self.spread += centred_z.square().sum(1).double().sum().item()
        self.zy += (centred_z.T @ centred_y)[:, :labels]
        self.yy += centred_y.double().square().sum(0)[:labels]
        self.count = count

    def labelled(self, columns: Sequence[int]) -> Gram:
        """The same rows with some of their labels; the latents' part is shared."""
        return Gram(
            self.count,
            self.mean_z,
            self.mean_y[columns],
            self.zz,
            self.zy[:, columns],
            self.yy[columns],
            self.spread,
        )

    @property
    def has_scatter(self) -> bool:
        return len(self.zz) == len(self.mean_z)

    def scatter(self) -> torch.Tensor:
        """Σ (z − z̄)(z − z̄)ᵀ (d, d), whole: the Gram's own memory, not a copy. Only where `has_scatter`."""
        for i in range(0, len(self.zz), PANEL):
            self.zz[i + PANEL :, i : i + PANEL] = self.zz[i : i + PANEL, i + PANEL :].T
        return self.zz

    def __getstate__(self) -> dict[str, Any]:
        """What travels: arrays, of the scatter only the panels that are written, little more than half."""
        panels = [_array(self.zz[i : i + PANEL, i:]) for i in range(0, len(self.zz), PANEL)]
        state = {field.name: getattr(self, field.name) for field in fields(self)} | {"zz": panels}
        return {key: _array(v) if isinstance(v, torch.Tensor) else v for key, v in state.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        panels = state["zz"]
        zz = np.zeros((panels[0].shape[1],) * 2 if panels else (0, 0))
        for i, panel in enumerate(panels):
            zz[i * PANEL : (i + 1) * PANEL, i * PANEL :] = panel
        arrays = {key: v.copy() for key, v in state.items() if isinstance(v, np.ndarray)} | {"zz": zz}
        self.__dict__.update(state | {key: torch.from_numpy(v) for key, v in arrays.items()})

    def __add__(self, other: Gram) -> Gram:
        """Of the rows of both. Raises UneError where they differ in their dims."""
        if len(self.mean_z) != len(other.mean_z):
            lengths = sorted((len(self.mean_z), len(other.mean_z)))
            raise UneError(f"latents of several lengths in one space, {lengths}; see une verify")
        return self._combine(other, 1)

    def __sub__(self, other: Gram) -> Gram:
        """Of the rows that are not among `other`'s, which are all among these."""
        return self._combine(other, -1)

    def _combine(self, other: Gram, sign: int) -> Gram:
        count = self.count + sign * other.count
        if not count:
            return Gram.empty(len(self.mean_z), len(self.mean_y), self.zz.device, self.has_scatter)
        share, weight = sign * other.count / count, sign * self.count * other.count / count
        z, y = other.mean_z - self.mean_z, other.mean_y - self.mean_y
        zz = self.zz
        if self.has_scatter:
            zz = torch.add(self.zz, other.zz, alpha=sign).addr_(z, z, alpha=weight)
        zy = in_panels(torch.add(self.zy, other.zy, alpha=sign))
        zy = zy.addr_(z, in_panels(y[None])[0], alpha=weight)[:, : len(y)]
        return Gram(
            count,
            self.mean_z + share * z,
            self.mean_y + share * y,
            zz,
            zy,
            self.yy + sign * other.yy + weight * y.square(),
            self.spread + sign * other.spread + weight * z.square().sum().item(),
        )


def _array(values: torch.Tensor) -> np.ndarray:
    """In memory of its own, without gaps."""
    return np.array(values.cpu().numpy(), order="C")


def in_panels(columns: torch.Tensor) -> torch.Tensor:
    """Columns (n, k) with columns of zeros behind them, up to whole panels.

    A product's kernels depend on its width, and with them the last bits: an attribute's numbers must not
    depend on how many others are computed beside it.
    """
    return torch.nn.functional.pad(columns, (0, -columns.shape[1] % LABELS))


def column_sums(columns: torch.Tensor) -> torch.Tensor:
    """(k,) sums of columns (n, k), the same bits whatever stands beside a column."""
    return in_panels(columns).sum(0)[: columns.shape[1]]


def _centre(
    x: torch.Tensor, mean: torch.Tensor, share: float, shift: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (b + 1, d), `x` about its own mean and the step between the means, and the new mean."""
    step = x.double().mean(0) - mean
    rows = torch.empty(len(x) + 1, x.shape[1], dtype=x.dtype, device=x.device)
    torch.sub(x, (mean + step).to(x.dtype), out=rows[:-1])  # the mean's rounding enters squared
    rows[-1] = shift * step
    return rows, mean + share * step


def centred(gram: Gram, rows: Rows) -> torch.Tensor:
    """The `rows` that `gram` is of less their mean, (n, d) float64."""
    found = torch.empty(gram.count, len(gram.mean_z), dtype=torch.float64, device=gram.mean_z.device)
    start = 0
    for z, _ in rows():
        torch.sub(z, gram.mean_z, out=found[start : start + len(z)])
        start += len(z)
    return found


def train_grams(
    blocks: Blocks,
    y: torch.Tensor,
    test: Booleans,
    known: Booleans,
    device: str = "cpu",
    scatter_up_to: float = math.inf,
    exact_from: float = math.inf,
    spread: Spread | None = None,
) -> Iterator[Gram]:
    """The Gram of every split's train rows, from one pass: that of all rows less that of its test rows.

    `y` (n, k) labels; `test` (n, splits) bool; `known` (n,) bool, the rows to look at. Splits + 1 Grams are
    held, or one for a single split; of more than `scatter_up_to` dims they have no scatter, of `exact_from`
    dims or more all products are in float64. Raises NonFiniteLatents, and UneError where blocks and labels
    differ in their number of rows or all latents are the same. With `spread` the pass is wherever that reads
    the rows, on their own CPUs.
    """
    ever = known & ~test.all(1)  # in some split's train rows
    away = [ever & held_out for held_out in test.T]
    selections = [torch.as_tensor(rows) for rows in (ever, *away) if rows is ever or rows.any()]
    own = lambda rows: _Labelled(rows.start, taken(y, rows), [taken(each, rows) for each in selections])  # noqa: E731
    spread = spread or here(blocks, len(y))
    whole, *parts = spread(_accumulate, (device, scatter_up_to, exact_from), own, len(selections))
    if not whole.spread:
        raise UneError(f"all {whole.count} train rows have the same latent; there is nothing to read in them")
    for rows in away:
        yield whole - parts.pop(0) if rows.any() else whole


@dataclass(frozen=True, eq=False)
class _Labelled:
    """A run of rows: where they begin, labels y (n, k), and which of them (n,) each Gram is of."""

    start: int
    y: torch.Tensor
    selections: list[torch.Tensor]


def _accumulate(blocks: Blocks, how: tuple[str, float, float], own: _Labelled) -> list[Gram]:
    """The Gram of each selection of a run of rows, by device, largest scatter and least dims in float64."""
    grams: list[Gram] = []
    (device, scatter_up_to, exact_from), y = how, own.y
    for at, block in passes(blocks, len(y), scatter_up_to):
        z = block.to(device).float()
        refuse_not_finite(z, own.start + at.start)
        grams = grams or [
            Gram.empty(z.shape[1], y.shape[1], device, z.shape[1] <= scatter_up_to) for _ in own.selections
        ]
        for gram, rows in zip(grams, own.selections):
            selected = rows[at].to(z.device)
            gram.add(z[selected], y[at].to(z.device)[selected], z.shape[1] >= exact_from)
    return grams


def refuse_not_finite(z: torch.Tensor, start: int) -> None:
    """Raise NonFiniteLatents for rows z (b, d) float32, of which `start` is the first one's number."""
    if not z.sum().isfinite():
        raise NonFiniteLatents((start + (~z.isfinite().all(1)).nonzero().flatten()).tolist())


def passes(blocks: Blocks, rows: int, scatter_up_to: float = 0) -> Iterator[tuple[slice, torch.Tensor]]:
    """One pass: where a block's rows are, and its latents (b, d) as they came.

    Up to `scatter_up_to` dims blocks are of ROWS, as a Gram's products want them, otherwise of NUMBERS.
    Raises UneError where there are not `rows`.
    """
    start = 0
    for block in _regrouped(blocks()):
        dim = block.shape[1]
        for part in block.split(ROWS if dim <= scatter_up_to else max(1, NUMBERS // dim)):
            yield slice(start, start + len(part)), part
            start += len(part)
    if start != rows or not rows:
        raise UneError(
            f"{start} latents came for {rows} rows of labels; they must be the same rows, at least one, "
            "in the same order"
        )


def _regrouped(blocks: Iterable) -> Iterator[torch.Tensor]:
    """The same rows in blocks of ROWS or more, whatever the size they come in."""
    waiting: list[torch.Tensor] = []
    for block in blocks:
        waiting.append(torch.as_tensor(block))
        if sum(map(len, waiting)) >= ROWS:
            yield torch.cat(waiting) if len(waiting) > 1 else waiting[0]
            waiting = []
    if waiting:
        yield torch.cat(waiting)
