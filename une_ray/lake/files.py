"""Which files a table's shards are in: one each, or many in a larger one that `une compact` wrote.

    shard-00000.parquet           one shard
    merged-00000-00063.parquet    shards 0 to 63; what they had before goes when this has come

A shard is in two files only while `une compact` is at work, and the larger one counts. As long as that is so
the folder holds a file that no reader of Parquet opens and whose name says why: nobody counts a row twice.
"""

from __future__ import annotations

import functools
import json
import os
import re
import uuid
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from une_ray.errors import UneError
from une_ray.lake.store import Store

SHARD = re.compile(r"(?:shard|merged)-(\d{5,})(?:-(\d{5,}))?\.parquet")
MARKER = re.compile(r"merging-.*\.parquet")


@dataclass(frozen=True, kw_only=True)
class ShardFile:
    """A file of the shards `first` to `last`."""

    name: str
    first: int
    last: int

    @property
    def shards(self) -> range:
        return range(self.first, self.last + 1)


def shard_file(shard: int) -> str:
    return f"shard-{shard:05d}.parquet"


def merged_file(first: int, last: int) -> str:
    return f"merged-{first:05d}-{last:05d}.parquet"


def marker_file() -> str:
    """Sorted between `merged-` and `shard-`: a listing that sees a shard twice sees this too."""
    return f"merging-{uuid.uuid4().hex[:8]}-une-compact-is-at-work-or-was-killed-then-run-it-again.parquet"


def spans(names: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Those of `names` that hold shards, each with its first and last one."""
    for name in names:
        match = SHARD.fullmatch(name)
        if match:
            yield name, int(match[1]), int(match[2] or match[1])


def shard_files(names: Iterable[str]) -> list[ShardFile]:
    """Those of `names` that hold shards, in the order of their shards, a larger one first."""
    files = [ShardFile(name=name, first=first, last=last) for name, first, last in spans(names)]
    return sorted(files, key=lambda file: (file.first, -file.last))


def current(names: Iterable[str]) -> list[ShardFile]:
    """Those that count: not the ones whose shards are all in a larger file."""
    kept: list[ShardFile] = []
    for file in shard_files(names):
        if not kept or file.last > kept[-1].last:
            kept.append(file)
    return kept


def without_superseded(paths: Iterable[str]) -> list[str]:
    """Paths of one listing of any folders, less the files that do not count and the marker of a merge."""
    folders: dict[str, set[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, set()).add(name)
    left = []
    for folder, names in sorted(folders.items()):
        gone = {file.name for file in shard_files(names)} - {file.name for file in current(names)}
        left += [f"{folder}/{n}" for n in sorted(names - gone) if not MARKER.fullmatch(n)]
    return left


def is_unfinished(names: Iterable[str]) -> bool:
    """Whether a merge of a folder with these files was begun and has not ended: it is at work or was killed,
    or two that did not know of each other left files that share shards."""
    names = list(names)
    counting = current(names)
    return (
        any(map(MARKER.fullmatch, names))
        or len(counting) < len(shard_files(names))
        or any(following.first <= file.last for file, following in zip(counting, counting[1:]))
    )


def read_merged(store: Store, folder: str, file: ShardFile, shard: int, **options: Any) -> pa.Table:
    """The table of one shard of a merged file, with the file's metadata. Raises UneError where the file does
    not hold the rows that it says its shards have."""
    name = f"{folder}/{file.name}"
    version = store.version(name)
    rows = _rows_of_shards(store, name, version, file)
    start, stop = sum(rows[: shard - file.first]), sum(rows[: shard - file.first + 1])
    parts, at = [], 0
    for group, count in enumerate(_rows_of_groups(store, name, version)):
        if at < stop and start < at + count:
            table = _row_group(store, name, version, group, **options)
            parts.append(table.slice(max(0, start - at), min(stop, at + count) - max(start, at)))
        at += count
    return pa.concat_tables(parts)


def metadata(store: Store, name: str) -> dict[str, Any]:
    """What a file's footer says of it: texts and JSON by key."""
    with store.open(name) as file:
        stamped = pq.ParquetFile(file, pre_buffer=False).metadata.metadata or {}
    return {key.decode(): value.decode() for key, value in stamped.items() if key != b"ARROW:schema"}


# What is remembered of a file is of this version of it: a name comes again where a space is removed and made
# anew.


@functools.lru_cache(maxsize=64)
def _rows_of_shards(store: Store, name: str, version: Hashable, file: ShardFile) -> list[int]:
    said = metadata(store, name).get("rows_of_shards")
    held = sum(_rows_of_groups(store, name, version))
    try:
        rows = json.loads(said or "null")
    except ValueError:
        rows = None
    is_list = isinstance(rows, list) and all(isinstance(count, int) and count >= 0 for count in rows)
    if is_list and len(rows) == len(file.shards) and sum(rows) == held:
        return rows
    what = f"says that {len(rows)} have {sum(rows):,}" if is_list else "does not say how many each has"
    raise UneError(
        f"{store.url}/{name} holds {held:,} rows of {len(file.shards)} shards, and {what}: it is damaged;"
        f" delete it and build again: shards {file.first} to {file.last} are made anew"
    )


@functools.lru_cache(maxsize=64)
def _rows_of_groups(store: Store, name: str, version: Hashable) -> list[int]:
    with store.open(name) as file:
        footer = pq.ParquetFile(file, pre_buffer=False).metadata
    return [footer.row_group(group).num_rows for group in range(footer.num_row_groups)]


@functools.lru_cache(maxsize=2)
def _row_group(store: Store, name: str, version: Hashable, group: int, **options: Any) -> pa.Table:
    """Shards come in order, so that a row group of several is read about once."""
    with store.open(name) as file:
        return pq.ParquetFile(file, pre_buffer=False, **options).read_row_group(group, use_threads=False)


def forget_merged() -> None:
    """Have the next reader read merged files from disk again."""
    for remembered in (_rows_of_shards, _rows_of_groups, _row_group):
        remembered.cache_clear()


def sizes(store: Store, folder: str) -> dict[str, int]:
    """Bytes of every file in `folder`, by name, from one listing; empty where it does not exist."""
    try:
        listed = store.filesystem.ls(store.path(folder), detail=True)
    except FileNotFoundError:
        return {}
    return {os.path.basename(str(info["name"])): int(info["size"] or 0) for info in listed}
