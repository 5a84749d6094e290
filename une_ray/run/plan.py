"""Which shard × space is missing. No Ray."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from une_ray.lake.layout import Lake, space_folder
from une_ray.spaces.space import Space


@dataclass(frozen=True)
class ShardWork:
    """One shard and the spaces that it still lacks; with none, only its `images` table is missing."""

    shard: int
    spaces: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Work(Sequence[ShardWork]):
    """Shards to be done, in twelve bytes each: there are millions where there are 10⁹ images.

    `shards` (n,) are their numbers, and `lacking[kinds[i]]` the spaces that shard `shards[i]` lacks.
    """

    shards: np.ndarray
    kinds: np.ndarray
    lacking: Sequence[tuple[str, ...]]

    @classmethod
    def of(cls, items: Iterable[ShardWork]) -> Work:
        """The same from its shards one by one."""
        listed = list(items)
        lacking = list(dict.fromkeys(item.spaces for item in listed))
        kinds = [lacking.index(item.spaces) for item in listed]
        return cls(
            shards=np.array([item.shard for item in listed], np.int64),
            kinds=np.array(kinds, np.int32),
            lacking=lacking,
        )

    def __len__(self) -> int:
        return len(self.shards)

    @overload
    def __getitem__(self, place: int) -> ShardWork: ...

    @overload
    def __getitem__(self, place: slice) -> Work: ...

    def __getitem__(self, place: int | slice) -> ShardWork | Work:
        if isinstance(place, slice):
            return Work(shards=self.shards[place], kinds=self.kinds[place], lacking=self.lacking)
        return ShardWork(int(self.shards[place]), self.lacking[self.kinds[place]])

    def __iter__(self) -> Iterator[ShardWork]:
        return (self[place] for place in range(len(self)))

    def begun_at(self, place: int) -> Work:
        """The same in a circle, from another place on."""
        return Work(
            shards=np.roll(self.shards, -place), kinds=np.roll(self.kinds, -place), lacking=self.lacking
        )

    def of_spaces(self, names: Collection[str], unread: bool) -> Work:
        """What is to be done of these spaces alone, and of shards that lack no space where `unread` is
        asked for."""
        lacking = [tuple(name for name in spaces if name in names) for spaces in self.lacking]
        counts = [
            bool(left) or (unread and not spaces) for left, spaces in zip(lacking, self.lacking, strict=True)
        ]
        kept = np.array(counts, bool)[self.kinds]
        return Work(shards=self.shards[kept], kinds=self.kinds[kept], lacking=lacking)


def missing(lake: Lake, spaces: Sequence[Space]) -> Work:
    """What a build has left to do, from one listing per space. Empty for a finished lake."""
    names = [space.name for space in spaces]
    committed = [lake.are_committed(space_folder(name)) for name in names]
    lacks = ~np.array(committed, bool).reshape(len(names), lake.shards).T
    (left,) = (lacks.any(axis=1) | ~lake.are_committed("images")).nonzero()
    sets, kinds = np.unique(lacks[left], axis=0, return_inverse=True)
    lacking = [tuple(name for name, is_lacking in zip(names, row) if is_lacking) for row in sets]
    return Work(shards=left, kinds=kinds.ravel().astype(np.int32), lacking=lacking)
