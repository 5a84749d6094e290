"""Workers with nothing to do: rows that come to them behind all others, and ask for a shard that is late (see
`run.late`)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import ray
from ray.actor import ActorHandle

from une_ray.run.cluster import Cluster
from une_ray.run.late import Late, Returns
from une_ray.run.parcels import SECONDS_BETWEEN_QUESTIONS, handed_out, packed
from une_ray.run.placement import Pool
from une_ray.run.rows import ShardRow
from une_ray.run.tries import beside_driver

MOST = 4096  # rows of one turn


def start_late(shards: int) -> Any:
    """Where its node is lost it forgets, and nobody is helped: no more than that."""
    make: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Late)
    return make.options(scheduling_strategy=beside_driver()).remote(shards)


def can_help(pools: Sequence[Pool], cluster: Cluster) -> bool:
    """Whether there may be a worker with nothing to do, and another that is slower: not where all are
    processes on the cores of one machine."""
    return sum(pool.most for pool in pools) > len(pools) and (
        any(pool.gpus for pool in pools) or cluster.readers(1) is None
    )


def idle_rows(count: int, late: ActorHandle) -> ray.data.Dataset:
    """Rows for workers that have nothing else to do, as many as may have a shard when the end begins."""
    return handed_out(idle_when_read, min(count, MOST), late)


def idle_when_read(_: pa.Table, count: int, late: ActorHandle) -> Iterator[pa.Table]:
    """So many parcels of one idle row, once every shard is read. They hold no core while they wait: a reader
    that died needs it."""
    asked: Any = late
    while not ray.get(asked.are_all_read.remote()):
        time.sleep(SECONDS_BETWEEN_QUESTIONS)
    for _number in range(count):
        yield packed([ShardRow.idle()])


class Watch:
    """The driver's side: which rows count, and what `late` is told of them."""

    def __init__(self, returns: Returns, late: ActorHandle | None) -> None:
        self.returns, self.late = returns, late
        self.is_told = False

    @property
    def is_over(self) -> bool:
        return not self.returns.count

    def takes(self, row: ShardRow) -> bool:
        """Whether a row that came back counts."""
        if not self.returns.takes(row):
            return False
        late: Any = self.late
        if late and self.is_told:
            late.done.remote(row.place)
        elif late and self.returns.count <= self.returns.near:
            late.begin.remote(self.returns.left(), self.returns.usual)
            self.is_told = True
        return True
