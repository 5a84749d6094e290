"""Sums by tasks: of all parts, in their order, whoever is first, and a fault in its own words."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

import pytest

from une_ray.errors import UneError
from une_ray.run.cluster import Cluster, readers_of
from une_ray.run.reduce import reduced

pytestmark = pytest.mark.usefixtures("shared_ray")


def listed(shared: list, part: int) -> list[list]:
    """Two pieces, lists, whose sums are in the order of the parts."""
    time.sleep(0.1 * (part == 0))
    return [[part], [*shared, part * part]]


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_sums_are_of_all_parts_in_their_order(count):
    parts, squares = reduced(Cluster(), listed, lambda i: i, [1] * count, shared=["s"], pieces=2, label="a")
    assert parts == list(range(count))
    assert squares == [each for i in range(count) for each in ("s", i * i)]


def of_two(_: None, part: int) -> list[int]:
    if part == 1:
        time.sleep(1)
    if part in (1, 2):
        raise UneError(f"part {part} is broken")
    return [part]


def test_the_fault_is_that_of_the_first_part_which_has_one():
    with pytest.raises(UneError, match="^part 1 is broken$"):
        reduced(Cluster(), of_two, lambda i: i, [1] * 4, label="a")


def dies_once(folder: Path, _: None, part: int) -> list[int]:
    if part == 1 and not (folder / "died").exists():
        (folder / "died").touch()
        os._exit(1)
    return [part]


def test_what_a_dead_process_was_at_is_done_again(tmp_path):
    assert reduced(Cluster(), partial(dies_once, tmp_path), lambda i: i, [1] * 3, label="a") == [3]
    assert (tmp_path / "died").exists()


def threads(_: None, part: int) -> list[list[str]]:
    return [[os.environ["OMP_NUM_THREADS"]]]


def test_one_that_needs_half_of_a_nodes_memory_has_half_of_its_cpus():
    import ray

    (node,) = ray.nodes()
    memory = int(0.45 * node["Resources"]["memory"])
    assert reduced(Cluster(), threads, lambda i: i, [1] * 2, memory=memory, label="a") == [["4", "4"]]


class Marked(list):
    """A piece whose additions are seen: how many were at work at once."""

    def __add__(self, other):
        folder = Path(self[0])
        mark = folder / f"{os.getpid()}-{time.monotonic_ns()}"
        mark.touch()
        (folder / f"{len(list(folder.glob('*-*')))} at once").touch()
        time.sleep(0.2)
        mark.unlink()
        return Marked([*self, *other[1:]])


def marked(folder: str, part: int) -> list[Marked]:
    return [Marked([folder, part]) for _ in range(3)]


def test_one_task_at_once_is_one_also_of_those_that_add(tmp_path):
    found = reduced(
        Cluster(actors=1), marked, lambda i: i, [1] * 4, shared=str(tmp_path), pieces=3, label="a"
    )
    assert found == [[str(tmp_path), 0, 1, 2, 3]] * 3
    assert {path.name for path in tmp_path.glob("* at once")} == {"1 at once"}


@pytest.mark.parametrize("actors", [0, -1])
def test_no_task_at_once_is_refused(actors):
    with pytest.raises(UneError, match="at least one task"):
        readers_of("auto", actors)
