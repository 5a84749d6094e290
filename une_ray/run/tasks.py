"""Ray Data over independent tasks: one row is one task, one pool of actors does them, and what a task found is one file.

    tasks that are not done → worker (actors) → `KIND/CONFIG.parquet` → their configs on the driver

A task is a JSON-able dict of everything that decides its rows, so its file's name follows from it: a task may run twice,
anywhere, and two jobs at once share the work.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Iterator, Sequence
from pkgutil import resolve_name

import ray
from ray.actor import ActorHandle

from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.models.registry import KINDS
from une_ray.run.cluster import DEFAULT, Cluster, own_device
from une_ray.run.progress import Progress
from une_ray.run.ray_data import actors, faults_travel
from une_ray.run.tries import start_tries, tried
from une_ray.spaces.space import Space

PLACED_AS = Space(
    "task", KINDS["stable-diffusion"]
)  # a worker samples from a generator: an actor per GPU, or without one per core


def run(
    lake: Lake,
    kind: str,
    tasks: Sequence[dict],
    worker: str,
    options: dict,
    label: str,
    cluster: Cluster = DEFAULT,
) -> Iterator[str]:
    """Do the tasks whose rows of `kind` (a key of results.KINDS) are not in the lake; yields every task's config hash once its are.

    `worker` is "package.module:Class", built once per actor as `Class(lake_url, options, device)` and called with a task for
    its rows, a list of dicts; `options` is what no row depends on. Where nothing is left to do, Ray is not started.
    Raises UneError for a fault of the input, on whichever machine it was found.
    """
    left = {results.config_hash(task): task for task in tasks}
    done = [config for config, task in left.items() if results.is_done(lake, kind, task)]
    for config in done:
        del left[config]
    yield from done
    if left:
        turn = random.randrange(len(left))  # two jobs at once start at different tasks
        work = [*left.values()][turn:] + [*left.values()][:turn]
        with Progress(len(work), label, unit="tasks") as progress:
            for config in _distribute(lake, kind, work, worker, options, cluster):
                progress.advance(1, 0)
                yield config


def _distribute(lake, kind, work, worker, options, cluster) -> Iterator[str]:
    (pool,) = cluster.at_most(len(work)).pools([PLACED_AS])
    rows = [{"task": json.dumps(task), "config": "", "payload": b"", "fault": ""} for task in work]
    dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
        type(f"Do[{kind}]", (Do,), {}),  # the name is what Ray's dashboard shows
        fn_constructor_args=(lake.url, kind, worker, options, start_tries()),
        **actors(pool),
    )
    for row in dataset.iter_rows():
        if row["fault"]:
            raise UneError(row["fault"])
        yield row["config"]


class Do:
    """One actor: a worker in memory that turns tasks into files of one kind."""

    def __init__(self, lake_url: str, kind: str, worker: str, options: dict, tries: ActorHandle) -> None:
        self.lake, self.kind, self.name, self.options, self.tries = (
            Lake(lake_url),
            kind,
            worker,
            options,
            tries,
        )

    @functools.cached_property
    def worker(self):
        """Built with the first task: a fault then is one of that task's, not a dead actor."""
        return resolve_name(self.name)(self.lake.url, self.options, own_device())

    @faults_travel
    def __call__(self, row: dict) -> dict:
        task = json.loads(row["task"])
        if not results.is_done(self.lake, self.kind, task):
            with tried(self.tries, f"{self.kind} task {task}"):
                results.commit(self.lake, self.kind, task, self.worker(task))
        return row | {"config": results.config_hash(task)}
