"""The table of times grows by files: a save writes what is new, and SQL sees every record once."""

from tests.helpers.lakes import items
from une_ray.corpora import open_corpus
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.run.build import Runs
from une_ray.run.rows import ShardRow, StageRecord
from une_ray.run.stages import read_shard


def record(shard: int, stage: str, rejects: int = 0) -> StageRecord:
    return StageRecord(
        shard=shard,
        stage=stage,
        images=4,
        rejects=rejects,
        seconds=1.0,
        started="2026-11-21T12:00:00+00:00",
        host="h",
        device="cpu",
    )


def test_a_save_writes_what_is_new_and_every_record_is_seen_once(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test", iter(items(12)), 4)
    with Runs(lake) as runs:
        runs.add([record(0, "read"), record(0, "a")])
        runs.save()
        first = {name: lake.store.read(f"runs/{name}") for name in lake.store.names("runs")}
        runs.add([record(1, "read")])
        runs.save()
        runs.save()
        runs.add([record(2, "read")])
    assert len(lake.store.names("runs")) == len(first) + 2
    assert all(lake.store.read(f"runs/{name}") == data for name, data in first.items())
    assert lake.rows("SELECT count(*), count(DISTINCT (shard, stage)), count(DISTINCT run_id) FROM runs") == [
        (4, 4, 1)
    ]


def test_a_shard_that_is_read_again_counts_its_rejects_once(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test", iter(items(12)), 4)
    with Runs(lake) as runs:
        counts = [runs.add([record(0, "read", 3), record(0, "a", 3)]), runs.add([record(0, "read", 3)])]
        assert counts == [3, 0] and runs.rejects == 3


def test_rejects_of_a_shard_whose_process_died_before_it_told_are_counted(tmp_path):
    """Its files are there, and nobody's seconds: those died with it."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"no picture")
    corpus = open_corpus(f"folder:{folder}")
    lake = create(Lake(str(tmp_path / "lake")), corpus.name, corpus.items(), 2)
    (read,) = read_shard(ShardRow(shard=0), lake.url, corpus.name, None).records
    again = read_shard(ShardRow(shard=0), lake.url, corpus.name, None)
    (found,) = again.records
    assert (read.stage, found.stage, found.rejects, again.fault) == ("read", "found", 2, "")
    with Runs(lake) as runs:
        assert [runs.add([found]), runs.add([read])] == [2, 0]
    assert runs.rejected == {0: 2} and lake.rows("SELECT stage FROM runs") == [("read",)]
