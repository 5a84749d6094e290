"""A build in Ray Data: one row of the dataset is a parcel of shards, one actor pool is one crew of spaces.

    plan → read (tasks) → crew (actors) → rows on the driver

A parcel carries its shards' encoded bytes, so every image is read once for all spaces of a crew; each space
commits its own file under a name that follows from (space, shard). Stages may run twice, in any order and
anywhere: the files come out the same. Nothing is keyed on Ray's blocks.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import ray
from ray.actor import ActorHandle
from ray.data import ActorPoolStrategy, TaskPoolStrategy

from une_ray.corpora import open_corpus
from une_ray.corpora.base import has_pictures
from une_ray.errors import UneError, reason
from une_ray.lake import results, schema
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.pictures.decode import Reject
from une_ray.run import read, shard
from une_ray.run.clock import Clock, DeviceTurn
from une_ray.run.cluster import DEFAULT, Cluster, own_cores, own_device
from une_ray.run.crews import Crew, Turn, shards_per_task
from une_ray.run.distant import DistantImages
from une_ray.run.idle import Watch, can_help, idle_rows, start_late
from une_ray.run.killers import killers
from une_ray.run.late import Copy, Returns
from une_ray.run.parcels import (
    FEW,
    ONE_BY_ONE,
    SECONDS_BETWEEN_QUESTIONS,
    START,
    TOGETHER,
    handed_out,
    packed,
    sent,
    tasks,
    unpacked,
)
from une_ray.run.placement import READ_CPUS, Pool
from une_ray.run.places import check_places
from une_ray.run.rows import ShardRow
from une_ray.run.tries import start_tries, tried
from une_ray.spaces.kind import Step
from une_ray.spaces.space import Space

SHOWN = 4  # spaces of a crew, in its name
AT_ONCE = 2  # shards of an actor: one computes while the other is decoded or its file is written
TASKS_AHEAD = 1024  # at least: ten seconds of a driver that hands out a hundred a second

Row = dict[str, Any]
"""As Ray Data hands over an independent task, `fault` among its columns."""


def run(
    lake: Lake,
    corpus: str,
    turn: Turn,
    fingerprints: Mapping[str, dict[str, Any]],
    cluster: Cluster = DEFAULT,
) -> Iterator[ShardRow]:
    """Do the work of a turn; yields every shard's row, with what its stages recorded and any fault.

    Its spaces have their revisions pinned; `fingerprints` are theirs, by name. A fault of one shard or space
    costs no other.
    """
    demands = [crew.demand(lake.images_in(turn.work.shards)) for crew in turn.crews]
    pools = cluster.at_most(len(turn.work)).pools(demands)
    check_places(turn.crews, ray.nodes(), cluster.grows)
    tries = start_tries()
    cut, helps = _cut(turn, pools, lake.manifest["shard_size"]), can_help(pools, cluster)
    few = cut.tasks <= FEW
    late = start_late(len(turn.work)) if helps or not few else None
    handing = (turn.work, cut.size, cut.alone, cut.ahead, late)
    dataset = sent([*tasks(START, *handing)]) if few else handed_out(tasks, *handing)
    dataset = dataset.map_batches(
        read_parcel,  # type: ignore[arg-type]  # its other arguments are fn_args
        fn_args=(lake.url, corpus, tries, late),
        num_cpus=READ_CPUS,
        compute=TaskPoolStrategy(size=cluster.readers(cut.tasks)),
        **ONE_BY_ONE,
    )
    if late and helps:
        dataset = dataset.union(idle_rows(cut.near, late))
    for crew, pool in zip(turn.crews, pools, strict=True):
        dataset = dataset.map_batches(
            stage_of(crew),  # type: ignore[arg-type]  # a class is called once per actor
            fn_constructor_args=(
                lake.url,
                [(stage(space), space, fingerprints[space.name]) for space in crew.spaces],
                crew is turn.crews[-1],
                Helping(lake.url, corpus, tries, late),
            ),
            label_selector=dict(crew.labels),
            **ONE_BY_ONE,
            **actors(pool),
        )
    watch = Watch(Returns(turn.work, cut.near), late if helps else None)
    for shard_row in _rows(dataset):
        if watch.takes(shard_row):
            yield shard_row
        if watch.is_over:
            return  # which ends whatever is still late


def _rows(dataset: ray.data.Dataset) -> Iterator[ShardRow]:
    """As they come: with batches ahead, the last would wait for one that never comes."""
    batches: Any = dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    for batch in batches:
        yield from unpacked(batch)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How a turn's work becomes tasks: `size` shards each, but the last `alone` ones; `near` shards may be at
    work when all are handed out, and `ahead` wait to be read before."""

    size: int
    alone: int
    tasks: int
    near: int
    ahead: int


