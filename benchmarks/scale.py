"""Who holds the GPUs, and what the driver costs, on logical GPUs: models that sleep as long as one computes.

    python benchmarks/scale.py                       # all: 2, 6 and 20 spaces in both orders, and so on
    python benchmarks/scale.py --only share --gpus 4
    python benchmarks/scale.py --only share --gpus 4 --joins 8   # a cluster of none, and a GPU more every 8 s

Share: of the GPU seconds that the cheap spaces leave, how many the dearest one was busy, from when the
dearest had begun on every GPU until one had nothing left; and how long that was after it began on the first,
which is what starting processes takes on a machine of few cores, and a growing cluster to grow. Tasks: shards
a second when a space costs nothing, pictures drawn. Driver: shards a second when nobody does anything, one a
task and 32 a task, and what a shard costs the driver above what waiting does: on a small machine workers' own
processes and Ray Data's ten looks a second bound the rate, not the driver. Left: what it takes to find out
what is left of a million shards. First: seconds until the first shard is back, and what the driver spends by
then, of works of many shards. Store: share of the time in which devices are busy where a shard takes as long
to be written as to be computed, one shard at once and two. Tail: seconds from 95 % of the shards to all, with
one GPU ten times slower than the others, and without.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import islice
from threading import Event, Thread
from typing import Any, TypeVar
from unittest.mock import patch

import numpy as np
import psutil
import pyarrow as pa
import ray
from ray import cluster_utils

from une_ray.corpora import open_corpus
from une_ray.lake.create import create
from une_ray.lake.files import shard_file
from une_ray.lake.layout import Lake
from une_ray.lake.store import Store
from une_ray.run import ray_data
from une_ray.run.clock import Clock
from une_ray.run.cluster import Cluster, own_gpus
from une_ray.run.crews import turns
from une_ray.run.parcels import packed, unpacked
from une_ray.run.plan import Work, missing
from une_ray.run.rows import ShardRow, StageRecord
from une_ray.spaces.space import Space

DEAR, CHEAP = 2.0, 0.04  # seconds a shard: 50 to 1, as an inversion and an encoder
NOTHING = pa.table({"status": pa.array([], pa.string())})
LONG, LOOK = 10.0, 0.2  # seconds of a shard that is waited for, and between looks at the driver
STEADY, SLOWER = 0.5, 10  # seconds a shard, and how many times as many of them a slow GPU takes
Found = TypeVar("Found")
NODE = {"object_store_memory": 80_000_000, "include_dashboard": False}
ROW = "{:34} {:>10} {:>22} {:>16}"


class Asleep(ray_data.ReadSpace):
    """A model that keeps its device busy for so long as its name says, and writes nothing."""

    store_seconds = 0.0

    def __call__(self, shard_row: ShardRow) -> ShardRow:
        with self.device_turn:
            time.sleep(self.seconds)
        device = ":".join([ray.get_runtime_context().get_node_id(), *own_gpus()])
        clock = self.device_turn.last(self.space.name, device)
        time.sleep(self.store_seconds)
        table = self.lake.plan(shard_row.shard).append_column("status", [["ok"] * self.lake.images_in({0})])
        return shard_row.recorded(clock.record(shard_row.shard, table))

    @property
    def seconds(self) -> float:
        return float(self.space.name.rpartition("-")[2])


class Unmoved(Asleep):
    """In place of a model: nothing but the record of it."""

    def __call__(self, shard_row: ShardRow) -> ShardRow:
        return shard_row.recorded(Clock(self.space.name).record(shard_row.shard, NOTHING))


class Storing(Asleep):
    """The same, and a store that takes half a second for a shard."""

    store_seconds = 0.5


class Uneven(Asleep):
    """The same, on a cluster whose first GPU is slow."""

    @property
    def seconds(self) -> float:
        return super().seconds * (SLOWER if ray.get_gpu_ids() == [0] else 1)


def spaces(seconds: Sequence[float]) -> list[Space]:
    """One that costs so many seconds a shard each: generators where dear, encoders where cheap."""
    generator, encoder = Space.parse("sd15/ddim50"), Space.parse("clip-l14")
    return [
        replace(generator if cost >= STEADY else encoder, name=f"space-{number}-{cost}")
        for number, cost in enumerate(seconds)
    ]


def rows(
    lake: Lake, some: Sequence[Space], shards: int, gpus: int, model: type[Asleep] = Asleep
) -> Iterator[ShardRow]:
    """Rows of a build of so many shards, which all are the lake's few again and again."""
    numbers = np.arange(shards)
    lacking = [tuple(space.name for space in some)]
    work = Work(shards=numbers % lake.shards, kinds=np.zeros_like(numbers), lacking=lacking)
    with patch.object(ray_data, "stage", lambda space: model):
        for turn in turns(some, work, {}):
            named: dict[str, dict[str, object]] = {space.name: {} for space in some}
            yield from ray_data.run(lake, "avatars:64", turn, named, Cluster(gpus=gpus))


