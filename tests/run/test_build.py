"""The whole road on small models: what a build leaves, and what a second, killed or doubled one changes."""

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.pictures import bomb, png
from une_ray.errors import UneError
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.session import connect
from une_ray.lake.verify import verify
from une_ray.run import ray_data
from une_ray.run.build import build
from une_ray.run.crews import Crew
from une_ray.run.read import read_space
from une_ray.run.recompute import recompute
from une_ray.spaces.space import Space


class Dying(ray_data.ReadSpace):
    """Dies of every shard, though none of its images kills."""

    def read(self, packed, suspect):
        os._exit(139)


class Refusing(ray_data.ReadSpace):
    """Fails on shard 1, until something is at the address that the lake's has beside it."""

    def read(self, packed, suspect):
        mended = Path(f"{self.lake.url}.mended")
        if "avatar-0-00000003" in packed["image_id"].to_pylist() and not mended.exists():
            if Path(f"{self.lake.url}.passes").exists():
                mended.touch()
            raise RuntimeError("the model is out of sorts")
        return super().read(packed, suspect)


pytestmark = pytest.mark.usefixtures("shared_ray")  # with two logical GPUs


@pytest.fixture(scope="module")
def lake(tmp_path_factory, tiny_spaces, shared_ray) -> Lake:
    url = str(tmp_path_factory.mktemp("built") / "lake")
    build(url, "avatars:70", tiny_spaces, shard_size=16)
    return Lake(url)


def hashes(url: str) -> dict[str, str]:
    """Every file of the lake that is not a record of times."""
    root = Path(url)
    files = (path for path in root.rglob("*") if path.is_file() and "runs" not in path.parts)
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def une(*arguments: str, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "une_ray", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, **options
    )


def test_a_built_lake_holds_every_id_once_in_every_space(lake):
    assert len(list(verify(lake))) == 2 + 3
    rows = (
        connect(lake)
        .execute(
            "SELECT space, count(*), count(DISTINCT image_id) FROM latents GROUP BY space ORDER BY space"
        )
        .fetchall()
    )
    assert rows == [("clip", 70, 70), ("dino", 70, 70), ("sd", 70, 70)]


def test_every_space_is_what_its_step_gives_without_ray(lake, tiny_spaces):
    for text in tiny_spaces:
        space, _ = Space.parse(text).pinned()
        plan = lake.plan(1)
        from une_ray.corpora import open_corpus

        images = [open_corpus("avatars:70").read(source) for source in plan["source"].to_pylist()]
        bare = read_space(
            space.load(),
            space.model.preprocessing,
            space.model.batch_size,
            plan["image_id"].to_pylist(),
            images,
        )
        stored = lake.read_table(f"{space_folder(space.name)}/shard-00001.parquet")
        a, b = (np.array(t["z"].to_pylist(), np.float32) for t in (bare, stored))
        assert np.allclose(a, b, atol=2e-2, rtol=1e-2)


def test_a_finished_lake_is_left_as_it_is(lake, tiny_spaces):
    before = hashes(lake.url)
    done = build(lake.url, "avatars:70", tiny_spaces)
    assert done.shards_done == 0 and hashes(lake.url) == before


def test_only_what_is_missing_is_done_again_and_comes_out_the_same(lake, tiny_spaces):
    before = hashes(lake.url)
    for name in (f"{space_folder('clip')}/shard-00002.parquet", "images/shard-00000.parquet"):
        os.unlink(lake.store.path(name))
    done = build(lake.url, "avatars:70", tiny_spaces)
    assert done.shards_done == 2 and hashes(lake.url) == before


@pytest.mark.long
def test_a_space_can_join_a_lake_later(tmp_path, tiny_spaces):
    url = str(tmp_path / "lake")
    build(url, "avatars:20", tiny_spaces[1:2], shard_size=10)
    build(url, "avatars:20", tiny_spaces[2:])
    assert len(list(verify(Lake(url)))) == 2 + 2


def test_gpu_shares_place_actors_on_gpus(lake):
    """Logical GPUs: the generator asks for a whole one, encoders for a quarter."""
    devices = dict(
        connect(lake).execute("SELECT stage, list(DISTINCT device) FROM runs GROUP BY stage").fetchall()
    )
    assert devices["read"] == ["cpu"]
    for stage in ("sd", "clip", "dino"):
        assert devices[stage] and all(re.fullmatch(r"(cpu|cuda):[01]", device) for device in devices[stage])


def test_a_changed_fingerprint_is_refused_and_nothing_is_written(lake, zoo, tiny_spaces):
    before = hashes(lake.url)
    other = tiny_spaces[0].replace("ddim3", "ddim4")
    with pytest.raises(UneError, match="steps: lake has 3, this build has 4"):
        build(lake.url, "avatars:70", [other])
    assert hashes(lake.url) == before


