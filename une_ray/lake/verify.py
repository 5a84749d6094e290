"""`une verify`: every promise of a lake, checked from its files alone."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.files import MARKER, current, shard_file, shard_files
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.parts import forget_parts, plan_digest
from une_ray.lake.records import refuse_lost_growth
from une_ray.lake.session import connect_bare, duckdb_path
from une_ray.lake.splits import placed

THREADS = min(32, 4 * (os.cpu_count() or 1))  # a shard's file is waited for, then looked at
Found = TypeVar("Found")

REPEATED = """
    SELECT image_id FROM read_parquet(?, hive_partitioning = false)
    GROUP BY image_id HAVING count(*) > 1 LIMIT 1"""


def verify(lake: Lake) -> Iterator[str]:
    """Lines of what holds. Raises UneError naming the first promise that does not."""
    _plan(lake)
    shards = range(lake.shards)
    _no_strangers(lake, len(shards))
    images = lake.manifest["images"]
    yield f"plan: {images:,} images in {len(shards)} shards, every id once, hash as in the manifest"
    readable = rejects = 0
    for ok, broken in _each(partial(_images, lake), shards):
        readable, rejects = readable + ok, rejects + broken
    yield f"images: {readable:,} ok, {rejects:,} rejects, one row per id"
    for space, fingerprint in lake.fingerprints().items():
        count, dims = 0, set[int]()
        for latents, dim in _each(partial(_space, lake, space, fingerprint), shards):
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
    forget_parts()  # what is on disk now
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
    for folder in sorted(folders):
        names = {name for name in lake.store.names(folder) if name.endswith(".parquet")}
        counting = current(names)
        if len(counting) < len(shard_files(names)) or any(map(MARKER.fullmatch, names)):
            raise UneError(f"{folder}: files are being merged; une compact {lake.url} finishes it, or wait")
        planned = {file.name for file in counting if file.last < shards} | {"empty.parquet"}
        if strange := names - planned:
            raise UneError(
                f"{folder}/{min(strange)} belongs to no shard of the plan; SQL would read it: delete it"
            )
        for file, following in zip(counting, counting[1:]):
            if following.first <= file.last:
                raise UneError(f"{folder}: {file.name} and {following.name} share shards; delete one of them")
    known = {space_folder(space) for space in (*lake.fingerprints(), "none")}
    for name in sorted(lake.store.names("spaces")):
        if f"spaces/{name}" not in known:
            raise UneError(f"spaces/{name} is of no registered space; SQL would read it: delete it")


def _images(lake: Lake, shard: int) -> tuple[int, int]:
    """How many images of the shard are readable, and how many not."""
    name = f"images/{shard_file(shard)}"
    table = _shard(lake, "images", shard, schema.IMAGES)
    plan = lake.plan(shard)
    _same_ids(name, table, plan["image_id"].to_pylist())
    _reasons(name, table)
    for label in ("caption", "source", "attributes", "factors", schema.METADATA):
        if label in plan.column_names and table[label].to_pylist() != plan[label].to_pylist():
            raise UneError(f"{name}: {label} is not what the plan says; delete the file and build again")
    _splits(name, table.to_pylist(), plan.to_pylist())
    readable = table["status"].to_pylist().count(schema.OK)
    return readable, len(table) - readable


def _splits(name: str, rows: list[dict[str, Any]], planned: list[dict[str, Any]]) -> None:
    """Every split is the plan's, or the hash's of what must stand on one side."""
    for row, plan in zip(rows, planned):
        readable, group = row["status"] == schema.OK, row.get("split_group")
        expected = placed(plan, row["sha256"] if readable else None, lambda: (group or "")[len("phash/") :])  # noqa: B023
        if expected["split"] != row["split"] or expected["split_group"] != group:
            raise UneError(
                f"{name}: image {row['image_id']!r} stands in split {row['split']!r} by {group!r}, but"
                f" should in {expected['split']!r} by {expected['split_group']!r}; delete the file and build"
                " again"
            )


def _space(lake: Lake, space: str, fingerprint: dict[str, Any], shard: int) -> tuple[int, int | None]:
    """Number and length of the shard's latents in one space."""
    name = f"{space_folder(space)}/{shard_file(shard)}"
    table = _shard(lake, space_folder(space), shard, schema.SPACE)
    stamped = json.loads((table.schema.metadata or {}).get(b"fingerprint", b"null"))
    if stamped != fingerprint:
        raise UneError(f"{name}: its fingerprint is not the space's; delete the file and build again")
    expected = lake.plan(shard)["image_id"].to_pylist()
    _same_ids(name, table, expected)
    _reasons(name, table)
    images = _shard(lake, "images", shard, schema.IMAGES)["status"].to_pylist()
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
    try:
        return _read(
            f"the plan of shard {shard}",
            schema.PLAN,
            lambda: lake.plan(shard, page_checksum_verification=True),
        )
    except FileNotFoundError as error:
        raise UneError(f"the plan of shard {shard} is missing ({error}); restore it from a copy") from None


def _shard(lake: Lake, folder: str, shard: int, columns: pa.Schema) -> pa.Table:
    name = f"{folder}/{shard_file(shard)}"
    try:
        return _read(name, columns, lambda: lake.read_shard(folder, shard, page_checksum_verification=True))
    except FileNotFoundError:
        raise UneError(f"{name} is missing; the same une build makes it") from None


def _read(name: str, columns: pa.Schema, read: Callable[[], pa.Table]) -> pa.Table:
    try:
        table = read()
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise UneError(f"{name} is not readable Parquet ({error}); delete it and build again") from error
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
