"""Making a lake: the corpus is listed once and cut into shards that never change afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from une_ray.corpora.base import Item
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.layout import MANIFEST, Lake, shard_file
from une_ray.lake.session import connect_bare, duckdb_path, refuse_unreadable_path
from une_ray.lake.splits import BY_CONTENT, by_id


def default_shard_size(images: int) -> int:
    """About sixteen shards, so that progress is seen and work spreads; at most 256 images, so that one of
    photographs fits in memory."""
    return min(256, max(32, 1 << (images // 16).bit_length()))


def create(lake: Lake, corpus: str, items: Iterator[Item], shard_size: int) -> Lake:
    """Write the plan and then `noisezoo.json`; on a lake that exists, check that it is of the same corpus
    and plan.

    Two builds that create one lake at once write the same bytes under the same names; whichever manifest
    is first stays. A lake of another corpus, another listing or another shard size is refused.
    """
    if lake.exists():
        known = {"corpus": lake.manifest["corpus"], "shard_size": lake.manifest["shard_size"]}
        wanted = {"corpus": corpus, "shard_size": shard_size}
        if known != wanted:
            raise UneError(
                f"{lake.url} was made with {known}, this build asks for {wanted}; use the lake's own, or"
                " another --lake"
            )
    refuse_unreadable_path(lake)
    _claim(lake, corpus, shard_size)
    fresh = not lake.exists()
    splits_by_id = not fresh and "split_by" not in lake.manifest  # of an earlier une_ray: it stays as it is
    has_metadata = fresh or schema.METADATA in lake.plan(0).column_names  # so does one without
    digest = hashlib.sha256()
    images = shards = 0
    while rows := list(islice(items, shard_size)):
        plan = [_row(item, has_metadata) for item in rows]
        if splits_by_id:
            known = lake.plan(shards)["split"].to_pylist() if shards < lake.shards else []
            plan = [by_id(row, split) for row, split in zip(plan, known)]
        digest.update(plan_digest(plan))
        if fresh:
            table = pa.Table.from_pylist(plan, schema=schema.PLAN)
            lake.store.commit(f"plan/{shard_file(shards)}", schema.parquet(table, {"shard": str(shards)}))
        images += len(rows)
        shards += 1
    if not images:
        raise UneError(f"corpus {corpus!r} has no images")
    manifest = {
        "version": schema.VERSION,
        "corpus": corpus,
        "images": images,
        "shard_size": shard_size,
        "shards": shards,
        "plan_sha256": digest.hexdigest(),
        **({} if splits_by_id else {"split_by": BY_CONTENT}),
    }
    if fresh:
        _refuse_repeated_ids(lake, shards)
    results.write_empty_tables(lake)
    lake.store.commit(MANIFEST, json.dumps(manifest, indent=1).encode(), replace=False)
    opened = Lake(lake.url)
    if opened.manifest != manifest:
        raise UneError(
            f"{lake.url} holds a plan of {opened.manifest['images']:,} images of"
            f" {opened.manifest['corpus']!r} (labels included, sha256 {opened.manifest['plan_sha256'][:12]});"
            f" {corpus!r} now lists {images:,} (sha256 {digest.hexdigest()[:12]}). The plan is fixed when a"
            " lake is made: build the changed corpus into another --lake"
        )
    return opened


def plan_digest(rows: list[dict]) -> bytes:
    """SHA-256 of planned rows, labels included: a corrected caption or attribute is another corpus. Rows
    without metadata hash as they did before there was any."""
    said = [{key: value for key, value in row.items() if value or key != schema.METADATA} for row in rows]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


def _claim(lake: Lake, corpus: str, shard_size: int) -> None:
    """Two builds of different corpora that begin one lake at once must not write into each other's plan."""
    name, ours = "plan/corpus.json", {"corpus": corpus, "shard_size": shard_size}
    lake.store.commit(name, json.dumps(ours).encode(), replace=False)
    theirs = json.loads(lake.store.read(name))
    if theirs != ours:
        raise UneError(
            f"{lake.url} was begun with {theirs}, this build asks for {ours}; use another --lake, or delete"
            " that one"
        )


def _refuse_repeated_ids(lake: Lake, shards: int) -> None:
    """DuckDB counts, because it spills to disk where a set of a hundred million ids would not fit."""
    files = [duckdb_path(lake, lake.store.path(f"plan/{shard_file(shard)}")) for shard in range(shards)]
    query = (
        "SELECT image_id, count(*) AS times FROM read_parquet(?, hive_partitioning = false)"
        " GROUP BY image_id HAVING times > 1 LIMIT 1"
    )
    if repeated := connect_bare(lake).execute(query, [files]).fetchone():
        raise UneError(
            f"image id {repeated[0]!r} comes {repeated[1]} times in the corpus; ids must be unique"
        )


def _row(item: Item, has_metadata: bool) -> dict:
    return {
        "image_id": item.image_id,
        "source": item.source,
        "split": item.split,
        "caption": item.caption,
        "attributes": list(item.attributes.items()),
        "factors": list(item.factors.items()),
        schema.METADATA: list(item.metadata.items()) if has_metadata else [],
        "split_group": item.split_group,
    }
