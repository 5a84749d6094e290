"""Shards' files merged into large ones: a query asks an object store once per file, whatever its size.

A folder is merged in four steps: large files are written where nobody reads; a marker goes into the folder
(see `lake.files`); the large files come in under their names; after a grace, in which queries that began
before still find their files, those that are merged go, and then the marker. Whoever is killed between has
lost nothing, and the next call takes up what it finds. One works on a lake at a time: others wait for its
lease, and take that over when it no longer beats.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.files import (
    MARKER,
    ShardFile,
    current,
    is_unfinished,
    marker_file,
    merged_file,
    shard_files,
    sizes,
)
from une_ray.lake.layout import COMPACTION, Lake, fingerprint_file, space_folder

SIZE = 256 << 20  # bytes of a merged file, about
GRACE = 60.0  # seconds that queries may still read what is merged
LISTING = (
    0.1  # of the grace: a reader whose listing began before a marker came, or before files went, ends it
)
BEAT, DEAD = 2.0, 20.0  # seconds between two signs of life, and without one until a lease is taken over
ROW_GROUP = 32 << 20  # bytes: what a thread of DuckDB holds
THREADS = 2  # files that are merged at once: each is held in memory


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """What became of one folder."""

    folder: str
    before: int
    after: int


Group = Sequence[ShardFile]
"""Files that become one."""

Spread = Callable[[Callable[[Group], str], Sequence[Group]], Iterator[str]]
"""Does a work for every group, in their order: on this machine, or on many."""


def here(work: Callable[[Group], str], groups: Sequence[Group]) -> Iterator[str]:
    """On this machine."""
    with ThreadPoolExecutor(THREADS) as threads:
        yield from threads.map(work, groups)


def compact(
    lake: Lake,
    size: int = SIZE,
    grace: float = GRACE,
    say: Callable[[str], None] = lambda line: None,
    spread: Spread = here,
    *,
    folders: Sequence[str] | None = None,
    full: bool = False,
    waits: bool = True,
) -> Iterator[Compacted]:
    """Merge the files of every space, and of `images`, into ones of about `size` bytes; yields what became of
    each folder.

    Nothing that is asked of the lake changes by it. `spread` says where files are read and written; this
    call alone gives them their names. `folders` are all unless they are named; `full` leaves files alone that
    are too few yet for one of the size, as between shards that a build has still to do. Where another call is
    at work this one waits for it, or without `waits` does nothing. Raises UneError where files of one space
    are not alike, and where another call takes the lease of one that was stopped for too long.
    """
    lake.existing()
    with _lease(lake, say, waits) as check:
        if check is None:
            return
        lake.store.sweep()
        before = {}
        for folder in tables(lake):  # also those that are not asked for: what was begun is finished
            before[folder] = len(shard_files(lake.store.names(folder)))
            check()
            _finish(lake, folder, grace, check)
        for folder in tables(lake) if folders is None else folders:
            _merge(lake, folder, size, grace, check, spread, full)
            after = len(shard_files(lake.store.names(folder)))
            yield Compacted(folder=folder, before=before.get(folder, 0), after=after)


def tables(lake: Lake) -> list[str]:
    """Folders whose files are shards'."""
    return ["images", *map(space_folder, lake.fingerprints())]


def has_work(lake: Lake, folder: str, size: int = SIZE, full: bool = False) -> bool:
    """Whether `compact` would merge anything in a folder, or has something to finish there; one listing."""
    bytes_of = sizes(lake.store, folder)
    return is_unfinished(bytes_of) or bool(_wanted(bytes_of, size, full))


def groups(
    files: Sequence[ShardFile], bytes_of: Mapping[str, int], size: int, full: bool = False
) -> list[list[ShardFile]]:
    """Files to be merged with each other: neighbours, less than half of `size`, until they have it, or where
    `full` only such as have it; and whatever its size, what shares shards."""
    found: list[list[ShardFile]] = []
    group: list[ShardFile] = []

    def end() -> None:
        if len(group) > 1 and not (full and sum(bytes_of[file.name] for file in group) < size):
            found.append(list(group))
        group.clear()

    for sharing in _sharing(files):
        if len(sharing) > 1:
            end()
            found.append(sharing)
            continue
        (file,) = sharing
        is_small = bytes_of[file.name] < size // 2
        is_next = bool(group) and group[-1].last + 1 == file.first
        if not (is_small and is_next and sum(bytes_of[f.name] for f in group) < size):
            end()
        if is_small:
            group.append(file)
    end()
    return found


