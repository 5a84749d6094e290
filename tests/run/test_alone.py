"""A build that one process does without a Ray: when, that it comes out the same, and what if it dies."""

import hashlib
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from une_ray.corpora import open_corpus
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.verify import verify
from une_ray.run import alone, build, ray_data
from une_ray.run.build import Job
from une_ray.run.cluster import Cluster
from une_ray.run.crews import turns
from une_ray.run.plan import missing
from une_ray.run.rows import ShardRow, StageRecord
from une_ray.spaces.space import Space

SPACES = ("pixels-16", "mini-resnet")
START = alone._started


def turn_of(lake: Lake, names=SPACES, place=None):
    (turn,) = turns(
        [Space.parse(name) for name in names], missing(lake, [*map(Space.parse, names)]), place or {}
    )
    return turn


def made(folder: Path, images: int = 6, shard_size: int = 3) -> Lake:
    corpus = f"avatars:{images}"
    return create(Lake(str(folder / "lake")), corpus, open_corpus(corpus).items(), shard_size)


@pytest.fixture
def without_ray(monkeypatch) -> None:
    """As in a user's process; the tests of one worker may have begun one."""
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.mark.usefixtures("without_ray")
def test_a_small_build_of_this_machine_needs_no_ray(tmp_path, monkeypatch):
    lake = made(tmp_path)
    turn = turn_of(lake)
    monkeypatch.setattr(alone, "Path", lambda _: tmp_path)  # of devices: there is none
    assert alone.is_enough(lake, turn, Cluster())
    for cluster in (Cluster(address="auto"), Cluster(actors=1), Cluster(gpus=1)):
        assert not alone.is_enough(lake, turn, cluster)
    assert not alone.is_enough(lake, turn_of(lake, place={"mini-resnet": {"a": "b"}}), Cluster())
    assert not alone.is_enough(lake, turn_of(lake, ["sd15/ddim50"]), Cluster())  # much to compute
    (tmp_path / "nvidia0").touch()
    assert not alone.is_enough(lake, turn, Cluster())
    (tmp_path / "nvidia0").unlink()
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert not alone.is_enough(lake, turn, Cluster())


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize(
    "images, shard_size, enough", [(8, 1, True), (9, 1, False), (512, 256, True), (513, 256, False)]
)
def test_many_shards_and_many_images_are_a_rays(tmp_path, monkeypatch, images, shard_size, enough):
    monkeypatch.setattr(alone, "Path", lambda _: tmp_path / "no devices")
    lake = made(tmp_path, images, shard_size)
    assert alone.is_enough(lake, turn_of(lake, ["pixels-16"]), Cluster()) == enough


def rows(lake: Lake, turn) -> list[ShardRow]:
    named = {space.name: space.pinned()[1] for crew in turn.crews for space in crew.spaces}
    for name, fingerprint in named.items():
        lake.register(name, fingerprint)
    return list(alone.run(lake, "avatars:6", turn, named))


def test_it_gives_every_row_with_its_records_and_a_lake_that_verifies(tmp_path):
    lake = made(tmp_path)
    found = rows(lake, turn_of(lake))
    assert [(row.shard, row.place, row.fault, row.payload) for row in found] == [
        (0, 0, "", b""),
        (1, 1, "", b""),
    ]
    assert [[record.stage for record in row.records] for row in found] == [["read", *SPACES]] * 2
    assert {record.device for row in found for record in row.records} == {"cpu"}
    list(verify(lake))


def test_a_fault_of_one_space_costs_no_other_and_is_told(tmp_path, capfd):
    lake = made(tmp_path)
    turn = turn_of(lake)
    (crew,) = turn.crews
    broken = replace(crew.spaces[1], model=replace(crew.spaces[1].model, source="/nowhere"))
    turn = replace(turn, crews=[replace(crew, spaces=(crew.spaces[0], broken))])
    named = {space.name: {} for space in crew.spaces}
    lake.register("pixels-16", {})
    found = list(alone.run(lake, "avatars:6", turn, named))
    assert all("/nowhere is not a folder" in row.fault for row in found)
    assert lake.committed("spaces/space=pixels-16") == {0, 1}


