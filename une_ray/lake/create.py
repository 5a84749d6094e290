"""Making a lake: the corpus is listed once and cut into shards that never change afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

from une_ray.corpora.base import Item
from une_ray.errors import EmptyCorpus, UneError
from une_ray.lake import results, schema
from une_ray.lake.layout import MANIFEST, Lake
from une_ray.lake.parts import Planned, write_parts
from une_ray.lake.session import connect_bare, duckdb_path, refuse_unreadable_path
from une_ray.lake.splits import BY_CONTENT

LARGEST = 256  # images of a shard, so that one of photographs fits in memory
SHARDS_OF_A_SMALL_LAKE = 16  # so that progress is seen and work spreads


def default_shard_size(images: int) -> int:
    """About sixteen shards, of at most 256 images."""
    return min(LARGEST, max(32, 1 << (images // SHARDS_OF_A_SMALL_LAKE).bit_length()))


def create(lake: Lake, corpus: str, items: Iterator[Item], shard_size: int | None = None) -> Lake:
    """Write the plan and then `noisezoo.json`; on a lake that exists, let it grow by what is new of the same
    corpus (see `lake.growing`).

    Without a shard size it is the lake's own, or `default_shard_size` of the corpus. Two builds that create
    one lake at once write the same bytes under the same names; whichever manifest is first stays, and the
    other build is refused where it listed something else. So is a lake of another corpus or shard size.
    """
    from une_ray.lake.growing import grow

    refuse_unreadable_path(lake)
    if lake.exists():
        return grow(lake, corpus, items, shard_size)
    beginning = list(islice(items, SHARDS_OF_A_SMALL_LAKE * LARGEST))
    if not beginning:
        raise EmptyCorpus(f"corpus {corpus!r} has no images")
    size = shard_size or default_shard_size(len(beginning))
    planned = write_parts(lake.store, map(plan_row, chain(beginning, items)), size)
    _refuse_repeated_ids(lake, planned)
    settings = {"corpus": corpus, "shard_size": size, "split_by": BY_CONTENT}
    manifest = {"version": schema.VERSION, **settings, **planned.to_record()}
    results.write_empty_tables(lake)
    lake.store.commit(MANIFEST, json.dumps(manifest, indent=1).encode(), replace=False)
    opened = Lake(lake.url)
    if opened.generations[0] != manifest:
        raise UneError(
            f"{lake.url} was made meanwhile by another build, of {opened.manifest['images']:,} images of"
            f" {opened.manifest['corpus']!r} in shards of {opened.manifest['shard_size']}; this one listed"
            f" {planned.images:,} of {corpus!r}. Run the command again, or use another --lake"
        )
    return opened


def plan_row(item: Item) -> dict[str, Any]:
    """An item as the plan has it."""
    return {
        "image_id": item.image_id,
        "source": item.source,
        "split": item.split,
        "caption": item.caption,
        "attributes": list(item.attributes.items()),
        "factors": list(item.factors.items()),
        schema.METADATA: list(item.metadata.items()),
        "split_group": item.split_group,
    }


def _refuse_repeated_ids(lake: Lake, planned: Planned) -> None:
    """DuckDB counts, because it spills to disk where a set of a hundred million ids would not fit."""
    files = [duckdb_path(lake, lake.store.path(part.file)) for part in planned.parts]
    query = (
        "SELECT image_id, count(*) AS times FROM read_parquet(?, hive_partitioning = false)"
        " GROUP BY image_id HAVING times > 1 LIMIT 1"
    )
    if repeated := connect_bare(lake).execute(query, [files]).fetchone():
        raise UneError(
            f"image id {repeated[0]!r} comes {repeated[1]} times in the corpus; ids must be unique"
        )