def _sharing(files: Sequence[ShardFile]) -> Iterator[list[ShardFile]]:
    """Files, each with those that share shards with it: left by two calls that did not know of each other."""
    sharing: list[ShardFile] = []
    for file in files:
        if sharing and file.first > sharing[-1].last:
            yield sharing
            sharing = []
        sharing = [*sharing, file]
    if sharing:
        yield sharing


def _wanted(bytes_of: Mapping[str, int], size: int, full: bool) -> list[list[ShardFile]]:
    return groups(current(bytes_of), bytes_of, size, full)


def _merge(
    lake: Lake, folder: str, size: int, grace: float, check: Callable[[], None], spread: Spread, full: bool
) -> None:
    identity = _identity(lake, folder)
    wanted = _wanted(sizes(lake.store, folder), size, full)
    if not wanted:
        return
    staged: list[str] = []
    try:
        for temporary in spread(partial(stage, lake, folder), wanted):
            staged.append(temporary)
            check()
        if _identity(lake, folder) != identity:
            return
        lake.store.commit(f"{folder}/{marker_file()}", b"")
        _wait(grace * LISTING, check)
        moved = []
        for temporary, group in zip(staged, wanted, strict=True):
            check()
            if _identity(lake, folder) != identity:
                break
            moved.append(f"{folder}/{merged_file(group[0].first, group[-1].last)}")
            lake.store.move(temporary, moved[-1])
        if _identity(lake, folder) != identity:  # of what is removed, or another's by now
            for name in moved:
                lake.store.remove(name)
    finally:
        for temporary in staged:
            lake.store.remove(temporary)  # nothing where it was moved
    _finish(lake, folder, grace, check)


def _identity(lake: Lake, folder: str) -> Hashable:
    """What is another where a space was removed, or made anew, meanwhile."""
    if folder == "images":
        return folder
    try:
        return lake.store.version(fingerprint_file(unquote(folder.partition("space=")[2])))
    except FileNotFoundError:
        return None


def stage(lake: Lake, folder: str, group: Group) -> str:
    """Write the file of a group where nobody reads; its name."""
    name = f"tmp/{uuid.uuid4().hex}.parquet"
    lake.store.commit(name, merged(lake, folder, group))
    return name


def _finish(lake: Lake, folder: str, grace: float, check: Callable[[], None]) -> None:
    """Remove files that are merged, then markers: this call's and those of killed ones."""
    names = lake.store.names(folder)
    superseded = {file.name for file in shard_files(names)} - {file.name for file in current(names)}
    markers = {name for name in names if MARKER.fullmatch(name)}
    if superseded and not markers:  # a shard that a build made again after it was merged
        marker = marker_file()
        lake.store.commit(f"{folder}/{marker}", b"")
        markers = {marker}
    if superseded:
        _wait(grace, check)
        identity, names = _identity(lake, folder), lake.store.names(folder)
        still = {file.name for file in shard_files(names)} - {file.name for file in current(names)}
        for name in sorted(superseded & still):  # what is there now: the space may have been made anew
            check()
            if _identity(lake, folder) != identity:
                break
            lake.store.remove(f"{folder}/{name}")
        _wait(grace * LISTING, check)
    for name in sorted(markers):
        lake.store.remove(f"{folder}/{name}")


def _wait(seconds: float, check: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(1.0, left))
        check()


def merged(lake: Lake, folder: str, group: Sequence[ShardFile]) -> bytes:
    """One Parquet file of all that `group` holds, in the order of its shards."""
    columns = schema.IMAGES if folder == "images" else schema.SPACE
    stamp: dict[str, str] | None = None
    truncated: list[str] = []
    sink, rows = pa.BufferOutputStream(), []
    writer: pq.ParquetWriter | None = None
    waiting: list[pa.Table] = []
    for shard in sorted({shard for file in group for shard in file.shards}):
        table = lake.read_shard(folder, shard)
        own = _stamp(table)
        if stamp is not None and own != stamp:
            raise UneError(
                f"{folder}: shard {shard} is stamped otherwise than {group[0].name}; see une verify"
            )
        stamp = own
        writer = writer or schema.writer(sink, columns.with_metadata(_stamped(own)))
        rows.append(len(table))
        truncated += _truncated(table)
        waiting.append(schema.completed(table, columns))
        if sum(part.nbytes for part in waiting) >= ROW_GROUP:
            _write(writer, waiting)
    assert writer is not None
    _write(writer, waiting)
    writer.add_key_value_metadata({"rows_of_shards": json.dumps(rows)})
    if truncated:
        writer.add_key_value_metadata({"truncated": json.dumps(truncated)})
    writer.close()
    return sink.getvalue().to_pybytes()


