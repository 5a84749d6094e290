"""Which spaces share an actor. No Ray: spaces in, crews out.

One actor that holds every model of a build leaves no GPU idle, whatever each model costs: there is one pool,
so nothing is to be divided, and a shard's bytes are read once for all. A crew is such an actor's spaces. Only
two things split one: labels of nodes that some spaces ask for, and weights that do not fit together; the
crews of the latter take turns, each on the whole cluster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from une_ray.run.placement import Demand
from une_ray.run.plan import Work
from une_ray.spaces.space import Space

WEIGHTS_LIMIT = 16e9  # bytes of an actor's weights: what a card of 24 GB has beside one batch's activations
UNKNOWN = 2e9  # of a model in no row of the table: half precision of a billion parameters
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
OVERHEAD = 1.5  # a generator's text tower stays in float32, and mostly its autoencoder
CORE_GFLOPS = 50.0  # a second: rough, as they only decide how many actors and how large tasks
GPU_GFLOPS = 50_000.0
SECONDS_WORTH_AN_ACTOR = 20.0  # one that starts imports torch and loads models, which takes five
SECONDS_OF_A_TASK, IMAGES_OF_A_TASK = 10.0, 8192


@dataclass(frozen=True, kw_only=True)
class Crew:
    """Spaces of one actor, the cheapest first, and labels of the nodes that it may be on."""

    spaces: tuple[Space, ...]
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def gflops(self) -> float:
        """Of all its spaces for one image."""
        return sum(map(gflops, self.spaces))

    def demand(self, images: int) -> Demand:
        """The largest share of a GPU that one of its models asks for; without GPUs, as many actors as so many
        images keep busy."""
        seconds = self.gflops * images / CORE_GFLOPS
        most = max(1, math.ceil(seconds / SECONDS_WORTH_AN_ACTOR)) if math.isfinite(seconds) else None
        return Demand(max(space.model.gpus for space in self.spaces), per_core=True, on_cpus=most)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Crews that work at once, and what they have to do."""

    crews: Sequence[Crew]
    work: Work

    @property
    def spaces(self) -> list[Space]:
        return [space for crew in self.crews for space in crew.spaces]


def turns(
    spaces: Sequence[Space],
    work: Work,
    place: Mapping[str, Mapping[str, str]],
    limit: float = WEIGHTS_LIMIT,
) -> list[Turn]:
    """The work, one turn after another, the cheapest first; crews of one turn differ in their labels."""
    by_labels: dict[tuple[tuple[str, str], ...], list[Space]] = {}
    for space in spaces:
        by_labels.setdefault(tuple(sorted(place.get(space.name, {}).items())), []).append(space)
    queues = [
        sorted(packed(some, dict(labels), limit), key=lambda crew: crew.gflops)
        for labels, some in by_labels.items()
    ]
    found: list[Turn] = []
    for number in range(max(map(len, queues))):
        crews = [queue[number] for queue in queues if number < len(queue)]
        names = {space.name for crew in crews for space in crew.spaces}
        todo = work.of_spaces(names, unread=number == 0)
        if len(todo):
            found.append(Turn(crews=crews, work=todo))
    return found


def packed(
    spaces: Sequence[Space], labels: Mapping[str, str] = MappingProxyType({}), limit: float = WEIGHTS_LIMIT
) -> list[Crew]:
    """Crews by first-fit decreasing, whose weights are not over `limit`, unless one model's alone are."""
    bins: list[list[Space]] = []
    for space in sorted(spaces, key=weights, reverse=True):
        fitting = next((some for some in bins if sum(map(weights, some)) + weights(space) <= limit), None)
        if fitting is None:
            bins.append([space])
        else:
            fitting.append(space)
    return [Crew(spaces=tuple(sorted(some, key=gflops)), labels=labels) for some in bins]


def gflops(space: Space) -> float:
    """What a space costs per image; infinite where its kind or its model's row does not say."""
    return math.inf if space.gflops is None else space.gflops


def slow_without_gpus(spaces: Sequence[Space]) -> str:
    """A line on those that run in half precision, for whoever has no GPU; empty where none does."""
    halves = [space.name for space in spaces if space.runs_in_half]
    if not halves:
        return ""
    return (
        f"no GPU here: {', '.join(halves)} in half precision, which takes a processor 2 to 10 times as long"
        " as float32; une build --dtype float32 makes such spaces"
    )


def weights(space: Space) -> float:
    """Bytes of a space's weights in memory; UNKNOWN where its model's row does not say."""
    model = space.model
    if model.parameters is None:
        return UNKNOWN
    return model.parameters * 1e6 * BYTES[model.dtype] * (OVERHEAD if model.is_generator else 1.0)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How a turn's shards become tasks: `size` each, but the last `alone` ones."""

    size: int
    alone: int
    tasks: int

    @classmethod
    def of(cls, crew_gflops: float, images: int, shards: int, actors: int, on_gpus: bool) -> Cut:
        """Of so many shards of so many images."""
        size = shards_per_task(crew_gflops, images, shards, actors, on_gpus)
        alone = min(shards, 2 * actors if size > 1 else shards)
        return cls(size=size, alone=alone, tasks=math.ceil((shards - alone) / size) + alone)


def shards_per_task(crew_gflops: float, images: int, shards: int, actors: int, on_gpus: bool) -> int:
    """How many shards of so many images one task takes: some seconds' worth, at most 8,192 images, and few
    enough that every actor gets four tasks."""
    speed = GPU_GFLOPS if on_gpus else CORE_GFLOPS
    seconds = max(crew_gflops * images / speed, 1e-3)
    return max(1, int(min(SECONDS_OF_A_TASK / seconds, IMAGES_OF_A_TASK / images, shards / (4 * actors))))
