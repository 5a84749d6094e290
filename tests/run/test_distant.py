"""Shards whose pictures are too heavy to travel: what comes of them is what comes of any other."""

import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.helpers.pictures import png
from une_ray.corpora import open_corpus
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.run import ray_data, shard
from une_ray.run.build import build
from une_ray.run.distant import DistantImages
from une_ray.run.rows import ShardRow
from une_ray.run.tries import start_tries
from une_ray.spaces.space import Space

SPACES = ("pixels-16", "mini-dino", "mini-clip-a/text")

pytestmark = pytest.mark.usefixtures("shared_ray")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Ten pictures with captions, of which one can't be read."""
    for number in range(10):
        (tmp_path / f"{number:02}.png").write_bytes(png((24, 40), seed=number))
    (tmp_path / "05.png").write_bytes(b"this is no picture")
    captions = [f"{number:02}.png,picture {number}" for number in range(10)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,caption", *captions]) + "\n")
    return tmp_path


def read(lake: Lake, corpus: str, number: int) -> ShardRow:
    """A shard as the reader hands it on."""
    row = ShardRow(shard=number, spaces=SPACES)
    return ray_data.read_shard(row, lake.url, corpus, start_tries())


def crew(lake: Lake, corpus: str) -> ray_data.ReadCrew:
    pinned = [Space.parse(name).pinned() for name in SPACES]
    for space, fingerprint in pinned:
        lake.register(space.name, fingerprint)
    readers = [(ray_data.ReadSpace, space, fingerprint) for space, fingerprint in pinned]
    helping = ray_data.Helping(lake.url, corpus, start_tries(), None)
    return ray_data.ReadCrew(lake.url, readers, True, helping)


@pytest.mark.long
def test_a_heavy_shard_has_the_very_files_of_one_that_travels(folder, tmp_path_factory, monkeypatch):
    corpus = f"folder:{folder}?table={folder}/labels.csv"
    travelled, heavy = (Lake(str(tmp_path_factory.mktemp("lake"))) for _ in range(2))
    build(travelled.url, corpus, SPACES, shard_size=4)
    create(heavy, corpus, open_corpus(corpus).items(), 4)
    work, bytes_of_payloads = crew(heavy, corpus), []
    monkeypatch.setattr(shard, "LIMIT", 1000)
    for number in range(heavy.shards):
        row = read(heavy, corpus, number)
        bytes_of_payloads.append(len(row.payload))
        assert not work.read(row).fault
        for table in ("images", *map(space_folder, SPACES)):
            name = f"{table}/{shard_file(number)}"
            assert heavy.store.read(name) == travelled.store.read(name)
    assert max(bytes_of_payloads) < 2000 < min(path.stat().st_size for path in folder.glob("00.png"))


def test_a_picture_that_changed_since_its_row_was_written_is_a_fault_of_its_shard(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(shard, "LIMIT", 0)
    corpus = f"folder:{folder}?table={folder}/labels.csv"
    lake = create(Lake(str(tmp_path / "lake")), corpus, open_corpus(corpus).items(), 4)
    row = read(lake, corpus, 0)
    (folder / "02.png").write_bytes(png((24, 40), seed=99))
    fault = crew(lake, corpus).read(row).fault
    assert "image '02.png' is not what it was" in fault
    assert lake.committed(space_folder("pixels-16")) == set()


def test_a_picture_that_is_away_for_a_moment_costs_nothing_and_one_that_stays_away_is_said_so(
    folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(shard, "LIMIT", 0)
    waits: list[float] = []
    corpus, picture = f"folder:{folder}?table={folder}/labels.csv", folder / "02.png"
    lake = create(Lake(str(tmp_path / "lake")), corpus, open_corpus(corpus).items(), 4)
    row, data = read(lake, corpus, 0), picture.read_bytes()
    picture.unlink()
    monkeypatch.setattr(shard, "time", SimpleNamespace(sleep=waits.append))
    fault = crew(lake, corpus).read(row).fault
    assert "image '02.png' could be read when its shard was begun, and can't be now" in fault
    assert "FileNotFoundError" in fault and "not what it was" not in fault
    assert waits[: shard.TRIES - 1] == [shard.PAUSE, 2 * shard.PAUSE]
    monkeypatch.setattr(shard, "time", SimpleNamespace(sleep=lambda seconds: picture.write_bytes(data)))
    assert not crew(lake, corpus).read(row).fault
    assert lake.committed(space_folder("mini-dino")) == {0}


def test_images_are_read_when_they_are_asked_for_in_other_processes_too(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(shard, "LIMIT", 0)
    corpus = f"folder:{folder}"
    lake = create(Lake(str(tmp_path / "lake")), corpus, open_corpus(corpus).items(), 10)
    images = pickle.loads(pickle.dumps(DistantImages(read(lake, corpus, 0).images())))
    assert len(images) == 10 and images[5] is None
    assert images[3] == (folder / "03.png").read_bytes()
    images[3] = "killed its process"
    assert images[3] == "killed its process" and [*images][:2] == [images[0], images[1]]
