"""Work over all rows of a space: in one pass of this process, or part by part wherever the rows are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import torch

Blocks = Callable[[], Iterable]
"""Starts a pass over the latents: blocks (b, d) of any float type, together all rows in their order."""

Shared = TypeVar("Shared")
Own = TypeVar("Own")
Piece = TypeVar("Piece")


class Spread(Protocol):
    """Does a work on every run of rows, and adds up what they give, in the order of the rows.

    `work` takes the run's latents, what all runs are given and what is `own` to its rows, and returns a list
    of as many `pieces`; those of two runs, one behind the other, are added place by place.
    """

    def __call__(
        self,
        work: Callable[[Blocks, Shared, Own], list[Piece]],
        shared: Shared,
        own: Callable[[slice], Own],
        pieces: int,
    ) -> list[Piece]: ...


def here(blocks: Blocks, rows: int) -> Spread:
    """All rows in one run, in this process."""

    def spread(
        work: Callable[[Blocks, Shared, Own], list[Piece]],
        shared: Shared,
        own: Callable[[slice], Own],
        pieces: int,
    ) -> list[Piece]:
        return work(blocks, shared, own(slice(0, rows)))

    return spread


def taken(values: torch.Tensor, rows: slice) -> torch.Tensor:
    """A run of rows, in memory of their own unless they are all: a view would travel with the whole."""
    part = values[rows]
    return part if len(part) == len(values) else part.clone()
