"""The plan on disk: a few large files, each of many shards, that are written once and never change.

A part's name has the hash of its rows: two builds that write the same part write the same file, and one that
is killed leaves a part that nothing names. What names parts is `noisezoo.json`, and then one record per
growth.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from une_ray.errors import UneError, reason
from une_ray.lake import schema
from une_ray.lake.store import Store

PART_ROWS = 65_536  # of one file: some megabytes, which a worker reads whole


@dataclass(frozen=True, kw_only=True)
class Part:
    """Shards `first` to `first + shards - 1`, a row group each; only the last of them may be short."""

    file: str
    first: int
    shards: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What was planned in one go: its parts, and the hash of its rows, labels included."""

    parts: Sequence[Part]
    sha256: str

    @property
    def images(self) -> int:
        return sum(part.images for part in self.parts)

    @property
    def shards(self) -> int:
        return sum(part.shards for part in self.parts)

    def to_record(self) -> dict[str, Any]:
        """As `noisezoo.json` and records of growth have it."""
        return {
            "images": self.images,
            "shards": self.shards,
            "plan_sha256": self.sha256,
            "parts": [asdict(part) for part in self.parts],
        }


def write_parts(store: Store, rows: Iterator[dict[str, Any]], shard_size: int, first: int = 0) -> Planned:
    """Cut rows of the plan into shards from number `first` on, and write them; holds one part in memory."""
    parts: list[Part] = []
    digest = hashlib.sha256()
    while tables := _shards_of_a_part(rows, shard_size, digest):
        table = pa.concat_tables(tables)
        name = f"plan/part-{first:07d}-{digest.hexdigest()[:16]}.parquet"
        data = schema.parquet(table, {"first": str(first)}, row_group_rows=shard_size)
        if not store.commit(name, data, replace=False) and not _holds(store, name, data, table):
            store.commit(name, data)  # of a build that died while the disk was full, or the power went
        parts.append(Part(file=name, first=first, shards=len(tables), images=len(table)))
        first += len(tables)
    return Planned(parts=parts, sha256=digest.hexdigest())


def _shards_of_a_part(rows: Iterator[dict[str, Any]], shard_size: int, digest: Any) -> list[pa.Table]:
    tables: list[pa.Table] = []
    for _ in range(max(1, PART_ROWS // shard_size)):
        shard = list(islice(rows, shard_size))
        if not shard:
            break
        digest.update(plan_digest(shard))
        columns = [field for field in schema.PLAN if field.name in shard[0]]  # early lakes have fewer
        tables.append(pa.Table.from_pylist(shard, schema=pa.schema(columns)))
    return tables


def _holds(store: Store, name: str, data: bytes, table: pa.Table) -> bool:
    """Whether a part that is there has the rows that its name says; another pyarrow writes other bytes."""
    present = store.read(name)
    try:
        return present == data or schema.read_parquet(present).equals(table)
    except (pa.ArrowInvalid, OSError):
        return False


def read_shard(store: Store, part: Part, shard: int, **options: Any) -> pa.Table:
    """The plan of one shard. Raises FileNotFoundError where the part is gone, UneError where it is
    damaged."""
    data = pa.BufferReader(_part(store, part.file))
    try:
        file = pq.ParquetFile(data, pre_buffer=False, **options)
        if part.shards == 1:  # an early lake's has row groups of 4,096
            return file.read(use_threads=False)
        return file.read_row_group(shard - part.first, use_threads=False)
    except (pa.ArrowInvalid, OSError, IndexError) as error:
        raise UneError(
            f"{store.url}/{part.file} is damaged ({reason(error)}): the plan of shards {part.first} to"
            f" {part.first + part.shards - 1}; restore it from a copy"
        ) from error


@functools.lru_cache(maxsize=2)
def _part(store: Store, name: str) -> bytes:
    """Shards come in order, so a worker reads each part about once; its name has its rows' hash."""
    return store.read(name)


def forget_parts() -> None:
    """Have the next reader read parts from disk again."""
    _part.cache_clear()


def plan_digest(rows: list[dict[str, Any]]) -> bytes:
    """SHA-256 of planned rows, labels included: a corrected caption or attribute is another corpus. Rows
    without metadata hash as they did before there was any."""
    said = [{key: value for key, value in row.items() if value or key != schema.METADATA} for row in rows]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
