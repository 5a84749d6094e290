"""Jobs of independent tasks: what they leave, what a second, a broken-off or a doubled one does."""

import os
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import ray

from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.run import tasks
from une_ray.run.cluster import Cluster
from une_ray.run.placement import Demand

KIND = "gaussianity"  # any kind with a column for a name and one for a number


@dataclass(frozen=True)
class Number:
    """A task."""

    x: int
    size: int = 1

    def to_row(self) -> dict:
        return {"x": self.x}


class Squares:
    """Finds the square of a task's number, and leaves a trace of every time it was built and called."""

    demand = Demand()

    def __init__(self, lake_url: str, options: dict, device: str) -> None:
        self.lake, self.options, self.device = Lake(lake_url), options, device
        self.trace("built")

    def __call__(self, task: dict) -> list[dict]:
        if task["x"] < 0:
            raise UneError(f"{task['x']} is negative; squares are taken of what is not")
        if task["x"] > 1000:
            os._exit(139)
        self.trace(f"called-{task['x']}")
        return [{"space": self.device, "statistic": float(task["x"] ** 2)}]

    def trace(self, event: str) -> None:
        Path(self.options["traces"], f"{event}-{uuid.uuid4().hex}").touch()


@pytest.fixture
def lake(tmp_path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def squares(lake, tmp_path, shared_ray):
    """squares(1, 2): run these tasks to the end; `.events` is what the workers left."""

    def run(*numbers: int, actors: int | None = 2) -> set[str]:
        return set(
            tasks.run(
                lake,
                KIND,
                [Number(x) for x in numbers],
                Squares,
                {"traces": str(traces)},
                "squaring",
                Cluster(actors=actors),
            )
        )

    traces = tmp_path / "traces"
    traces.mkdir()
    run.events = lambda: sorted(path.name.rpartition("-")[0] for path in traces.iterdir())
    return run


def statistic(lake: Lake, config: str) -> list[float]:
    return pq.read_table(Path(lake.url, KIND, f"{config}.parquet"))["statistic"].to_pylist()


def test_every_task_is_one_file_named_by_its_config(lake, squares):
    configs = squares(1, 2, 3)
    assert configs == {results.config_hash({"x": x}) for x in (1, 2, 3)}
    assert sorted(value for config in configs for value in statistic(lake, config)) == [1, 4, 9]
    assert lake.store.names(KIND) == {f"{config}.parquet" for config in configs}


def test_a_worker_is_built_once_per_actor_and_not_once_per_task(squares):
    squares(1, 2, 3, 4, 5, actors=1)
    assert squares.events() == ["built", *(f"called-{x}" for x in range(1, 6))]


def test_what_is_done_is_not_done_again(squares):
    squares(1, 2)
    before = squares.events()
    assert len(squares(2, 1, 3)) == 3
    assert [event for event in squares.events() if event not in before] == ["called-3"]


def test_a_finished_job_starts_no_ray(squares, monkeypatch):
    configs = squares(1, 2)
    monkeypatch.setattr(Cluster, "pools", None)
    assert squares(1, 2) == configs


def test_a_fault_of_the_input_comes_back_in_its_own_words_and_the_rest_is_kept(lake, squares):
    with pytest.raises(UneError, match="^-1 is negative; squares are taken of what is not$"):
        squares(1, 2, -1, actors=1)
    assert len(squares(1, 2)) == 2


@pytest.mark.slow
def test_a_task_that_kills_its_process_ends_the_job_and_says_so(squares):
    with pytest.raises(UneError, match="gaussianity task .*: its worker died 5 times"):
        squares(2000, actors=1)


def test_two_jobs_at_once_leave_what_one_would(lake, squares):
    found = []
    jobs = [threading.Thread(target=lambda: found.append(squares(*range(6), actors=1))) for _ in range(2)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    assert found[0] == found[1] and sorted(statistic(lake, config)[0] for config in found[0]) == [
        0,
        1,
        4,
        9,
        16,
        25,
    ]


def test_a_second_job_of_one_process_takes_no_more_actors_than_cores(own_ray):
    """Ray, started here with more slots than cores so that no stage waits, knows how many there are."""
    first = Cluster().pools([Demand()])
    slots = ray.cluster_resources()["CPU"]
    assert Cluster().pools([Demand()]) == first and first[0].most == os.cpu_count() < slots


def test_a_ray_of_this_machine_reads_a_shard_per_core_and_a_cluster_as_many_as_fit(own_ray, monkeypatch):
    Cluster().pools([Demand()])
    assert Cluster().readers(1000) == os.cpu_count() and Cluster().readers(1) == 1
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 64.0})
    assert Cluster().readers(1000) is None


def test_gpus_that_can_never_come_are_refused(own_ray):
    with pytest.raises(UneError, match="--gpus 8: the Ray of this machine has 0 and does not grow"):
        Cluster(gpus=8).pools([Demand()])
