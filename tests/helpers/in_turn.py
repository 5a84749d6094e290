"""What a cluster does with a lake's parts, in this process: one after another, through what travels."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

import cloudpickle


def reduced(
    cluster: object,
    work: Callable[[Any, Any], list[Any]],
    part: Callable[[int], Any],
    sizes: Sequence[int],
    *,
    shared: Any = None,
    pieces: int = 1,
    memory: int = 0,
    label: str = "",
) -> list[Any]:
    """As `une_ray.run.reduce.reduced`."""
    there = travelled(shared)
    sums = travelled(work(there, travelled(part(0))))
    for i in range(1, len(sizes)):
        pairs = zip(sums, travelled(work(there, travelled(part(i)))), strict=True)
        sums = [travelled(ours + theirs) for ours, theirs in pairs]
    assert len(sums) == pieces
    return sums


def travelled(thing: Any) -> Any:
    """As it comes out on another machine."""
    return pickle.loads(cloudpickle.dumps(thing))


class Nobody:
    """A cluster that nobody starts."""

    def join(self) -> None:
        """Nothing to join."""
