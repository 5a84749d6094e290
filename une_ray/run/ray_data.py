"""A build in Ray Data: one row of the dataset is one shard, one actor pool is one space.

    plan → read (tasks) → space A (actors) → space B (actors) → … → records on the driver

The row carries the shard's encoded bytes, so every image is read once for all spaces; each stage commits
its own file under a name that follows from (space, shard) and passes the row on. Stages may run twice, in
any order and anywhere: the files come out the same. Nothing is keyed on Ray's blocks.
"""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import ray
from ray.actor import ActorHandle
from ray.data import ActorPoolStrategy, TaskPoolStrategy

from une_ray.corpora import open_corpus
from une_ray.corpora.base import has_pictures
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.pictures.decode import Reject
from une_ray.run import read, shard
from une_ray.run.cluster import DEFAULT, Cluster, own_device
from une_ray.run.killers import killers
from une_ray.run.metrics import count
from une_ray.run.placement import READ_CPUS, Demand, Pool
from une_ray.run.plan import ShardWork
from une_ray.run.rows import ShardRow, StageRecord
from une_ray.run.tries import start_tries, tried
from une_ray.spaces.kind import Step
from une_ray.spaces.space import Space

Row = dict[str, Any]
"""As Ray Data hands it over: columns of a `ShardRow` or of a task, `fault` among them."""


