"""Which shard × space is missing. No Ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from une_ray.lake.layout import Lake, space_folder
from une_ray.spaces.space import Space


@dataclass(frozen=True)
class ShardWork:
    """One shard and the spaces that it still lacks; with none, only its `images` table is missing."""

    shard: int
    spaces: tuple[str, ...]


def missing(lake: Lake, spaces: Sequence[Space]) -> list[ShardWork]:
    """What a build has left to do, from one listing per space. Empty for a finished lake."""
    have = {space.name: lake.committed(space_folder(space.name)) for space in spaces}
    images = lake.committed("images")
    work = [
        ShardWork(shard, tuple(name for name in have if shard not in have[name]))
        for shard in range(lake.shards)
    ]
    return [item for item in work if item.spaces or item.shard not in images]
