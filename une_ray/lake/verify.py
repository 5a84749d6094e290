"""`une verify`: every promise of a lake, checked from its files alone."""

from __future__ import annotations

import bisect
import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.files import MARKER, ShardFile, current, forget_merged, shard_file, shard_files
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.parts import forget_parts, plan_digest
from une_ray.lake.records import FROM_A_COPY, growth_file, refuse_lost_growth
from une_ray.lake.session import connect_bare, duckdb_path
from une_ray.lake.splits import placed

THREADS = min(32, 4 * (os.cpu_count() or 1))  # a shard's file is waited for, then looked at
Found = TypeVar("Found")

REPEATED = """
    SELECT image_id FROM read_parquet(?, hive_partitioning = false)
    GROUP BY image_id HAVING count(*) > 1 LIMIT 1"""


def verify(lake: Lake) -> Iterator[str]:
    """Lines of what holds. Raises UneError naming the first promise that does not."""
    forget_parts()  # what is on disk now
    forget_merged()
    _plan(lake)
    shards = range(lake.shards)
    _no_strangers(lake, len(shards))
    images = lake.manifest["images"]
    yield f"plan: {images:,} images in {len(shards)} shards, every id once, hash as in the manifest"
    readable = rejects = 0
    images_of = Checked(lake, "images")
    for ok, broken in _each(partial(_images, images_of), shards):
        readable, rejects = readable + ok, rejects + broken
    yield f"images: {readable:,} ok, {rejects:,} rejects, one row per id"
    for space, fingerprint in lake.fingerprints().items():
        count, dims = 0, set[int]()
        checked = Checked(lake, space_folder(space))
        for latents, dim in _each(partial(_space, checked, images_of, fingerprint), shards):
            count += latents
            if dim is not None:
                dims.add(dim)
        if len(dims) > 1:
            raise UneError(f"space {space!r}: latents of several lengths, {sorted(dims)}")
        length = dims.pop() if dims else "?"
        yield (
            f"space {space}: {count:,} latents of length {length}, one row per id, finite, fingerprint"
            " matches"
        )


def _each(check: Callable[[int], Found], shards: Sequence[int]) -> Iterator[Found]:
    """What `check` finds of every shard, in their order, some at once and so many in memory."""
    with ThreadPoolExecutor(THREADS) as threads:
        waiting: deque[Future[Found]] = deque()
        try:
            for shard in shards:
                waiting.append(threads.submit(check, shard))
                if len(waiting) > 2 * THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for later in waiting:
                later.cancel()


def _plan(lake: Lake) -> None:
    """Rows, their hash, and every id once."""
    refuse_lost_growth(lake.store)
    first = count = 0
    for record in lake.generations:
        digest = hashlib.sha256()
        for shard in range(first, first + record["shards"]):
            rows = _planned(lake, shard).to_pylist()
            digest.update(plan_digest(rows))
            count += len(rows)
        first += record["shards"]
        if digest.hexdigest() != record["plan_sha256"]:
            raise UneError(
                f"plan: its hash {digest.hexdigest()[:12]} is not the manifest's {record['plan_sha256'][:12]}"
            )
    if count != lake.manifest["images"]:
        raise UneError(f"plan: {count:,} images, the manifest says {lake.manifest['images']:,}")
    files = [duckdb_path(lake, lake.store.path(part.file)) for part in lake.parts]
    # DuckDB counts, because it spills to disk where a set of a hundred million ids would not fit.
    if connect_bare(lake).execute(REPEATED, [files]).fetchone():
        raise UneError("plan: an image id comes twice")


