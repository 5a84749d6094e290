"""How a cluster is shared between the actor pools of one build. No Ray: numbers in, numbers out.

All pools run at once, so every pool must get at least one actor, or the stages wait for each other for ever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from une_ray.spaces.space import Space

READ_CPUS = 0.5  # not 1: with an actor's own share Ray Data would fuse reading into the first model's actors


@dataclass(frozen=True)
class Pool:
    """Between `least` and `most` actors, each with so many CPUs or such a share of a GPU."""

    least: int
    most: int
    cpus: float = 0.0
    gpus: float = 0.0


def allot(
    spaces: Sequence[Space], cpus: float, gpus: float, cores: int, actors: int | None = None
) -> list[Pool]:
    """One pool per space. With GPUs, each actor takes its model's share of one; where one actor of every space would not
    fit, all shares are divided alike, so that several models sit on a GPU. Without, generators take an actor per core
    (inversion is nearly all the work), encoders one, and the CPUs are divided so that reading keeps its own.
    `actors` caps every pool.
    """
    if gpus >= 1:
        crowd = max(1, math.ceil(sum(space.model.gpus for space in spaces) / gpus))
        shares = [_down(space.model.gpus / crowd) for space in spaces]
        spare = gpus - sum(shares)
        most = [1 + max(0, int(spare / share)) for share in shares]
        if any(
            space.model.is_generator for space in spaces
        ):  # encoders keep up with an inversion at one per GPU
            most = [
                size if space.model.is_generator else min(size, int(gpus))
                for space, size in zip(spaces, most, strict=True)
            ]
        return [
            Pool(1, min(size, actors or size), gpus=share) for share, size in zip(shares, most, strict=True)
        ]
    sizes = [min(cores if space.model.is_generator else 1, actors or cores) for space in spaces]
    share = min(1.0, _down((cpus - READ_CPUS) / sum(sizes)))
    share -= 0.01 if share == READ_CPUS else 0
    return [Pool(size, size, cpus=share) for size in sizes]


def local_slots(spaces: Sequence[Space], cores: int, actors: int | None = None) -> int:
    """Logical CPUs for a Ray that this build starts itself: one per actor and two for reading, however few the cores."""
    return max(cores, 2 + sum(pool.most for pool in allot(spaces, math.inf, 0, cores, actors)))


def _down(share: float) -> float:
    """To hundredths, downwards: shares that are rounded up do not fit side by side."""
    return max(0.01, math.floor(share * 100 + 1e-9) / 100) if math.isfinite(share) else 1.0
