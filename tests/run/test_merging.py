"""`une compact` on a cluster leaves what it leaves on one machine, and says what it can't merge; a build of
many shards merges what it writes."""

import json
import threading
import time
from itertools import count

import pytest

from tests.helpers.lakes import FINGERPRINT, fill, items, latent, write
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.compact import compact
from une_ray.lake.create import create
from une_ray.lake.files import shard_file, sizes
from une_ray.lake.layout import COMPACTION, Lake, space_folder
from une_ray.lake.verify import verify
from une_ray.run import merging
from une_ray.run.build import build
from une_ray.run.cluster import Cluster
from une_ray.run.merging import Merging, on_cluster

SPACE = space_folder("a/b")


def made(folder) -> Lake:
    return fill(create(Lake(str(folder)), "made-up:40", iter(items(40)), 4))


def files(lake: Lake) -> dict[str, bytes]:
    folders = ("images", SPACE, "tmp")
    names = [f"{folder}/{name}" for folder in folders for name in sorted(lake.store.names(folder))]
    return {name: lake.store.read(name) for name in names}


@pytest.mark.usefixtures("shared_ray")
def test_a_cluster_leaves_the_very_files_of_one_machine(tmp_path):
    alone, spread = made(tmp_path / "alone"), made(tmp_path / "spread")
    size = 4 * max(sizes(alone.store, "images").values())  # so that some shards make a file
    done = list(compact(alone, size, grace=0))
    assert list(compact(spread, size, grace=0, spread=on_cluster(Cluster()))) == done
    assert files(spread) == files(alone) and not spread.store.exists(COMPACTION)
    assert done[0].after > 1 and all(folder.after < folder.before for folder in done)
    assert len(list(verify(Lake(spread.url)))) == 3


@pytest.mark.usefixtures("shared_ray")
def test_a_fault_of_a_task_is_told_in_its_own_words(tmp_path):
    lake = made(tmp_path / "lake")
    ids = lake.plan(3)["image_id"].to_pylist()
    lake.store.remove(f"{SPACE}/{shard_file(3)}")
    write(
        lake,
        f"{SPACE}/{shard_file(3)}",
        [latent(i, 4) for i in ids],
        schema.SPACE,
        FINGERPRINT | {"steps": 9},
    )
    before = lake.store.names(SPACE)
    with pytest.raises(UneError, match="is stamped otherwise than"):
        list(compact(lake, grace=0, spread=on_cluster(Cluster())))
    assert lake.store.names(SPACE) == before


@pytest.mark.long
@pytest.mark.usefixtures("shared_ray")
def test_a_build_of_many_shards_leaves_few_files_and_a_finished_one_does_nothing(tmp_path, monkeypatch):
    url = str(tmp_path / "lake")
    monkeypatch.setattr(merging, "MANY", 8)
    monkeypatch.setattr(merging, "GRACE", 0)
    built = build(url, "avatars:36", ["pixels-16"], shard_size=4)
    pixels = space_folder("pixels-16")
    assert built.shards_done == 9 and Lake(url).store.names(pixels) == {"merged-00000-00008.parquet"}
    assert "merged-00000-00008.parquet" in Lake(url).store.names("images")
    assert len(list(verify(Lake(url)))) == 3
    assert Lake(url).rows("SELECT count(*), count(DISTINCT image_id) FROM readings") == [(36, 36)]
    assert build(url, "avatars:36", ["pixels-16"]).shards_done == 0


@pytest.fixture
def many(tmp_path, monkeypatch) -> Lake:
    """A lake of as many shards as builds merge, of which every third is not there; four make a file."""
    lake = made(tmp_path / "many")
    monkeypatch.setattr(merging, "MANY", 9)
    monkeypatch.setattr(merging, "SECONDS_BETWEEN_MERGES", 0.02)
    monkeypatch.setattr(merging, "GRACE", 0)
    monkeypatch.setattr(merging, "SIZE", 3.5 * max(sizes(lake.store, SPACE).values()))
    return lake