def in_place_of_it(code: str):
    def started(log):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        return subprocess.Popen([sys.executable, "-c", code], **pipes)

    return started


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "ended with -9; a Ray goes on"),
        ("raise SystemExit('no')", "no\nthe process that built this ended with 1; a Ray goes on"),
        ("raise RuntimeError('what nobody thought of')", "RuntimeError: what nobody thought of"),
        ("print('[')", "ended with 0; a Ray goes on"),
    ],
)
def test_one_that_dies_gives_no_more_rows_and_says_of_what(tmp_path, monkeypatch, capfd, code, said):
    monkeypatch.setattr(alone, "_started", in_place_of_it(code))
    lake = made(tmp_path)
    assert rows(lake, turn_of(lake)) == []
    assert said in capfd.readouterr().err


def test_what_it_leaves_a_ray_does(tmp_path, monkeypatch):
    lake = made(tmp_path)
    turn = turn_of(lake)
    every = [ShardRow(shard=0), ShardRow(shard=1)]
    monkeypatch.setattr(alone, "is_enough", lambda *_: True)
    monkeypatch.setattr(alone, "run", lambda *_: iter(every[:1]))
    monkeypatch.setattr(ray_data, "run", lambda *_: iter(every))
    job = Job(lake=lake, corpus="", spaces=[], fingerprints={}, cluster=Cluster(), place={}, unit="images")
    assert list(build._rows(job, turn)) == every
    monkeypatch.setattr(alone, "run", lambda *_: iter(every))
    assert list(build._rows(job, turn)) == every


def test_it_ends_with_its_driver(tmp_path):
    task = alone.Task(lake_url=str(tmp_path), corpus="avatars:1", spaces=[], rows=[ShardRow(shard=0)] * 10**5)
    with tempfile.TemporaryFile() as log:
        process = alone._started(log)
        process.stdin.write(task.to_json().encode() + b"\n")
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


@pytest.mark.usefixtures("without_ray")
def test_a_process_of_its_own_that_can_not_be_started_is_done_without(tmp_path, monkeypatch):
    lake = made(tmp_path)
    monkeypatch.setattr(alone, "is_enough", lambda *_: True)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(ray_data, "run", lambda *_: iter([ShardRow(shard=0)]))
    job = Job(lake=lake, corpus="", spaces=[], fingerprints={}, cluster=Cluster(), place={}, unit="images")
    turn = turn_of(lake, ["pixels-16"])
    job = replace(job, fingerprints={"pixels-16": {}})
    assert list(build._rows(job, turn)) == [ShardRow(shard=0)]


def test_what_is_beside_the_driver_is_not_imported_and_what_it_may_import_is(tmp_path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('taken for the library')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path("/of/another/type"))  # as Python puts up with it
    lake = made(tmp_path)
    assert len(rows(lake, turn_of(lake, ["pixels-16"]))) == 2


@pytest.mark.parametrize(
    "name",
    [
        "sd15/ddim50-trailing",
        "mini-sd-z/hspace@500-flat",
        "random-mini-dino",
        "mini-sd-a/hspace4",
        "siglip=siglip:/x",
    ],
)
def test_a_space_and_its_rows_come_through_json_as_they_were(name):
    space = replace(Space.parse(name), compiled="default")
    record = StageRecord(
        shard=3, stage="read", images=4, rejects=1, seconds=0.5, started="", host="h", device="cpu"
    )
    row = ShardRow(shard=3, place=7, spaces=("a", "b"), records=(record,), fault="no “such” file")
    task = alone.Task(lake_url="s3://a/b", corpus="folder:é", spaces=[(space, {"a": [1]})], rows=[row])
    assert alone.Task.from_json(task.to_json()) == task


@pytest.mark.long
@pytest.mark.usefixtures("shared_ray")
def test_a_ray_gives_the_same_files(tmp_path, monkeypatch):
    spaces = ["mini-clip-b", "pixels-16", "mini-sd-b/ddim3"]
    build.build(str(tmp_path / "ray"), "avatars:10", spaces, 5)
    monkeypatch.setattr(alone, "is_enough", lambda *_: True)
    monkeypatch.setattr(ray_data, "run", None)
    build.build(str(tmp_path / "alone"), "avatars:10", spaces, 5)

    def hashes(name: str) -> dict[str, str]:
        root = tmp_path / name
        files = (path for path in root.rglob("*") if path.is_file() and "runs" not in path.parts)
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert hashes("alone") == hashes("ray")


def test_bad_input_is_refused_before_a_process_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(alone, "_started", None)
    with pytest.raises(UneError, match="unknown model"):
        build.build(str(tmp_path / "lake"), "avatars:3", ["mini-cli"])
