"""Jobs of independent tasks, as edits and memorisation benches are: drivers killed, and what is left."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pyarrow.parquet as pq

from tests.faults.scene import CHECKOUT, Left, Scene, finish, kill, wait_for
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.run import tasks
from une_ray.run.cluster import Cluster
from une_ray.run.placement import Demand

KIND, LABEL = "gaussianity", "taking roots"  # any kind with a column for a number


@dataclass(frozen=True)
class Root:
    """The task of taking a number's roots."""

    x: int
    size: ClassVar[int] = 1

    def to_row(self) -> dict[str, int]:
        return {"x": self.x}


TASKS = [Root(x) for x in range(40)]
SECONDS = 0.05


class Roots:
    """A worker whose rows follow from the task alone."""

    demand = Demand()

    def __init__(self, lake_url: str, options: dict, device: str) -> None: ...

    def __call__(self, task: dict) -> list[dict]:
        time.sleep(SECONDS)
        return [
            {"unit": unit, "statistic": float(task["x"] ** (1 / unit_root))}
            for unit, unit_root in (("square", 2), ("cube", 3))
        ]


def work(lake: Lake, cluster: Cluster) -> None:
    """What the driver does."""
    for _ in tasks.run(lake, KIND, TASKS, Roots, {}, LABEL, cluster):
        pass


def drivers_killed(scene: Scene, lake: Lake, times: int) -> float:
    """At any moment after the first new file."""
    cluster = Cluster(scene.cluster.address, actors=2)
    command = [sys.executable, "-c", f"from tests.faults.jobs import *; work({lake!r}, {cluster!r})"]
    for number in range(times):
        driver = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        wait_for(lambda enough=1 + 3 * number: len(lake.store.names(KIND)) >= enough, "tasks")
        time.sleep(scene.chance.uniform(0, SECONDS))
        kill(driver)
    since = time.monotonic()
    finish(
        subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    )
    return since


def left(_: Scene | None, lake: Lake) -> Left:
    """Against the worker called here, without Ray."""
    expected = {results.config_hash(row): Roots("", {}, "")(row) for row in (task.to_row() for task in TASKS)}
    files = {config: Path(lake.url, KIND, f"{config}.parquet") for config in expected}
    rows_by_config = {
        config: pq.read_table(file, columns=["unit", "statistic"]).to_pylist()
        for config, file in files.items()
        if file.exists()
    }
    units = Counter((config, row["unit"]) for config, rows in rows_by_config.items() for row in rows)
    strangers = lake.store.names(KIND) - {file.name for file in files.values()}
    return Left(
        2 * len(expected) - len(units),
        sum(units.values()) - len(units) + len(strangers),
        sum(rows_by_config[c] != expected[c] for c in rows_by_config),
    )
