"""The end of a build: idle workers do again what others are late with, and the first to end counts."""

import time
from pathlib import Path

import pytest

from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.verify import verify
from une_ray.run import ray_data
from une_ray.run.build import build
from une_ray.run.late import COPIES, PATIENCE, Late, Returns
from une_ray.run.plan import ShardWork
from une_ray.run.rows import ShardRow, StageRecord

WORK = [ShardWork(100 + place, ("a",)) for place in range(5)]
LEFT = [(place, item.shard, item.spaces) for place, item in enumerate(WORK)]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def row(place: int, **what) -> ShardRow:
    return ShardRow(shard=WORK[place].shard, place=place, **what)


def record(seconds: float, stage: str = "a") -> StageRecord:
    rest = {"shard": 0, "images": 1, "rejects": 0, "started": "", "host": "", "device": ""}
    return StageRecord(stage=stage, seconds=seconds, **rest)


def test_nobody_helps_before_a_shard_is_late_and_then_with_what_was_handed_out_first(clock):
    late = Late(len(WORK), clock)
    assert late.next() is None, "the end has not begun"
    late.begin(LEFT[2:4], seconds=10.0)
    clock.now += 10 * PATIENCE - 0.1
    assert late.next() is None
    clock.now += 0.2
    assert late.next() == LEFT[2] and late.next() == LEFT[3]
    late.done(2)
    assert late.next() == LEFT[3] and late.next() is None, f"{COPIES} copies of it are enough"
    late.done(3)
    assert late.next() is None


def test_nobody_is_idle_before_every_shard_is_read_once():
    late = Late(2)
    late.read(0)
    late.read(0)
    assert not late.are_all_read()
    late.read(1)
    assert late.are_all_read()


def test_patience_counts_from_the_first_worker_that_is_idle(clock):
    late = Late(len(WORK), clock)
    late.begin(LEFT, seconds=10.0)
    clock.now += 1000
    assert late.next() is None
    clock.now += 10 * PATIENCE
    assert late.next() == LEFT[0]


def test_of_a_shard_and_its_copy_the_first_to_come_counts_and_a_copys_fault_is_nobodys():
    returns = Returns(WORK, near=3)
    assert returns.takes(row(0)) and not returns.takes(row(0, is_copy=True))
    assert not returns.takes(row(1, is_copy=True, fault="no memory")) and returns.count == 4
    assert returns.takes(row(1, fault="the store does not answer")) and not returns.takes(row(1))
    assert returns.takes(row(2, is_copy=True)) and not returns.takes(row(2, fault="too late"))
    assert not returns.takes(ShardRow.idle())
    assert returns.left() == LEFT[3:] and returns.count == 2


def test_what_a_shard_takes_is_the_median_of_its_spaces_together():
    returns = Returns(WORK, near=3)
    assert returns.usual == 1.0
    for place, seconds in enumerate((1.0, 5.0, 300.0)):
        returns.takes(row(place, records=(record(99.0, "read"), record(seconds), record(2.0, "b"))))
    assert returns.usual == 7.0


class Hanging(ray_data.ReadSpace):
    """Hangs on the first shard that any of them is given, as a node does whose disk is gone."""

    def read(self, packed, suspect):
        try:
            Path(f"{self.lake.url}.hung").touch(exist_ok=False)
        except FileExistsError:
            return super().read(packed, suspect)
        time.sleep(3600)


@pytest.mark.long
@pytest.mark.usefixtures("shared_ray")
def test_a_worker_that_hangs_holds_up_no_build(tmp_path, monkeypatch):
    corpus, spaces = "avatars:24", ["pixels-16", "pixels-32"]  # two that load no model
    build(str(tmp_path / "quick"), corpus, spaces, shard_size=3)
    monkeypatch.setattr(ray_data, "stage", lambda space: Hanging)
    built = build(str(tmp_path / "lake"), corpus, spaces, shard_size=3)
    assert built.shards_done == 8 and Path(f"{tmp_path}/lake.hung").exists()
    lake, quick = Lake(str(tmp_path / "lake")), Lake(str(tmp_path / "quick"))
    list(verify(lake))
    for folder in ("images", *map(space_folder, spaces)):
        for name in quick.store.names(folder):
            assert lake.store.read(f"{folder}/{name}") == quick.store.read(f"{folder}/{name}")
    stages = "SELECT stage, count(*), count(DISTINCT shard) FROM runs GROUP BY stage ORDER BY stage"
    assert lake.rows(stages) == [("pixels-16", 8, 8), ("pixels-32", 8, 8), ("read", 8, 8)]