def _no_strangers(lake: Lake, shards: int) -> None:
    """The views read every file of these folders, so one that no build wrote would be rows that nobody
    planned."""
    folders = {"images", *(space_folder(space) for space in lake.fingerprints())}
    for folder in sorted(folders | {space_folder("none")}):
        names = {name for name in lake.store.names(folder) if name.endswith(".parquet")}
        counting = current(names)
        if len(counting) < len(shard_files(names)) or any(map(MARKER.fullmatch, names)):
            raise UneError(f"{folder}: files are being merged; une compact {lake.url} finishes it, or wait")
        last = shards if folder in folders else 0
        planned = {file.name for file in counting if file.last < last} | {"empty.parquet"}
        if strange := names - planned:
            raise UneError(
                f"{folder}/{min(strange)} belongs to no shard of the plan; SQL would read it:"
                f" {_remedy_of_stranger(lake, min(strange), last)}"
            )
        if "empty.parquet" in names and (rows := _rows(lake, f"{folder}/empty.parquet")):
            raise UneError(
                f"{folder}/empty.parquet has {rows:,} rows, which are of no shard; SQL would read them:"
                " delete it, and the next build writes it anew"
            )
        for file, following in zip(counting, counting[1:]):
            if following.first <= file.last:
                raise UneError(
                    f"{folder}: {file.name} and {following.name} share shards, whose rows count twice; une"
                    f" compact {lake.url} makes one file of both"
                )
    known = {space_folder(space) for space in (*lake.fingerprints(), "none")}
    for name in sorted(lake.store.names("spaces")):
        if f"spaces/{name}" not in known:
            remedy = "delete it"
            if shard_files(lake.store.names(f"spaces/{name}")):
                remedy += (
                    ", or where its fingerprint was lost, make the space as before, which writes that anew"
                )
            raise UneError(f"spaces/{name} is of no registered space; SQL would read it: {remedy}")


def _remedy_of_stranger(lake: Lake, name: str, shards: int) -> str:
    if not shards or not any(file.first >= shards for file in shard_files([name])):
        return "delete it"
    lost = growth_file(len(lake.generations))
    return (
        f"restore {lost} if the lake grew by it and that is lost; delete it if no build of this lake made it"
    )


def _rows(lake: Lake, name: str) -> int:
    """How many rows a file has, by its footer."""
    try:
        with lake.store.open(name) as file:
            return pq.ParquetFile(file, pre_buffer=False).metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise UneError(
            f"{name} is not readable Parquet ({error}); delete it, and the next build writes it anew"
        ) from error


@dataclass(frozen=True)
class Checked:
    """A folder whose shards are checked, by the files that they are in."""

    lake: Lake
    folder: str

    @cached_property
    def _files(self) -> list[ShardFile]:
        return self.lake.files(self.folder)

    @cached_property
    def _firsts(self) -> list[int]:
        return [file.first for file in self._files]

    def _file(self, shard: int) -> ShardFile | None:
        place = bisect.bisect_right(self._firsts, shard) - 1
        return self._files[place] if place >= 0 and shard in self._files[place].shards else None

    def name(self, shard: int) -> str:
        """The file that a shard is in, as a message has it."""
        file = self._file(shard)
        if file is None or len(file.shards) == 1:
            return f"{self.folder}/{file.name if file else shard_file(shard)}"
        return f"{self.folder}/{file.name} (shard {shard})"

    def remedy(self, shard: int) -> str:
        """What mends a shard's file, and what that costs."""
        file = self._file(shard)
        if file is None or len(file.shards) == 1:
            return "delete the file and build again"
        return (
            f"delete the file and build again: shards {file.first} to {file.last},"
            f" {self.lake.images_in(file.shards):,} images, are made anew"
        )

    def table(self, shard: int, columns: pa.Schema) -> pa.Table:
        read = partial(self.lake.read_shard, self.folder, shard, page_checksum_verification=True)
        try:
            return _read(self.name(shard), columns, read, self.remedy(shard))
        except FileNotFoundError:
            raise UneError(f"{self.name(shard)} is missing; the same une build makes it") from None


def _images(checked: Checked, shard: int) -> tuple[int, int]:
    """How many images of the shard are readable, and how many not."""
    name, remedy = checked.name(shard), checked.remedy(shard)
    table = checked.table(shard, schema.IMAGES)
    plan = checked.lake.plan(shard)
    _same_ids(name, table, plan["image_id"].to_pylist())
    _reasons(name, table)
    for label in ("caption", "source", "attributes", "factors", schema.METADATA):
        if label in plan.column_names and table[label].to_pylist() != plan[label].to_pylist():
            raise UneError(f"{name}: {label} is not what the plan says; {remedy}")
    _splits(name, remedy, table.to_pylist(), plan.to_pylist())
    readable = table["status"].to_pylist().count(schema.OK)
    return readable, len(table) - readable


def _splits(name: str, remedy: str, rows: list[dict[str, Any]], planned: list[dict[str, Any]]) -> None:
    """Every split is the plan's, or the hash's of what must stand on one side."""
    for row, plan in zip(rows, planned):
        readable, group = row["status"] == schema.OK, row.get("split_group")
        expected = placed(plan, row["sha256"] if readable else None, lambda: (group or "")[len("phash/") :])  # noqa: B023
        if expected["split"] != row["split"] or expected["split_group"] != group:
            raise UneError(
                f"{name}: image {row['image_id']!r} stands in split {row['split']!r} by {group!r}, but"
                f" should in {expected['split']!r} by {expected['split_group']!r}; {remedy}"
            )


