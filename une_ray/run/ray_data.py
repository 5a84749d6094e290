"""A build in Ray Data: one row of the dataset is a parcel of shards, one actor pool is one crew of spaces.

    plan → read (tasks) → crew (actors) → rows on the driver

A parcel carries its shards' encoded bytes, so every image is read once for all spaces of a crew; each space
commits its own file under a name that follows from (space, shard). Stages may run twice, in any order and
anywhere: the files come out the same. Nothing is keyed on Ray's blocks.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import ray
from ray.actor import ActorHandle
from ray.data import ActorPoolStrategy, TaskPoolStrategy

from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.run.clock import DeviceTurn
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.run.crews import Crew, Cut, Turn, slow_without_gpus
from une_ray.run.idle import Watch, can_help, idle_rows, start_late
from une_ray.run.late import Copy, Returns
from une_ray.run.parcels import (
    FEW,
    MADE_AHEAD,
    ONE_BY_ONE,
    RAYS_OWN,
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
from une_ray.run.progress import say
from une_ray.run.rows import ShardRow
from une_ray.run.stages import AT_ONCE, ReadSpace, read_shard, read_spaces, stage
from une_ray.run.tries import start_tries
from une_ray.spaces.space import Space

SHOWN = 4  # spaces of a crew, in its name
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
    if not any(pool.gpus for pool in pools) and (slow := slow_without_gpus(turn.spaces)):
        say(slow)
    check_places(turn.crews, ray.nodes(), cluster.grows)
    tries = start_tries()
    cut, helps = _handed(turn, pools, lake.manifest["shard_size"]), can_help(pools, cluster)
    late = start_late(len(turn.work)) if helps else None
    handing = (turn.work, cut.size, cut.alone, cut.ahead, late)
    if cut.tasks <= FEW:
        dataset = sent([*tasks(START, *handing)])
    else:
        dataset = handed_out(tasks, *handing, ahead=MADE_AHEAD if late else RAYS_OWN)
    dataset = dataset.map_batches(
        read_parcel,  # type: ignore[arg-type]  # its other arguments are fn_args
        fn_args=(lake.url, corpus, tries, late),
        num_cpus=READ_CPUS,
        compute=TaskPoolStrategy(size=cluster.readers(cut.tasks)),
        **ONE_BY_ONE,
    )
    if late:
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
    watch = Watch(Returns(turn.work, cut.near), late)
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
class Handed(Cut):
    """How a turn's tasks are handed out: `near` shards may be at work when all are, and `ahead` wait to be
    read before."""

    near: int
    ahead: int


def _handed(turn: Turn, pools: Sequence[Pool], shard_size: int) -> Handed:
    workers, dearest = sum(pool.most for pool in pools), max(crew.gflops for crew in turn.crews)
    cut = Cut.of(dearest, shard_size, len(turn.work), workers, any(pool.gpus for pool in pools))
    ahead = cut.size * max(TASKS_AHEAD, 8 * workers)
    return Handed(**vars(cut), near=2 * workers * (cut.size + 1), ahead=ahead)


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
        shard_row = read_spaces(self.readers, self.helping.wait() if shard_row.is_idle else shard_row)
        return replace(shard_row, payload=b"") if self.last else shard_row


def stage_of(crew: Crew) -> type[ReadCrew]:
    """`ReadCrew` under the names of its spaces, which is what Ray's dashboard shows."""
    names = [space.name for space in crew.spaces]
    shown = ", ".join(names) if len(names) <= SHOWN else f"{len(names)} spaces"
    return type(f"Read[{shown}]", (ReadCrew,), {})