def share(lake: Lake, costs: Sequence[float], gpus: int) -> tuple[float, float]:
    """The dearest space's share of what the others leave, from when it had begun on every GPU until one had
    nothing left; and the seconds from its beginning on the first GPU to that on the last."""
    with patch.object(ray_data, "shards_per_task", lambda *_: 1):  # the end of large ones is `tail`
        found = list(rows(lake, spaces(costs), 24 * gpus, gpus))
    records = [record for row in found for record in row.records]
    busy = [record for record in records if record.stage != "read"]
    dear = sorted((record for record in busy if record.stage.endswith(f"-{DEAR}")), key=started)
    begins = {record.device: started(record) for record in reversed(dear)}
    ends = {record.device: started(record) + record.seconds for record in dear}
    assert len(begins) == gpus
    since, until = max(begins.values()), min(ends.values())
    inside = {DEAR: 0.0, CHEAP: 0.0}
    for record in busy:
        begin, end = started(record), started(record) + record.seconds
        inside[float(record.stage.rpartition("-")[2])] += max(0.0, min(end, until) - max(begin, since))
    return inside[DEAR] / (gpus * (until - since) - inside[CHEAP]), since - min(begins.values())


def grown(work: Callable[[], Found], gpus: int, joins: float) -> Found:
    """What the work gives on a Ray of processors alone, whose nodes of a GPU each come one by one."""
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 2 * gpus, **NODE})
    ray.init(cluster.address, log_to_driver=False)
    try:
        with ThreadPoolExecutor(1) as other:  # nodes are started by the main thread alone
            found = other.submit(work)
            for _ in range(gpus):
                if not wait([found], joins).done:
                    cluster.add_node(num_cpus=2, num_gpus=1, **NODE)
            return found.result()
    finally:
        ray.shutdown()
        cluster.shutdown()


def started(record: StageRecord) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(record.started).timestamp()


def tasks(lake: Lake, shards: int, gpus: int) -> float:
    """Shards a second, from the first that comes back to the last."""
    times = [time.monotonic() for _ in rows(lake, spaces([0.0]), shards, gpus)]
    return (len(times) - 1) / (times[-1] - times[0])


def driver(lake: Lake, shards: int, together: int, gpus: int, waits: float) -> tuple[float, float]:
    """Shards a second, and processor seconds of the driver per shard above those of waiting, with so many
    shards a task and no work; from the first that comes back to the last."""
    process, some, times = psutil.Process(), spaces([0.0]), []
    with patch.multiple(ray_data, read_parcel=unread, shards_per_task=lambda *_: together):
        for _row in rows(lake, some, shards, gpus, Unmoved):
            times.append((time.monotonic(), spent(process)))
    (begin, before), (end, after) = times[0], times[-1]
    return (len(times) - 1) / (end - begin), (after - before - waits * (end - begin)) / (len(times) - 1)


def waiting(lake: Lake, gpus: int) -> float:
    """Processor seconds a second of a driver whose workers have all begun and of which none has ended."""
    looks, process, over = [], psutil.Process(), Event()

    def look() -> None:
        while not over.wait(LOOK):
            looks.append((time.monotonic(), spent(process)))

    Thread(target=look).start()
    try:
        next(rows(lake, spaces([LONG]), gpus, gpus))
    finally:
        over.set()
    inside = looks[-int(0.6 * LONG / LOOK) :]
    (begin, before), (end, after) = inside[0], inside[-1]
    return (after - before) / (end - begin)


def spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def unread(parcel: pa.Table, *rest: Any) -> Iterator[pa.Table]:
    """In place of reading: shards of no pictures, which count as read."""
    found = [replace(row, payload=b"-") for row in unpacked(parcel)]
    for row in found if rest[-1] else []:
        rest[-1].read.remote(row.place)
    yield packed(found)


