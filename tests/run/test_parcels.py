"""How work is handed out: every shard once, in its order, and never far ahead of who reads it."""

from types import SimpleNamespace

import pyarrow as pa
import pytest
import ray

from une_ray.run import parcels
from une_ray.run.idle import start_late
from une_ray.run.parcels import Pace, handed_out, packed, sent, tasks, unpacked
from une_ray.run.plan import ShardWork, Work
from une_ray.run.rows import ShardRow, StageRecord

WORK = Work.of(ShardWork(100 + number, ("a", "b")[: number % 3]) for number in range(23))


def rows_of(tables) -> list[list[ShardRow]]:
    return [unpacked(table) for table in tables]


def test_a_parcel_gives_back_the_very_rows():
    record = StageRecord(
        shard=3, stage="read", images=4, rejects=1, seconds=0.5, started="", host="h", device="cpu"
    )
    rows = [
        ShardRow(shard=3, place=7, spaces=("a", "b/ddim50"), payload=bytes(range(256)), records=(record,)),
        ShardRow(shard=4, place=8, is_copy=True, fault="no such file"),
        ShardRow.idle(),
    ]
    assert unpacked(packed(rows)) == rows
    assert unpacked(pa.concat_tables([packed(rows[:1]), packed(rows[1:])])) == rows
    assert packed(rows).schema == parcels.PARCEL and len(packed(rows)) == 1


@pytest.mark.parametrize("size, alone", [(1, 23), (4, 6), (5, 3), (50, 1), (3, 0)])
def test_every_shard_is_handed_out_once_in_its_order_and_the_last_ones_alone(size, alone):
    found = rows_of(tasks(pa.table({}), WORK, size, alone, ahead=10**6, late=None))
    handed = [row for rows in found for row in rows]
    assert [(row.shard, row.spaces) for row in handed] == [(item.shard, item.spaces) for item in WORK]
    assert [row.place for row in handed] == [*range(23)]
    assert all(len(rows) == 1 for rows in found[len(found) - alone :])
    assert all(len(rows) == size for rows in found[: len(found) - alone - 1])


def test_the_pace_holds_where_the_count_of_what_was_read_is_lost_and_begins_anew():
    pace = Pace(ahead=10)
    assert not pace.is_too_far(9) and pace.is_too_far(10)
    pace.look(7)
    assert not pace.is_too_far(16) and pace.is_too_far(17)
    pace.look(2)  # its process died behind the seventh
    assert not pace.is_too_far(18) and pace.is_too_far(19)


class Waited(Exception):
    pass


def wait(seconds: float) -> None:
    raise Waited


@pytest.mark.usefixtures("shared_ray")
def test_no_more_is_handed_out_than_is_read(monkeypatch):
    monkeypatch.setattr(parcels, "time", SimpleNamespace(sleep=wait))
    late = start_late(len(WORK))
    made = tasks(pa.table({}), WORK, 2, 3, ahead=6, late=late)
    first = rows_of(next(made) for _ in range(3))
    for row in first[0] + first[1]:
        ray.get(late.read.remote(row.place))
    assert [[row.place for row in rows] for rows in rows_of([next(made), next(made)])] == [[6, 7], [8, 9]]
    with pytest.raises(Waited):
        next(made)


def ten(_: pa.Table, first: int):
    for number in range(first, first + 10):
        yield packed([ShardRow(shard=number), ShardRow(shard=-number)])


@pytest.mark.usefixtures("shared_ray")
def test_each_parcel_is_a_block_of_its_own_as_small_as_it_is():
    before = ray.data.DataContext.get_current().target_max_block_size
    for made in (handed_out(ten, 5), sent([*ten(pa.table({}), 5)])):
        blocks = list(made.iter_batches(batch_size=None, batch_format="pyarrow"))
        assert [[row.shard for row in unpacked(block)] for block in blocks] == [[n, -n] for n in range(5, 15)]
    assert ray.data.DataContext.get_current().target_max_block_size == before