def until(is_so) -> None:
    for _ in count():
        if is_so():
            return
        time.sleep(0.01)


def test_a_build_merges_what_makes_a_whole_file_and_at_its_end_the_rest(many, capsys):
    many.store.move(f"{SPACE}/{shard_file(6)}", "elsewhere.parquet")
    before = Lake(many.url).rows("SELECT * FROM latents ORDER BY image_id")
    with Merging(many, [SPACE], Cluster()) as background:
        until(lambda: "merged-00000-00003.parquet" in many.store.names(SPACE))
        until(lambda: not many.store.exists(COMPACTION))
        alone = {shard_file(number) for number in (4, 5, 7, 8, 9)}
        assert many.store.names(SPACE) == alone | {"merged-00000-00003.parquet"}
        many.store.move("elsewhere.parquet", f"{SPACE}/{shard_file(6)}")
        background.finish(wrote=True)
    assert len(many.store.names(SPACE)) <= 3
    assert many.committed(SPACE) == set(range(10)) and shard_file(9) in many.store.names("images")
    after = Lake(many.url).rows("SELECT * FROM latents ORDER BY image_id")
    assert len(after) == 39 and all(row in after for row in before)
    assert "merging files into large ones, in spaces/space=a/b" in capsys.readouterr().err


def test_a_build_of_few_shards_or_with_nothing_to_do_merges_nothing(many, monkeypatch):
    with Merging(many, [SPACE], Cluster()) as background:
        until(
            lambda: (
                not background.thread.is_alive() or "merged-00000-00003.parquet" in many.store.names(SPACE)
            )
        )
        background.finish(wrote=False)
    monkeypatch.setattr(merging, "MANY", 10)
    few = many.store.names(SPACE)
    with Merging(many, [SPACE, "images"], Cluster()) as background:
        background.finish(wrote=True)
    assert many.store.names(SPACE) == few and not background.thread.is_alive()


def test_a_build_leaves_the_files_to_whoever_merges_them_and_takes_up_what_was_killed(
    many, monkeypatch, capsys
):
    monkeypatch.setattr("une_ray.lake.compact.BEAT", 0.02)
    alive, beats = threading.Event(), count()

    def beat() -> None:
        while not alive.wait(0.01):
            record = {"owner": "another", "host": "h", "pid": 1, "beat": next(beats)}
            many.store.commit(COMPACTION, json.dumps(record).encode())

    another = threading.Thread(target=beat)
    another.start()
    until(lambda: many.store.exists(COMPACTION))
    with Merging(many, [SPACE], Cluster()) as background:
        background.finish(wrote=True)
    alive.set()
    another.join()
    assert len(many.store.names(SPACE)) == 10 and many.store.exists(COMPACTION)
    monkeypatch.setattr("une_ray.lake.compact.DEAD", 0.1)
    monkeypatch.setattr(merging, "SECONDS_BETWEEN_MERGES", 1000)  # else the lease may be taken over before
    with Merging(many, [SPACE], Cluster()) as background:
        background.finish(wrote=False)
    assert len(many.store.names(SPACE)) <= 3 and not many.store.exists(COMPACTION)


def test_a_fault_of_merging_is_said_and_costs_the_build_nothing(many, capsys):
    ids = many.plan(3)["image_id"].to_pylist()
    another = FINGERPRINT | {"steps": 9}
    many.store.remove(f"{SPACE}/{shard_file(3)}")
    write(many, f"{SPACE}/{shard_file(3)}", [latent(i, 4) for i in ids], schema.SPACE, another)
    before = many.store.names(SPACE)
    with Merging(many, [SPACE], Cluster()) as background:
        background.finish(wrote=True)
    said = capsys.readouterr().err
    assert (
        "files were not merged" in said and "stamped otherwise" in said and f"une compact {many.url}" in said
    )
    assert many.store.names(SPACE) == before and not many.store.exists(COMPACTION)