def run(
    lake: Lake,
    corpus: str,
    pinned: Sequence[tuple[Space, dict[str, Any]]],
    work: Sequence[ShardWork],
    cluster: Cluster = DEFAULT,
    place: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Iterator[StageRecord]:
    """Do the work; yields one record per shard × stage.

    `pinned` are spaces with their revisions fixed, and their fingerprints. `place` names, per space, labels
    of the nodes that its actors may be on. Raises UneError for a fault of the input, on whichever machine it
    was found.
    """
    pools = cluster.pools([Demand(space.model.gpus, space.model.is_generator) for space, _ in pinned])
    rows = [ShardRow(shard=item.shard, spaces=item.spaces).to_row() for item in work]
    tries = start_tries()
    readers = TaskPoolStrategy(size=cluster.readers())
    dataset: ray.data.Dataset = ray.data.from_items(rows, override_num_blocks=len(rows))
    dataset = dataset.map(read_shard, fn_args=(lake.url, corpus, tries), num_cpus=READ_CPUS, compute=readers)
    for (space, fingerprint), pool in zip(pinned, pools, strict=True):
        dataset = dataset.map(
            stage(space),  # type: ignore[arg-type]  # a class is called once per actor
            fn_constructor_args=(lake.url, space, fingerprint, space is pinned[-1][0], tries),
            label_selector=dict(place.get(space.name, {})),
            **actors(pool),
        )
    for row in dataset.iter_rows():
        shard_row = ShardRow.from_row(row)
        if shard_row.fault:
            raise UneError(shard_row.fault)
        yield from shard_row.records


def actors(pool: Pool) -> dict[str, Any]:
    """A pool in Ray Data's words."""
    share = {"num_gpus": pool.gpus} if pool.gpus else {"num_cpus": pool.cpus}
    return {"compute": ActorPoolStrategy(min_size=pool.least, max_size=pool.most), **share}


def faults_travel(work: Callable[..., Row]) -> Callable[..., Row]:
    """A fault of the user's input goes on as text in the row: Ray keeps only the stack trace of an
    exception."""

    @functools.wraps(work)
    def guarded(*arguments: Any) -> Row:
        row = next(argument for argument in arguments if isinstance(argument, dict))
        try:
            return row if row["fault"] else work(*arguments)
        except UneError as error:
            return row | {"payload": b"", "fault": str(error)}

    return guarded


@faults_travel
def read_shard(row: Row, lake_url: str, corpus: str, tries: ActorHandle) -> Row:
    """Read one shard's bytes; commit its `images` table unless it is there."""
    clock, lake, shard_row = Clock("read"), Lake(lake_url), ShardRow.from_row(row)
    plan = lake.plan(shard_row.shard)
    name = f"images/{shard_file(shard_row.shard)}"
    sources, opened = plan["source"].to_pylist(), open_corpus(corpus)
    pictures = has_pictures(opened)
    with tried(tries, name) as suspect:
        deadly = killers(shard.trial, (corpus, sources), len(sources)) if suspect and pictures else {}
        contents = (
            shard.read_bytes(opened, sources, deadly)
            if pictures
            else shard.captions_as_bytes(plan["caption"].to_pylist())
        )
        if not lake.has_shard("images", shard_row.shard):
            table = shard.images_table(plan, contents, pictures)
            metadata = {"shard": str(shard_row.shard)}
            lake.store.commit(name, schema.parquet(table, metadata), replace=False)
    # Another build may have been first: the spaces must agree with its rows.
    table = lake.read_shard("images", shard_row.shard)
    images = shard.readable(table, contents)
    record = clock.record(shard_row.shard, table)
    return shard_row.with_images(plan, images).recorded(record).to_row()


class ReadSpace:
    """One actor: a model in memory that turns shards into files of one space.

    What may fail comes with the first shard: a fault then is one of that shard's, not a dead actor.
    """

    def __init__(
        self, lake_url: str, space: Space, fingerprint: dict[str, Any], last: bool, tries: ActorHandle
    ) -> None:
        self.lake, self.space, self.last, self.tries = Lake(lake_url), space, last, tries
        self.fingerprint = fingerprint

    @functools.cached_property
    def device(self) -> str:
        return own_device()

    @functools.cached_property
    def step(self) -> Step[Any]:
        return self.space.load(self.device)

    @faults_travel
    def __call__(self, row: Row) -> Row:
        shard_row, space = ShardRow.from_row(row), self.space.name
        name = f"{space_folder(space)}/{shard_file(shard_row.shard)}"
        done = space not in shard_row.spaces or self.lake.has_shard(space_folder(space), shard_row.shard)
        if not done:
            clock = Clock(space, ":".join([self.device, *map(str, ray.get_gpu_ids())]))
            with tried(self.tries, name) as suspect:
                table, besides = self.read(shard_row.images(), suspect)
                self.keep_seeds(shard_row.shard, besides.seeds)
                stamp: dict[str, Any] = {"shape": list(self.step.shape)} if self.step.shape else {}
                stamp |= {"truncated": besides.truncated} if besides.truncated else {}
                self.lake.commit_shard(space, shard_row.shard, table, self.fingerprint, stamp)
            shard_row = shard_row.recorded(clock.record(shard_row.shard, table))
        return replace(shard_row, payload=b"").to_row() if self.last else shard_row.to_row()

    def keep_seeds(self, shard_number: int, seeds: list[read.SeedRow]) -> None:
        """The rows of one shard in the table `seeds`, of a space that is a mean over them."""
        if seeds:
            fingerprint = results.config_hash(self.lake.fingerprint(self.space.name))
            config = {"space": self.space.name, "space_fingerprint": fingerprint, "shard": shard_number}
            rows = [{"space": self.space.name, "space_fingerprint": fingerprint, **row} for row in seeds]
            results.commit(self.lake, "seeds", config, rows)

    def read(self, packed: pa.Table, suspect: bool) -> tuple[pa.Table, read.Besides]:
        """The space's table of one shard, and what its step gave besides."""
        is_text, model = self.space.modality == "captions", self.space.model
        data, ids = packed["data"].to_pylist(), packed["image_id"].to_pylist()
        items: list[Any] = read.captions_of(packed["caption"].to_pylist(), data) if is_text else data
        if suspect:
            for place, reason in killers(read.trial, (self.space, self.device, items), len(items)).items():
                items[place] = Reject(reason)
        if is_text:
            return read.read_captions(self.step, model.batch_size, ids, items)
        table = read.read_space(self.step, model.preprocessing, model.batch_size, ids, items)
        return table, read.Besides()


def stage(space: Space) -> type[ReadSpace]:
    """`ReadSpace` under the space's own name, which is what Ray's dashboard shows."""
    return type(f"Read[{space.name}]", (ReadSpace,), {})


class Clock:
    """Times one stage of one shard for the `runs` table, and has it counted."""

    def __init__(self, stage: str, device: str = "cpu") -> None:
        self.stage, self.device = stage, device
        self.started, self.begin = datetime.now(UTC), time.monotonic()

    def record(self, shard: int, table: pa.Table) -> StageRecord:
        count(self.stage, table)
        return StageRecord(
            shard=shard,
            stage=self.stage,
            images=len(table),
            rejects=sum(status == schema.REJECT for status in table["status"].to_pylist()),
            seconds=time.monotonic() - self.begin,
            started=self.started.isoformat(),
            host=socket.gethostname(),
            device=self.device,
        )