@pytest.mark.long
def test_prompts_become_a_lake_by_the_same_build(tmp_path, zoo, tiny_spaces):
    (tmp_path / "prompts.txt").write_text("a man\na woman\n" + "a smile, " * 60 + "\n")
    url, corpus = str(tmp_path / "lake"), f"prompts:{tmp_path}/prompts.txt"
    with pytest.raises(UneError, match="has no pictures, which sd, clip, dino would read"):
        build(url, corpus, tiny_spaces)
    done = build(url, corpus, [f"words=clip:{zoo}/mini-clip/text"], shard_size=2)
    assert done.truncated == {"words": 1} and done.rejects == 0
    lake = Lake(url)
    assert list(verify(lake))[-1].startswith("space words: 3 latents")
    assert lake.rows("SELECT caption FROM images JOIN truncations USING (image_id)") == [
        ("a smile, " * 59 + "a smile,",)
    ]
    assert list(recompute(lake, 2))[0].startswith("space words: 2 latents made again, at most 0.")


def test_captions_of_pictures_are_refused_where_there_are_none(tmp_path, photographs, zoo):
    with pytest.raises(UneError, match="has no captions, which words would read"):
        build(str(tmp_path / "lake"), f"folder:{photographs}", [f"words=clip:{zoo}/mini-clip/text"])


@pytest.fixture
def photographs(tmp_path) -> Path:
    """Real photographs of mixed formats, with broken files among them."""
    import skimage

    folder = tmp_path / "photographs"
    (folder / "nested").mkdir(parents=True)
    shipped = [
        path
        for path in Path(skimage.__file__).parent.joinpath("data").iterdir()
        if path.suffix in (".png", ".jpg", ".jpeg", ".gif", ".tif", ".bmp")
    ]
    for path in shipped:
        (folder / "nested" / path.name).write_bytes(path.read_bytes())
    (folder / "grey.tiff").write_bytes(png(mode="L", format="TIFF"))
    (folder / "cmyk.jpg").write_bytes(png(mode="CMYK", format="JPEG"))
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.jpg").write_bytes(b"this is no picture")
    (folder / "truncated.png").write_bytes(png()[:1000])
    (folder / "bomb.png").write_bytes(bomb())
    return folder


@pytest.mark.long
def test_broken_files_are_rows_and_cost_no_neighbour(tmp_path, photographs, tiny_spaces):
    url = str(tmp_path / "lake")
    done = build(url, f"folder:{photographs}", tiny_spaces[1:], shard_size=8)
    broken = {
        "empty.png",
        "text.jpg",
        "truncated.png",
        "bomb.png",
        "nested/multipage_rgb.tif",
    }  # the last in a way that Pillow can't read
    assert done.rejects == len(broken) and done.images > 30
    list(verify(Lake(url)))
    rejects = dict(connect(Lake(url)).execute("SELECT image_id, error FROM rejects").fetchall())
    assert set(rejects) == broken
    shown = dict(reason.split(": ", 1) for reason in done.reasons)
    assert len(shown) == min(4, len(set(rejects.values()))) and shown.items() <= rejects.items()
    assert (
        rejects["empty.png"] == "empty file"
        and "known format" in rejects["text.jpg"]
        and "over the limit" in rejects["bomb.png"]
    )


@pytest.mark.long
def test_an_image_that_changed_since_is_refused(tmp_path, tiny_spaces):
    folder, url = tmp_path / "faces", str(tmp_path / "lake")
    folder.mkdir()
    (folder / "a.png").write_bytes(png(seed=1))
    build(url, f"folder:{folder}", tiny_spaces[1:2], shard_size=1)
    (folder / "a.png").write_bytes(png(seed=2))
    with pytest.raises(UneError, match="'a.png' is not what it was"):
        build(url, f"folder:{folder}", tiny_spaces[2:])


def test_a_latent_that_is_not_finite_is_a_reject_of_its_space_alone():
    class Broken:
        def __call__(self, pictures, image_ids):
            z = np.ones((len(pictures), 3), np.float32)
            z[1], z[2] = np.nan, 1e6
            return {"z": z}

    space = Space.parse("mini-dino")
    table = read_space(Broken(), space.model.preprocessing, 8, ["a", "b", "c", "d"], [png()] * 4)
    assert table["status"].to_pylist() == ["ok", "reject", "reject", "ok"]
    assert table["error"][1].as_py() == table["error"][2].as_py() == "latent is not finite in float16"


