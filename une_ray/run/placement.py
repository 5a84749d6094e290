"""How a cluster is shared between the actor pools of one build. No Ray: numbers in, numbers out.

All pools run at once, so every pool must get at least one actor, or the stages wait for each other for ever.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

READ_CPUS = 0.5  # not 1: with an actor's own share Ray Data would fuse reading into the first model's actors


@dataclass(frozen=True)
class Demand:
    """What one actor asks for: a share of a GPU where there are any, and else whether an actor on every
    core is worth it, or `on_cpus` of them at most."""

    gpus: float = 1.0
    per_core: bool = True
    on_cpus: int | None = None


@dataclass(frozen=True)
class Pool:
    """Between `least` and `most` actors, each with so many CPUs or such a share of a GPU."""

    least: int
    most: int
    cpus: float = 0.0
    gpus: float = 0.0


def allot(
    demands: Sequence[Demand], cpus: float, gpus: float, cores: int, actors: int | None = None
) -> list[Pool]:
    """One pool per demand, at most `actors` in each.

    With GPUs, each actor takes its share of one; where one actor of every pool would not fit, all shares
    are divided alike, so that several models sit on a GPU. Without, generators take an actor per core
    (inversion is nearly all the work), encoders one, and the CPUs are divided so that reading keeps its
    own.
    """
    if not demands:
        return []
    if gpus >= 1:
        return _on_gpus(demands, gpus, actors)
    sizes = [
        min(cores if demand.per_core else 1, actors or cores, demand.on_cpus or cores) for demand in demands
    ]
    share = min(1.0, _down((cpus - READ_CPUS) / sum(sizes)))
    share -= 0.01 if share == READ_CPUS else 0
    return [Pool(size, size, cpus=share) for size in sizes]


@dataclass(frozen=True)
class Places:
    """What each of many tasks takes of its node, CPUs and bytes of memory, and how many fit at once."""

    cpus: int
    memory: int
    at_once: int


def places(nodes: Sequence[tuple[float, float]], memory: int, most: int | None = None) -> Places:
    """For tasks that hold so many bytes, at most `most` at once, on nodes of so many CPUs and bytes.

    Products of matrices use what CPUs they are given, but several processes read and unpack faster than one
    with as many threads. So a node has as many tasks as its memory holds, of a CPU each at the least, and
    they share its CPUs; a node that can't hold one has none, unless no node can.
    """
    able = [(cpus, has) for cpus, has in nodes if cpus >= 1 and has >= memory]
    if not able:
        able = [max((node for node in nodes if node[0] >= 1), key=lambda node: node[1], default=(1.0, 0.0))]
        memory = int(able[0][1])
    fits = [max(1, min(int(cpus), int(has // memory) if memory else int(cpus))) for cpus, has in able]
    cpus = max(1, min(int(cpus / fit) for (cpus, _), fit in zip(able, fits)))
    return Places(cpus, memory, min(sum(fits), most or sum(fits)))


def _on_gpus(demands: Sequence[Demand], gpus: float, actors: int | None) -> list[Pool]:
    crowd = max(1, math.ceil(sum(demand.gpus for demand in demands) / gpus))
    shares = [_down(demand.gpus / crowd) for demand in demands]
    spare = gpus - sum(shares)
    most = [1 + max(0, int(spare / share)) for share in shares]
    if any(demand.per_core for demand in demands):  # encoders keep up with an inversion at one per GPU
        most = [
            size if demand.per_core else min(size, int(gpus))
            for size, demand in zip(most, demands, strict=True)
        ]
    return [Pool(1, min(size, actors or size), gpus=share) for share, size in zip(shares, most, strict=True)]


def local_slots(demands: Sequence[Demand], cores: int, actors: int | None = None) -> int:
    """Logical CPUs for a Ray that this job starts itself: one per actor and two for reading, however few
    the cores."""
    return max(cores, 2 + sum(pool.most for pool in allot(demands, math.inf, 0, cores, actors)))


def _down(share: float) -> float:
    """To hundredths, downwards: shares that are rounded up do not fit side by side."""
    return max(0.01, math.floor(share * 100 + 1e-9) / 100) if math.isfinite(share) else 1.0
