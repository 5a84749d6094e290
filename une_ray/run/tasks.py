"""Ray Data over independent tasks: one row is one task, one pool of actors does them, and what a task
gives is one file.

    tasks that are not done → worker (actors) → `TABLE/CONFIG.parquet` → their configs on the driver

A task is a record of everything that decides its rows, so its file's name follows from it: a task may run
twice, anywhere, and two jobs at once share the work.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

import ray
from ray.actor import ActorHandle

from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.run.cluster import DEFAULT, Cluster, own_device
from une_ray.run.placement import Demand
from une_ray.run.progress import Progress
from une_ray.run.ray_data import actors, faults_travel
from une_ray.run.tries import start_tries, tried


class Task(Protocol):
    """A frozen record of all that decides a task's rows."""

    @property
    def size(self) -> int:
        """How many units of progress it is, such as pictures."""
        ...

    def to_row(self) -> dict[str, Any]:
        """As JSON can hold it: its hash names the file."""
        ...


class Worker(Protocol):
    """A model in memory that turns tasks into rows. Built once per actor; `options` is what no row depends
    on."""

    demand: ClassVar[Demand]

    def __init__(self, lake_url: str, options: Any, device: str) -> None: ...

    def __call__(self, task: dict[str, Any]) -> Sequence[Mapping[str, Any]]:
        """The rows of a task, given as its `to_row` made it."""
        ...


def run(
    lake: Lake,
    table: str,
    tasks: Sequence[Task],
    worker: type[Worker],
    options: Any,
    label: str,
    cluster: Cluster = DEFAULT,
    unit: str = "tasks",
) -> Iterator[str]:
    """Do the tasks whose rows are not in the lake's `table`; yields every task's config hash once they are.

    Where nothing is left to do, Ray is not started. Raises UneError for a fault of the input, on whichever
    machine it was found.
    """
    left: dict[str, tuple[dict[str, Any], int]] = {}
    for task in tasks:
        row = task.to_row()
        left[results.config_hash(row)] = row, task.size
    for config, (row, _) in list(left.items()):
        if results.is_done(lake, table, row):
            del left[config]
            yield config
    if left:
        with Progress(sum(size for _, size in left.values()), label, unit=unit) as progress:
            for config in _distribute(
                lake, table, [row for row, _ in left.values()], worker, options, cluster
            ):
                progress.advance(left[config][1], 0)
                yield config


def _distribute(
    lake: Lake,
    table: str,
    tasks: Sequence[dict[str, Any]],
    worker: type[Worker],
    options: Any,
    cluster: Cluster,
) -> Iterator[str]:
    (pool,) = cluster.at_most(len(tasks)).pools([worker.demand])
    turn = random.randrange(len(tasks))  # two jobs at once start at different tasks
    rows = [
        {"task": json.dumps(task), "config": "", "payload": b"", "fault": ""}
        for task in [*tasks[turn:], *tasks[:turn]]
    ]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        type(f"Do[{table}]", (Do,), {}),  # the name is what Ray's dashboard shows
        fn_constructor_args=(lake.url, table, worker, options, start_tries()),
        **actors(pool),
    )
    for row in dataset.iter_rows():
        if row["fault"]:
            raise UneError(row["fault"])
        yield row["config"]


class Do:
    """One actor: a worker in memory that turns tasks into files of one table."""

    def __init__(
        self, lake_url: str, table: str, worker: type[Worker], options: Any, tries: ActorHandle
    ) -> None:
        self.lake, self.table, self.make, self.options, self.tries = (
            Lake(lake_url),
            table,
            worker,
            options,
            tries,
        )

    @functools.cached_property
    def worker(self) -> Worker:
        """Built with the first task: a fault then is one of that task's, not a dead actor."""
        return self.make(self.lake.url, self.options, own_device())

    @faults_travel
    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        task = json.loads(row["task"])
        if not results.is_done(self.lake, self.table, task):
            with tried(self.tries, f"{self.table} task {task}"):
                results.commit(self.lake, self.table, task, self.worker(task))
        return row | {"config": results.config_hash(task)}