def _space(
    checked: Checked, images_of: Checked, fingerprint: dict[str, Any], shard: int
) -> tuple[int, int | None]:
    """Number and length of the shard's latents in one space."""
    name = checked.name(shard)
    table = checked.table(shard, schema.SPACE)
    stamped = json.loads((table.schema.metadata or {}).get(b"fingerprint", b"null"))
    if stamped != fingerprint:
        raise UneError(f"{name}: its fingerprint is not the space's; {checked.remedy(shard)}")
    expected = checked.lake.plan(shard)["image_id"].to_pylist()
    _same_ids(name, table, expected)
    _reasons(name, table)
    images = images_of.table(shard, schema.IMAGES)["status"].to_pylist()
    readable = [status == schema.OK for status in images]
    ok = [status == schema.OK for status in table["status"].to_pylist()]
    if extra := [i for i, (here, there) in enumerate(zip(ok, readable)) if here and not there]:
        raise UneError(
            f"{name}: image {expected[extra[0]]!r} has a latent, but images says that it can't be read"
        )
    readable_rows = table.filter(pa.array(ok))
    if readable_rows["z"].null_count:
        raise UneError(f"{name}: a row of status ok has no latent")
    if len(readable_rows) == 0:
        return 0, None
    lengths = set(pc.list_value_length(readable_rows["z"]).to_pylist())
    if len(lengths) > 1:
        raise UneError(f"{name}: latents of several lengths, {sorted(lengths)}")
    if "dim" in table.column_names and set(readable_rows["dim"].to_pylist()) - {None, *lengths}:
        raise UneError(f"{name}: dim is not the length of the latents")
    values = (
        readable_rows["z"]
        .combine_chunks()
        .flatten()
        .to_numpy(zero_copy_only=False)
        .astype(np.float32)
        .reshape(len(readable_rows), -1)
    )
    finite = np.isfinite(values).all(1)
    if not finite.all():
        broken = readable_rows["image_id"][int(np.argmin(finite))].as_py()
        raise UneError(f"{name}: image {broken!r} has a latent that is not finite")
    norms = readable_rows["norm"].to_numpy()
    if not np.allclose(np.linalg.norm(values, axis=1), norms, rtol=2e-3, atol=1e-3):
        raise UneError(f"{name}: norms do not belong to the latents")
    return len(readable_rows), lengths.pop()


def _planned(lake: Lake, shard: int) -> pa.Table:
    read = partial(lake.plan, shard, page_checksum_verification=True)
    try:
        return _read(f"the plan of shard {shard}", schema.PLAN, read, FROM_A_COPY)
    except FileNotFoundError as error:
        raise UneError(f"the plan of shard {shard} is missing ({error}); {FROM_A_COPY}") from None


def _read(name: str, columns: pa.Schema, read: Callable[[], pa.Table], remedy: str) -> pa.Table:
    try:
        table = read()
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise UneError(f"{name} is not readable Parquet ({error}); {remedy}") from error
    if not schema.has_columns(table.schema, columns):
        raise UneError(f"{name}: columns {table.schema.names} are not those of format {schema.VERSION}")
    return table


def _same_ids(name: str, table: pa.Table, expected: list[str]) -> None:
    image_ids = table["image_id"].to_pylist()
    if image_ids != expected:
        lost, extra = set(expected) - set(image_ids), set(image_ids) - set(expected)
        what = (
            f"lacks {min(lost)!r}"
            if lost
            else f"has {min(extra)!r} too many"
            if extra
            else "repeats or reorders ids"
        )
        raise UneError(f"{name}: {len(image_ids)} rows for {len(expected)} planned ids; it {what}")


def _reasons(name: str, table: pa.Table) -> None:
    for image_id, status, error in zip(*(table[key].to_pylist() for key in ("image_id", "status", "error"))):
        if status not in (schema.OK, schema.REJECT) or (status == schema.REJECT) != bool(error):
            raise UneError(
                f"{name}: {image_id!r} has status {status!r} with error {error!r}; a reject has a reason and"
                " nothing else has"
            )