def left(lake: Lake, shards: int) -> tuple[float, float]:
    """Seconds, and MiB held afterwards, to find out what two spaces lack of so many shards of which half are
    done, their listings given."""
    names, process = {shard_file(shard) for shard in range(shards // 2)}, psutil.Process()
    began, before = time.monotonic(), process.memory_info().rss
    with patch.object(Store, "names", lambda store, folder: names), patch.object(Lake, "shards", shards):
        work = missing(lake, spaces([CHEAP, DEAR]))
    assert len(work) == shards - len(names)
    return time.monotonic() - began, (process.memory_info().rss - before) / 2**20


def first(lake: Lake, shards: int, gpus: int) -> tuple[float, float, float]:
    """Seconds to the first shard of so many, of which each is a task, processor seconds of the driver, and
    MiB that it has grown by when a hundred are back; of a Ray that has worked before."""
    some = [replace(Space.parse("sd15/ddim50"), name="space-0-0.0")]
    list(rows(lake, some, gpus, gpus))
    process, began = psutil.Process(), time.monotonic()
    before, times = process.memory_info().rss, process.cpu_times()
    building = rows(lake, some, shards, gpus)
    next(building)
    seconds, now = time.monotonic() - began, process.cpu_times()
    list(islice(building, 100))
    grown = (process.memory_info().rss - before) / 2**20
    return seconds, now.user + now.system - times.user - times.system, grown


def stored(lake: Lake, together: int, at_once: int, gpus: int) -> float:
    """Share of the time in which devices were busy, beside a slow store, with so many shards a task."""
    with (
        patch.object(ray_data, "shards_per_task", lambda *_: together),
        patch.object(
            ray_data, "stage_of", lambda _: type("Some", (ray_data.ReadCrew,), {"at_once": at_once})
        ),
    ):
        found = [r for row in rows(lake, spaces([STEADY]), 24 * gpus, gpus, Storing) for r in row.records]
    busy = [record for record in found if record.stage != "read"]
    begin, end = min(map(started, busy)), max(started(record) + record.seconds for record in busy)
    return sum(record.seconds for record in busy) / gpus / (end - begin)


def tail(lake: Lake, shards: int, gpus: int, model: type[Asleep]) -> float:
    """Seconds from 95 % of the shards to the last."""
    times = [time.monotonic() for _ in rows(lake, spaces([STEADY]), shards, gpus, model)]
    return times[-1] - times[int(0.95 * len(times))]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("share", "tasks", "driver", "left", "first", "store", "tail"))
    parser.add_argument("--gpus", type=int, default=4, help="logical ones; each is a process that sleeps")
    parser.add_argument("--counts", default="2,6,20", help="of spaces, one of them dear")
    parser.add_argument("--joins", type=float, help="seconds until a GPU's node joins, of shares: one by one")
    args = parser.parse_args()
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    if args.joins and args.only != "share":
        parser.error("--joins is for --only share")
    if not args.joins:
        ray.init(num_cpus=2 * args.gpus, num_gpus=args.gpus, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        lake = create(Lake(f"{folder}/lake"), "avatars:64", open_corpus("avatars:64").items(), 1)
        if args.only in (None, "share"):
            print(ROW.format("spaces", "order", "dearest's share", "all begun in, s"))
            for count in map(int, args.counts.split(",")):
                for order, costs in {
                    "dear first": [DEAR, *[CHEAP] * (count - 1)],
                    "dear last": [*[CHEAP] * (count - 1), DEAR],
                }.items():
                    measure = partial(share, lake, costs, args.gpus)
                    held, begun = grown(measure, args.gpus, args.joins) if args.joins else measure()
                    print(ROW.format(count, order, f"{held:.1%}", f"{begun:.1f}"), flush=True)
        if args.only in (None, "tasks"):
            print(f"{tasks(lake, 2000, args.gpus):.0f} shards a second, one picture each", flush=True)
        if args.only in (None, "driver"):
            waits = waiting(lake, args.gpus)
            print(f"the driver spends {waits:.1%} of a processor on waiting", flush=True)
            for together, shards in ((1, 2_000), (32, 32_000)):
                rate, cost = driver(lake, shards, together, args.gpus, waits)
                most = (1 - waits) / cost
                print(
                    f"{together} shards a task, no work: {rate:,.0f} shards, {256 * rate:,.0f} images of 256"
                    f" a shard, a second; the driver {1000 * cost:.2f} ms of a processor a shard more, which"
                    f" ends at {most / together:,.0f} tasks, {256 * most:,.0f} images a second",
                    flush=True,
                )
        if args.only in (None, "left"):
            seconds, memory = left(lake, 1_000_000)
            print(f"1,000,000 shards, half of them done: {seconds:.1f} s, {memory:,.0f} MiB", flush=True)
        if args.only in (None, "first"):
            for shards in (10_000, 100_000):
                seconds, work, memory = first(lake, shards, args.gpus)
                print(
                    f"{shards:,} shards: {seconds:.1f} s to the first, the driver {work:.1f} s of a processor"
                    f" and {memory:,.0f} MiB",
                    flush=True,
                )
        if args.only in (None, "store"):
            for at_once in (1, ray_data.AT_ONCE):
                busy = stored(lake, 8, at_once, args.gpus)
                print(
                    f"a shard computes {STEADY} s and is written in .5 s, {at_once} at once: {busy:.0%} busy"
                )
        if args.only in (None, "tail"):
            without, beside = (tail(lake, 60 * args.gpus, args.gpus, model) for model in (Asleep, Uneven))
            print(
                f"from 95 % to the end {without:.1f} s; with one GPU {SLOWER} times slower {beside:.1f} s,"
                f" {beside / without:.2f} times",
                flush=True,
            )


if __name__ == "__main__":
    main()