@pytest.mark.parametrize(
    ("spaces", "message"),
    [
        (["mini-sd-a/ddim1"], "between 2 and 1000"),
        (["mini-dinno"], "nearest first: mini-dino"),
        (["mini-sd-a"], "does not say how to invert"),
        (["mini-dino/ddim50"], "is an encoder"),
        (["mini-sd-a/ddim50-leding"], "nearest first: leading"),
        (["clip:/models/x"], "needs a name"),
        (["x=clip:/no/where"], "is not a folder"),
        (["a=mini-dino", "a=mini-clip-a"], "named twice"),
        (["../x=mini-dino"], "can't name a space"),
        (["x=resnet:/m"], "kind of model"),
    ],
)
def test_a_space_that_is_none_says_what_would_be(tmp_path, spaces, message):
    with pytest.raises(UneError, match=message):
        build(str(tmp_path / "lake"), "avatars:5", spaces)
    assert not (tmp_path / "lake").exists()


@pytest.mark.slow
def test_a_build_killed_twice_and_resumed_equals_one_that_was_not(tmp_path, lake, tiny_spaces):
    url = str(tmp_path / "lake")
    arguments = [
        "build",
        "--corpus",
        "avatars:70",
        "--shard-size",
        "16",
        "--spaces",
        ",".join(tiny_spaces),
        "--lake",
        url,
        "--actors",
        "1",
    ]
    for files in (1, 5):
        job = une(*arguments, start_new_session=True)
        deadline = time.monotonic() + 120
        while (
            len(list(Path(url).glob("spaces/*/shard-*.parquet"))) < files
            and job.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)
        os.killpg(job.pid, signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL, job.stdout.read()
        job.stdout.close()
    assert 1 <= len(list(Path(url).glob("spaces/*/shard-*.parquet"))) < 15, "it was to be killed half-way"
    build(url, "avatars:70", tiny_spaces)
    list(verify(Lake(url)))
    assert {k: v for k, v in hashes(url).items() if not k.startswith("tmp/")} == hashes(lake.url)


@pytest.mark.slow
def test_two_builds_at_once_end_with_one_correct_lake(tmp_path, lake, tiny_spaces):
    url = str(tmp_path / "lake")
    arguments = [
        "build",
        "--corpus",
        "avatars:70",
        "--shard-size",
        "16",
        "--spaces",
        ",".join(tiny_spaces),
        "--lake",
        url,
        "--actors",
        "1",
    ]
    jobs = [une(*arguments), une(*arguments)]
    outputs = [job.communicate(timeout=300)[0] for job in jobs]
    assert [job.returncode for job in jobs] == [0, 0], outputs
    list(verify(Lake(url)))
    assert hashes(url) == hashes(lake.url)


def test_a_refused_space_leaves_no_trace_of_its_companions(lake, tiny_spaces):
    before = hashes(lake.url)
    with pytest.raises(UneError, match="steps: lake has 3"):
        build(
            lake.url,
            "avatars:70",
            ["another=" + tiny_spaces[1].partition("=")[2], tiny_spaces[0].replace("ddim3", "ddim4")],
        )
    assert hashes(lake.url) == before


@pytest.mark.long
def test_a_fault_costs_its_shard_and_the_build_says_what_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_data, "stage", lambda space: Refusing)
    lake = Lake(str(tmp_path / "lake"))
    expected = "1 shard could not be done; .*\n  shard 1: pixels-16: RuntimeError: the model is out of sorts"
    with pytest.raises(UneError, match=expected):
        build(lake.url, "avatars:9", ["pixels-16"], shard_size=3)
    assert lake.committed("images") == {0, 1, 2}
    assert lake.committed(space_folder("pixels-16")) == {0, 2}
    Path(f"{lake.url}.mended").touch()
    assert build(lake.url, "avatars:9", ["pixels-16"]).shards_done == 1
    list(verify(lake))


@pytest.mark.long
def test_a_fault_that_passes_is_tried_again_when_all_else_is_done(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_data, "stage", lambda space: Refusing)
    lake = Lake(str(tmp_path / "lake"))
    Path(f"{lake.url}.passes").touch()
    build(lake.url, "avatars:9", ["pixels-16"], shard_size=3)
    assert "1 of 3 shards failed and are tried once more" in capsys.readouterr().err
    list(verify(lake))


@pytest.mark.slow
def test_a_shard_that_kills_its_worker_for_no_image_of_its_own_ends_the_build_and_says_so(
    tmp_path, monkeypatch
):
    """Ray's default would be to try for ever. Images that kill are in tests/faults."""
    monkeypatch.setattr(ray_data, "stage", lambda space: Dying)
    with pytest.raises(UneError, match="shard-00000.parquet: its worker died 5 times"):
        build(str(tmp_path / "lake"), "avatars:5", ["pixels-16"], shard_size=5)


def test_the_pools_bear_their_spaces_names():
    crew = Crew(spaces=(Space.parse("mini-dino"), Space.parse("mini-sd-a/ddim50")))
    assert ray_data.stage_of(crew).__name__ == "Read[mini-dino, mini-sd-a/ddim50]"
