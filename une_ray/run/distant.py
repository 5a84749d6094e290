"""Pictures that do not travel with their shard: read where they are used, and held only while they are.

A shard's pictures travel together as long as they are few enough bytes. Those of a heavier one every space
reads for itself, a batch at a time, so that no worker holds a shard whole. The batches are the same, and so
are the rows.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence

import pyarrow as pa

from une_ray.corpora import Corpus, open_corpus
from une_ray.pictures.decode import Reject
from une_ray.run import shard
from une_ray.run.rows import CORPUS


class DistantImages(Sequence[bytes | Reject | None]):
    """Encoded bytes of a shard's items, read when they are asked for; None where `images` has a reject.

    Reading raises UneError where an image is not what it was when its row was committed, or stays away. Safe
    for threads; travels to other processes.
    """

    def __init__(self, packed: pa.Table) -> None:
        """`packed` is of `rows.DISTANT`."""
        self.corpus = (packed.schema.metadata or {})[CORPUS].decode()
        self.rows = packed.select(["image_id", "source", "sha256"]).to_pylist()
        self.rejects: dict[int, Reject] = {}

    @functools.cached_property
    def opened(self) -> Corpus:
        return open_corpus(self.corpus)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place):  # type: ignore[no-untyped-def,override]  # nobody takes slices of it
        row = self.rows[place]
        if place in self.rejects:
            return self.rejects[place]
        if row["sha256"] is None:
            return None
        return shard.unchanged(row["image_id"], row["sha256"], shard.read_known(self.opened, row["source"]))

    def __iter__(self) -> Iterator[bytes | Reject | None]:
        return (self[place] for place in range(len(self)))

    def __setitem__(self, place: int, reject: Reject) -> None:
        """Have a reject in an image's place."""
        self.rejects[place] = reject
