"""`une build`: make or open the lake, find what is missing, have Ray Data do it, and keep the times."""

from __future__ import annotations

import random
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from une_ray.corpora import Corpus, open_corpus
from une_ray.corpora.base import has_pictures
from une_ray.corpora.files import absolute
from une_ray.errors import UneError, unknown
from une_ray.lake import schema
from une_ray.lake.layout import Lake
from une_ray.lake.listed import last_listing, planned
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.run.plan import ShardWork, missing
from une_ray.run.progress import Progress
from une_ray.run.rows import StageRecord
from une_ray.spaces.kind import Modality
from une_ray.spaces.space import Space

SECONDS_BETWEEN_SAVES = 30.0


@dataclass(frozen=True)
class Built:
    """What one build did."""

    images: int
    shards_done: int
    shards_total: int
    rejects: int
    seconds: float
    truncated: Mapping[str, int]  # space → captions that its model read cut off


def build(
    lake_url: str,
    corpus: str,
    spaces: Sequence[str],
    shard_size: int | None = None,
    dtype: str | None = None,
    cluster: Cluster = DEFAULT,
    place: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    check_corpus: bool = False,
) -> Built:
    """Bring the lake to hold every one of `spaces` for every image of `corpus`; does only what is missing.

    A corpus that has grown since gets new shards after the last. It is listed where its stamp says that it
    may have changed, or with `check_corpus`.

    Safe to kill at any moment and run again, and to run twice at once: shards are visited from a random
    start, so that two builds mostly share the work. `cluster` says which Ray and how much of it; `place`
    has labels of the nodes for a space's actors, {space: {label: value}}. Raises UneError for whatever the
    caller can mend.
    """
    started = time.monotonic()
    parsed = [Space.parse(text).with_dtype(dtype) for text in spaces]
    names = [space.name for space in parsed]
    if len(set(names)) < len(names):
        raise UneError(f"a space is named twice in {', '.join(names)}")
    for name in place:
        if name not in names:
            raise unknown("space", name, names)
    opened, lake = open_corpus(corpus), Lake(absolute(lake_url))
    known = lake.fingerprints()
    _refuse_other_modality(opened, [space for space in parsed if space.name not in known])
    pinned = [space.as_in(known.get(space.name)).pinned() for space in parsed]
    lake = _planned(lake, opened, shard_size, check_corpus)
    for space, fingerprint in pinned:  # all are checked before any is registered
        lake.refuse_another(space.name, fingerprint)
    for space, fingerprint in pinned:
        lake.register(space.name, fingerprint)
    lake.store.sweep()
    work = missing(lake, parsed)
    fresh = {space.name: mine for space, mine in pinned if space.name not in known}
    try:
        rejects = _do(lake, opened.name, pinned, work, cluster, place) if work else 0
    except UneError:
        lake.forget_empty(fresh)
        raise
    seconds = time.monotonic() - started
    return Built(lake.manifest["images"], len(work), lake.shards, rejects, seconds, _truncated(lake, parsed))


def _refuse_other_modality(corpus: Corpus, spaces: Sequence[Space]) -> None:
    """Raise UneError, by name, for a space that reads what the corpus has not: pictures or captions."""
    kinds: dict[Modality, list[str]] = {"pictures": [], "captions": []}
    for space in spaces:
        kinds[space.modality].append(space.name)
    if kinds["pictures"] and not has_pictures(corpus):
        raise UneError(
            f"{corpus.name} has no pictures, which {', '.join(kinds['pictures'])} would read; spaces of"
            " captions are MODEL/text of an image–text model, as mini-clip-a/text"
        )
    if kinds["captions"] and all(item.caption is None for item in corpus.items()):
        raise UneError(
            f"{corpus.name} has no captions, which {', '.join(kinds['captions'])} would read; give it some"
            " (une corpus says how), or leave the space out"
        )


def _truncated(lake: Lake, spaces: Sequence[Space]) -> dict[str, int]:
    texts = [space.name for space in spaces if space.modality == "captions"]
    query = "SELECT space, count(*) FROM truncations WHERE list_contains(?, space) GROUP BY space"
    return dict(lake.rows(query, [texts])) if texts else {}


def _planned(lake: Lake, corpus: Corpus, shard_size: int | None, check: bool) -> Lake:
    """The lake with a shard for every item; says what was read, and how much of it is new."""
    before = lake.manifest if lake.exists() else None
    lake = planned(lake, corpus, shard_size, check)
    listing = last_listing(lake)
    for remark in listing.remarks if listing else ():
        print(remark, file=sys.stderr, flush=True)
    if before and (images := lake.manifest["images"] - before["images"]):
        shards = lake.shards - before["shards"]
        what = f"{images:,} new item{'s' * (images > 1)}, {shards:,} new shard{'s' * (shards > 1)}"
        print(f"{lake.url} grows: {what}", file=sys.stderr, flush=True)
    return lake


def _do(
    lake: Lake,
    corpus: str,
    pinned: Sequence[tuple[Space, dict[str, Any]]],
    work: Sequence[ShardWork],
    cluster: Cluster,
    place: Mapping[str, Mapping[str, str]],
) -> int:
    """Do the work with progress and a table of times; how many images were rejected."""
    from une_ray.run import ray_data

    turn = random.randrange(len(work))
    turned = [*work[turn:], *work[:turn]]
    with Runs(lake) as runs, Progress(lake.images_in([item.shard for item in work]), "building") as progress:
        for record in ray_data.run(lake, corpus, pinned, turned, cluster, place):
            runs.add(record)
            if record.stage == "read":
                progress.advance(record.images, record.rejects)
    return progress.rejects


class Runs:
    """The `runs` table of one build, saved now and then and at the end, also of a build that fails."""

    def __init__(self, lake: Lake) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        self.lake, self.run_id = lake, f"{stamp}-{uuid.uuid4().hex[:8]}"
        self.rows: list[dict[str, Any]] = []
        self.saved = time.monotonic()

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self.save()

    def add(self, record: StageRecord) -> None:
        self.rows.append(record.to_row(self.run_id))
        if time.monotonic() - self.saved > SECONDS_BETWEEN_SAVES:
            self.save()

    def save(self) -> None:
        if self.rows:
            table = pa.Table.from_pylist(self.rows, schema=schema.RUNS)
            self.lake.store.commit(f"runs/{self.run_id}.parquet", schema.parquet(table, {}))
        self.saved = time.monotonic()