def _write(writer: pq.ParquetWriter, waiting: list[pa.Table]) -> None:
    if waiting:
        table = pa.concat_tables(waiting).combine_chunks()
        writer.write_table(table, row_group_size=max(1, len(table)))
        waiting.clear()


def _stamped(stamp: dict[str, str]) -> dict[str, str]:
    return {"noisezoo_version": str(schema.VERSION), **stamp}


def _stamp(table: pa.Table) -> dict[str, str]:
    """What a file says of itself, less what is its shard's alone, and the name that its folder has."""
    own = (b"ARROW:schema", b"noisezoo_version", b"space", b"shard", b"rows_of_shards", b"truncated")
    return {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items() if k not in own}


@contextmanager
def _lease(lake: Lake, say: Callable[[str], None], waits: bool) -> Iterator[Callable[[], None] | None]:
    """Hold the lake's compaction; gives what raises UneError once another has it, None where another has it
    now and this one does not wait."""
    record: dict[str, Any] = {"owner": uuid.uuid4().hex, "host": socket.gethostname(), "pid": os.getpid()}
    if not _acquire(lake, record, say, waits):
        yield None
        return
    stop, lost, confirmed = Event(), Event(), [time.monotonic()]

    def is_held(count: int) -> bool:
        """Whether the lease is still this one's, which says so anew."""
        if _holder(lake).get("owner") != record["owner"]:
            lost.set()
            return False
        lake.store.commit(COMPACTION, json.dumps(record | {"beat": count}).encode())
        confirmed[0] = time.monotonic()
        return True

    def beat() -> None:
        count = 0
        while not stop.wait(BEAT):
            try:
                count += 1
                if not is_held(count):
                    return
            except (UneError, OSError):
                continue  # a store that does not answer now: another takes over if it stays so

    def check() -> None:
        """A process that was stopped wakes here before its beats do."""
        if lost.is_set() or (time.monotonic() - confirmed[0] > DEAD / 4 and not is_held(-1)):
            raise UneError(f"another une compact of {lake.url} has taken over; this one was stopped too long")

    thread = Thread(target=beat, daemon=True)
    thread.start()
    ended = False
    try:
        yield check
        ended = True
    finally:
        stop.set()
        thread.join()
        # Of what is unfinished the lease stays: by it sessions know which files count, and the next call
        # takes it over.
        if (ended or not _any_unfinished(lake)) and not lost.is_set():
            if _holder(lake).get("owner") == record["owner"]:
                lake.store.remove(COMPACTION)


def _any_unfinished(lake: Lake) -> bool:
    return any(is_unfinished(lake.store.names(folder)) for folder in tables(lake))


def _acquire(lake: Lake, record: dict[str, Any], say: Callable[[str], None], waits: bool) -> bool:
    """Whether the lease is this one's now. One that no longer beats is taken over, whoever `waits`."""
    data, since, said = json.dumps(record).encode(), time.monotonic(), False
    seen: dict[str, Any] = {}
    while not lake.store.commit(COMPACTION, data, replace=False):
        holder = _holder(lake)
        if holder != seen:
            if seen and not waits:
                return False
            seen, since = holder, time.monotonic()
        elif time.monotonic() - since > DEAD and _holder(lake) == seen:
            lake.store.remove(COMPACTION)
            continue
        if holder and waits and not said:
            say(f"another une compact ({holder['host']}, process {holder['pid']}) has this lake; waiting")
            said = True
        time.sleep(BEAT / 2)
    return True


def _holder(lake: Lake) -> dict[str, Any]:
    try:
        return json.loads(lake.store.read(COMPACTION))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def _truncated(table: pa.Table) -> list[str]:
    """Which of a shard's captions were cut off, of all that its file names."""
    named = json.loads((table.schema.metadata or {}).get(b"truncated", b"[]"))
    if not named:
        return []
    own = set(table["image_id"].to_pylist())
    return [image_id for image_id in named if image_id in own]