def _cut(turn: Turn, pools: Sequence[Pool], shard_size: int) -> Cut:
    shards, workers = len(turn.work), sum(pool.most for pool in pools)
    dearest = max(crew.gflops for crew in turn.crews)
    size = shards_per_task(dearest, shard_size, shards, workers, any(pool.gpus for pool in pools))
    alone = min(shards, 2 * workers if size > 1 else shards)
    count = math.ceil((shards - alone) / size) + alone
    ahead = size * max(TASKS_AHEAD, 8 * workers)
    return Cut(size=size, alone=alone, tasks=count, near=2 * workers * (size + 1), ahead=ahead)


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


def fault_of(error: Exception, what: str = "") -> str:
    """One line of what went wrong; of an exception that is none of ours the worker's log has the rest."""
    if isinstance(error, UneError):
        return str(error)
    logging.getLogger(__name__).error("%s", what, exc_info=error)
    return f"{what}: {reason(error)}" if what else reason(error)


def read_parcel(
    parcel: pa.Table, lake_url: str, corpus: str, tries: ActorHandle, late: ActorHandle | None = None
) -> Iterator[pa.Table]:
    """The shards of a task with their pictures, in parcels of about so many bytes as travel together."""
    waiting: list[ShardRow] = []
    for row in unpacked(parcel):
        waiting.append(read_shard(row, lake_url, corpus, tries, late))
        if sum(len(read.payload) for read in waiting) >= TOGETHER:
            yield packed(waiting)
            waiting = []
    if waiting:
        yield packed(waiting)


def read_shard(
    shard_row: ShardRow, lake_url: str, corpus: str, tries: ActorHandle, late: ActorHandle | None = None
) -> ShardRow:
    """Read one shard's bytes, unless another build has done it meanwhile; commit its `images` table unless
    it is there; tell `late`. A fault goes on in the row, and costs that shard alone."""
    try:
        return _read(Lake(lake_url), shard_row, corpus, tries)
    except Exception as error:
        return shard_row.with_fault(fault_of(error))
    finally:
        if late:
            late.read.remote(shard_row.place)


def _read(lake: Lake, shard_row: ShardRow, corpus: str, tries: ActorHandle) -> ShardRow:
    clock, name = Clock("read"), f"images/{shard_file(shard_row.shard)}"
    if lake.has_shard("images", shard_row.shard) and not _lacking(lake, shard_row):
        return shard_row
    if shard_row.is_copy and lake.has_shard("images", shard_row.shard):
        table = lake.read_shard("images", shard_row.shard)
        return shard_row.with_distant(table, corpus).recorded(clock.record(shard_row.shard, table))
    plan = lake.plan(shard_row.shard)
    sources, opened = plan["source"].to_pylist(), open_corpus(corpus)
    pictures = has_pictures(opened)
    with tried(tries, name) as suspect:
        deadly = killers(shard.trial, (corpus, sources), len(sources)) if suspect and pictures else {}
        contents = shard.Travelling(
            shard.read_bytes(opened, sources, deadly)
            if pictures
            else shard.captions_as_bytes(plan["caption"].to_pylist())
        )
        if lake.has_shard("images", shard_row.shard):
            contents.keep()
            shard.refuse_unreachable(contents.kept)
        else:
            table = shard.images_table(plan, contents, pictures)
            shard.refuse_unreachable(contents.kept)
            metadata = {"shard": str(shard_row.shard)}
            if lake.store.commit(name, schema.parquet(table, metadata), replace=False):
                lake.withdraw_merged("images", shard_row.shard)
    # Another build may have been first: the spaces must agree with its rows.
    table = lake.read_shard("images", shard_row.shard)
    record = clock.record(shard_row.shard, table)
    if contents.is_heavy:
        return shard_row.with_distant(table, corpus).recorded(record)
    return shard_row.with_images(plan, shard.readable(table, contents.kept)).recorded(record)


def _lacking(lake: Lake, row: ShardRow) -> list[str]:
    """Those of a shard's spaces that have no file of it yet."""
    return [space for space in row.spaces if not lake.has_shard(space_folder(space), row.shard)]


