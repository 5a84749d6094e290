"""`une status` of lakes whose shards, times and places were written by hand, so that every figure has a
closed form."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests.helpers.lakes import FINGERPRINT, fill, items, write
from une_ray.cli.status import lines
from une_ray.cli.status import status as command
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.status import Record, busy, rates_of, status

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Ten images in shards of 4, 4 and 2; all of space a/b but its middle shard; image i3 is a reject."""
    lake = fill(create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4))
    lake.store.filesystem.rm(lake.store.path(f"{space_folder('a/b')}/{shard_file(1)}"))
    return lake


def record(lake: Lake, *rows: tuple[str, str, int, float, float], run: str = "run") -> Lake:
    """Write `runs`: stage, host, images, start and finish in seconds after noon."""
    table = [
        {
            "run_id": run,
            "shard": 0,
            "stage": stage,
            "images": images,
            "rejects": 1,  # of shard 0: image i3
            "seconds": finish - start,
            "started": datetime.fromtimestamp(NOON + start, UTC),
            "host": host,
            "device": "cpu",
        }
        for stage, host, images, start, finish in rows
    ]
    lake.store.commit(
        f"runs/{run}.parquet", schema.parquet(pa.Table.from_pylist(table, schema=schema.RUNS), {})
    )
    return lake


def test_what_is_committed_is_counted_per_table(lake):
    images, space = status(lake).tables
    assert (images.name, images.shards, images.images, images.rejects) == ("images", 3, 10, 1)
    assert (
        space.name,
        space.shards,
        space.shards_total,
        space.images,
        space.images_total,
        space.rejects,
    ) == ("a/b", 2, 3, 6, 10, 1)


def test_rejects_are_what_builds_counted_and_read_where_none_did(lake):
    """Shard 0, which has the reject, is said to have 7 in a later run: that count stands."""
    record(lake, ("read", "h1", 4, 0, 1), ("a/b", "h1", 4, 1, 9))
    images, space = status(lake).tables
    assert (images.rejects, space.rejects) == (1, 1)
    later = pa.Table.from_pylist(
        [row | {"rejects": 7, "started": datetime.fromtimestamp(NOON + 99, UTC)} for row in runs(lake)],
        schema=schema.RUNS,
    )
    lake.store.commit("runs/later.parquet", schema.parquet(later, {}))
    images, space = status(lake).tables
    assert (images.rejects, space.rejects) == (7, 7)
    lake.store.filesystem.rm(lake.store.path(f"{space_folder('a/b')}/{shard_file(0)}"))
    assert status(lake).tables[1].rejects == 0


def runs(lake: Lake) -> list[dict]:
    return lake.read_table("runs/run.parquet").to_pylist()


def test_a_space_that_was_only_registered_is_at_nought(lake):
    lake.register("c", FINGERPRINT)
    assert [(table.shards, table.images) for table in status(lake).tables if table.name == "c"] == [(0, 0)]


def test_only_the_last_shard_is_short(lake):
    assert [lake.images_in(done) for done in ((), (0,), (2,), (0, 2), (0, 1, 2))] == [0, 4, 2, 6, 10]


def test_rate_and_remaining_time_follow_from_the_runs(lake):
    record(lake, ("read", "h1", 4, 0, 1), ("a/b", "h1", 4, 1, 9), ("a/b", "h2", 2, 2, 10))
    images, space = status(lake, NOON + 12).tables
    assert images.rate == pytest.approx(4 / 10) and images.seconds_left == 0
    assert space.rate == pytest.approx(6 / 10) and space.seconds_left == pytest.approx(4 / 0.6)


def test_it_says_when_and_where_shards_were_recorded(lake):
    record(lake, ("a/b", "h1", 4, 1, 9), run="one")
    record(lake, ("a/b", "h2", 2, 2, 10), ("a/b", "h2", 4, 5, 6), run="two")
    found = status(lake, NOON + 12)
    assert found.age == pytest.approx(2) and found.places == {"h1 cpu": 4, "h2 cpu": 6}


def test_old_runs_tell_nothing_about_now(lake):
    record(lake, ("a/b", "h1", 4, 0, 10))
    found = status(lake, NOON + 10 + 3600)
    assert found.age == pytest.approx(3600) and found.places == {} and found.tables[1].rate is None
    assert lines(found, bars=False)[-1] == "last shard recorded 60 min ago: nobody seems to be building"


def test_a_clock_that_runs_ahead_gives_no_negative_age(lake):
    assert status(record(lake, ("a/b", "h1", 4, 0, 10)), NOON).age == 0


def test_a_shard_counts_by_its_share_of_the_window():
    assert rates_of([Record("a", "h", 100, 0, 100)], window=10) == pytest.approx({"a": 1.0})
    assert rates_of(
        [Record("a", "h", 100, 0, 100), Record("a", "h", 20, 100, 105)], window=10
    ) == pytest.approx({"a": (5 + 20) / 10})
    assert rates_of([]) == {}


def test_the_rate_outlives_a_kill_and_adds_up_over_builds():
    steady = [Record("a", "h", 8, at, at + 4) for at in range(0, 40, 4)]
    killed = [Record("a", "h", 8, at, at + 4) for at in (0, 4, 300, 304)]
    assert rates_of(steady) == rates_of(killed) == pytest.approx({"a": 2.0})
    assert rates_of(steady + steady) == pytest.approx({"a": 4.0})


def test_an_encoder_has_the_rate_of_the_inversion_it_waits_for():
    pair = [
        Record(name, "h", 8, at, at + took)
        for at in range(0, 40, 4)
        for name, took in (("slow", 4), ("fast", 0.1))
    ]
    assert rates_of(pair) == pytest.approx({"slow": 2.0, "fast": 2.0})


def test_busy_time_is_the_length_of_the_union():
    assert busy([(0, 4), (2, 6), (3, 5), (8, 9)], since=-100) == 7
    assert busy([(0, 4), (2, 6), (8, 9)], since=3) == 4
    assert busy([], since=0) == 0


def test_lines_elsewhere_and_bars_on_a_terminal(lake):
    found = status(record(lake, ("a/b", "h1", 4, 0, 10), ("read", "h1", 4, 0, 1)), NOON + 15)
    assert lines(found, bars=False) == [
        "images  3/3 shards, 10/10 images, 1 rejects, done",
        "a/b     2/3 shards, 6/10 images, 1 rejects, 0.4 images/s, 10 s left",
        "last shard recorded 5 s ago; at work in the last minutes: h1 cpu (8 images)",
    ]
    full, partly = (line.count("█") for line in lines(found, bars=True)[:2])
    assert full == 24 and partly == 16  # two thirds


def test_a_whole_lake_is_said_to_be_complete(lake):
    write(lake, f"{space_folder('a/b')}/{shard_file(1)}", [], schema.SPACE)
    assert (
        lines(status(record(lake, ("a/b", "h", 4, 0, 10)), NOON + 10), bars=False)[-1]
        == "complete; last shard recorded 0 s ago"
    )


def test_no_lake_is_one_clear_error(tmp_path):
    with pytest.raises(UneError, match="make one with: une build"):
        status(Lake(str(tmp_path)))


def test_the_command_prints_lines_where_there_is_no_terminal(lake, capsys):
    command(lake.url)
    assert capsys.readouterr().out.splitlines() == [
        f"{lake.url}:",
        "images  3/3 shards, 10/10 images, 1 rejects, done",
        "a/b     2/3 shards, 6/10 images, 1 rejects",
        "no shard was recorded yet",
    ]