class ReadSpace:
    """A model in memory that turns shards into files of one space.

    What may fail comes with the first shard: a fault then is one of that shard's, not a dead actor. Several
    threads may have a shard each: the one whose `device_turn` it is computes.
    """

    def __init__(
        self,
        lake_url: str,
        space: Space,
        fingerprint: dict[str, Any],
        tries: ActorHandle,
        device_turn: DeviceTurn,
    ) -> None:
        self.lake, self.space, self.tries = Lake(lake_url), space, tries
        self.fingerprint, self.device_turn = fingerprint, device_turn

    @functools.cached_property
    def device(self) -> str:
        return own_device()

    @functools.cached_property
    def place(self) -> str:
        """For the `runs` table: the device with Ray's numbers, and whether torch.compile has the networks."""
        device = ":".join([self.device, *map(str, ray.get_gpu_ids())])
        return f"{device} compiled" if self.space.compiled else device

    @functools.cached_property
    def decoders(self) -> int:
        """Threads that decode ahead of the device: a photograph takes a hundred times as long as an encoder
        on a GPU."""
        return max(read.DECODE_THREADS, own_cores())

    @functools.cached_property
    def step(self) -> Step[Any]:
        return self.space.load(self.device)

    def __call__(self, shard_row: ShardRow) -> ShardRow:
        """The row with what this space recorded of it. Raises UneError for a fault of the input."""
        space = self.space.name
        name = f"{space_folder(space)}/{shard_file(shard_row.shard)}"
        if space not in shard_row.spaces or self.lake.has_shard(space_folder(space), shard_row.shard):
            return shard_row
        with tried(self.tries, name) as suspect:
            table, besides = self.read(shard_row.images(), suspect)
            clock = self.device_turn.last(space, self.place)
            if shard_row.is_copy and self.lake.has_shard(space_folder(space), shard_row.shard):
                return shard_row.recorded(clock.record(shard_row.shard, table))  # the other was first
            self.keep_seeds(shard_row.shard, besides.seeds)
            stamp: dict[str, Any] = {"shape": list(self.step.shape)} if self.step.shape else {}
            stamp |= {"truncated": besides.truncated} if besides.truncated else {}
            self.lake.commit_shard(space, shard_row.shard, table, self.fingerprint, stamp)
        return shard_row.recorded(clock.record(shard_row.shard, table))

    def keep_seeds(self, shard_number: int, seeds: list[read.SeedRow]) -> None:
        """The rows of one shard in the table `seeds`, of a space that is a mean over them."""
        if seeds:
            fingerprint = results.config_hash(self.fingerprint)
            config = {"space": self.space.name, "space_fingerprint": fingerprint, "shard": shard_number}
            rows = [{"space": self.space.name, "space_fingerprint": fingerprint, **row} for row in seeds]
            results.commit(self.lake, "seeds", config, rows)

    def read(self, packed: pa.Table, suspect: bool) -> tuple[pa.Table, read.Besides]:
        """The space's table of one shard, and what its step gave besides."""
        is_text, model = self.space.modality == "captions", self.space.model
        ids, is_distant = packed["image_id"].to_pylist(), "data" not in packed.column_names
        known = packed["sha256" if is_distant else "data"].is_valid().to_pylist()
        items: Any = (
            read.captions_of(packed["caption"].to_pylist(), known)
            if is_text
            else DistantImages(packed)
            if is_distant
            else packed["data"].to_pylist()
        )
        if suspect:
            for place, reason in killers(read.trial, (self.space, self.device, items), len(items)).items():
                items[place] = Reject(reason)
        if is_text:
            with self.device_turn:
                return read.read_captions(self.step, model.batch_size, ids, items)
        batches = read.decoded(model.preprocessing, model.batch_size, items, self.decoders)
        with self.device_turn:
            rows = read.read_batches(self.step, ids, batches)
        return rows.table(), read.Besides()


@dataclass(frozen=True)
class Helping:
    """What an idle worker needs to do a shard that another is late with."""

    lake_url: str
    corpus: str
    tries: ActorHandle
    late: ActorHandle | None

    def wait(self) -> ShardRow:
        """A late shard, with its items. The build's end ends the waiting."""
        while (found := self._ask()) is None:
            time.sleep(SECONDS_BETWEEN_QUESTIONS)
        place, number, spaces = found
        row = ShardRow(shard=number, place=place, is_copy=True, spaces=spaces)
        return read_shard(row, self.lake_url, self.corpus, self.tries)

    def _ask(self) -> Copy | None:
        asked: Any = self.late
        return ray.get(asked.next.remote())


class ReadCrew:
    """One actor: spaces that share a process, its device and each shard's bytes."""

    at_once = AT_ONCE

    def __init__(
        self,
        lake_url: str,
        readers: Sequence[tuple[type[ReadSpace], Space, dict[str, Any]]],
        last: bool,
        helping: Helping,
    ) -> None:
        tries, turn = helping.tries, DeviceTurn()
        self.readers = [make(lake_url, space, printed, tries, turn) for make, space, printed in readers]
        self.last, self.helping = last, helping

    def __call__(self, parcel: pa.Table) -> pa.Table:
        with ThreadPoolExecutor(self.at_once) as threads:
            return packed([*threads.map(self.read, unpacked(parcel))])

    def read(self, shard_row: ShardRow) -> ShardRow:
        """The row with what every space recorded of it, and with their faults."""
        if shard_row.is_idle:
            shard_row = self.helping.wait()
        for reader in self.readers if shard_row.payload else []:
            try:
                shard_row = reader(shard_row)
            except Exception as error:  # of a model or a store: it costs this shard of this space
                shard_row = shard_row.with_fault(fault_of(error, reader.space.name))
        return replace(shard_row, payload=b"") if self.last else shard_row


def stage(space: Space) -> type[ReadSpace]:
    """What reads a space; tests put others in its place."""
    return ReadSpace


def stage_of(crew: Crew) -> type[ReadCrew]:
    """`ReadCrew` under the names of its spaces, which is what Ray's dashboard shows."""
    names = [space.name for space in crew.spaces]
    shown = ", ".join(names) if len(names) <= SHOWN else f"{len(names)} spaces"
    return type(f"Read[{shown}]", (ReadCrew,), {})
