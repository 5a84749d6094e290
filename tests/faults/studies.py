"""Edits and sweeps on a small labelled lake: drivers killed with their Ray, beside an undisturbed run."""

from __future__ import annotations

import functools
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from tests.faults import objects
from tests.faults.scene import Left, Scene, command, finish, kill, wait_for
from une_ray.lake.layout import Lake

SPACE, JUDGE, IMAGES = "mini-sd-a/ddim3", "mini-resnet", 160
EDIT = [
    "edit",
    "--space",
    SPACE,
    "--attribute",
    "Smiling",
    "--keep",
    "Male",
    "--alphas=-2,2",
    "--images",
    "24",
]
POINTS = {
    f"{path}-{alpha}": f"{{method: mean-difference, keep: none, path: {path}, alpha: {alpha}}}"
    for path in ("straight", "shell")
    for alpha in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
}
STUDY = f"""
fixed: {{attribute: Smiling, space: {SPACE}}}
space:
  method: {{choices: [mean-difference]}}
  keep: {{choices: [none]}}
  path: {{choices: [straight, shell]}}
  alpha: {{uniform: [0.5, 3]}}
points: {{{", ".join(f"{name}: {settings}" for name, settings in POINTS.items())}}}
weights: {{effect: 1, leakage: -1, identity: 1}}
scales:
  small: {{trials: {len(POINTS)}, first: 4, most: 8}}
"""  # all of its trials are points: two sweeps do the same
OF_THE_RUN = {"sweeps": ["seconds"]}  # columns that no two runs agree in


def drivers_killed(
    scene: Scene, lake: Lake, times: int, kind: str, *options: str, **environment: str
) -> float:
    """At any moment after the first new file of rows."""
    shutil.copytree(labelled(scene).url, lake.url)
    for _ in range(times):
        had = len(rows(lake, kind))
        driver = une(scene, kind, lake, *options, **environment)
        wait_for(
            lambda driver=driver, had=had: len(rows(lake, kind)) > had or driver.poll() is not None, kind
        )
        time.sleep(scene.chance.uniform(0, 1))
        assert driver.poll() in (None, 0), driver.communicate()
        kill(driver)
    since = time.monotonic()
    finish(une(scene, kind, lake, *options, **environment))
    return since


def sweepers_killed(scene: Scene, lake: Lake, times: int) -> float:
    """What the sweep knows is in an object store."""
    with objects.bucket() as state:
        since = drivers_killed(
            scene, lake, times, "sweeps", "--state", f"{state.url}/unfinished", **state.environment
        )
        assert state.keys() in ([], ["unfinished/"]), (
            "a finished sweep leaves no state"
        )  # Arrow marks folders by empty objects
    return since


def une(scene: Scene, kind: str, lake: Lake, *options: str, **environment: str) -> subprocess.Popen:
    """The job of a kind of rows, with a Ray of its own."""
    study = scene.folder / "study.yaml"
    study.write_text(STUDY)
    words = {
        "edits": [*EDIT, "--judges", JUDGE],
        "sweeps": ["sweep", "orthogonalization", "--study", str(study)],
    }[kind]
    return command(*words, "--lake", lake.url, "--actors", "1", *options, **environment)


def once(make: Callable[..., None]) -> Callable[..., Lake]:
    """A lake of the scene's that is made when it is first asked for."""

    @functools.wraps(make)
    def lake_of(scene: Scene, *what: str) -> Lake:
        lake = Lake(str(scene.folder / "-".join([make.__name__, *what])))
        if not Path(lake.url).exists():
            making = Lake(f"{lake.url}.making")
            make(scene, making, *what)
            Path(making.url).rename(lake.url)
        return lake

    return lake_of


@once
def labelled(scene: Scene, lake: Lake) -> None:
    """Avatars' noise and a judge's features, with probes."""
    finish(
        command("build", "--corpus", f"avatars:{IMAGES}", "--spaces", f"{SPACE},{JUDGE}", "--lake", lake.url)
    )
    finish(command("probe", "--lake", lake.url, "--permutations", "0"))


@once
def undisturbed(scene: Scene, lake: Lake, kind: str) -> None:
    shutil.copytree(labelled(scene).url, lake.url)
    finish(une(scene, kind, lake))


def rows(lake: Lake, kind: str) -> dict[str, Path]:
    return {path.name: path for path in Path(lake.url, kind).glob("*.parquet")}


def left(scene: Scene, lake: Lake, kind: str) -> Left:
    """Rows by their files, whose names follow from what was asked, and the pictures that they name."""
    lost = doubled = different = 0
    reference = undisturbed(scene, kind)
    rows_left, expected = rows(lake, kind), rows(reference, kind)
    for name in rows_left.keys() | expected.keys():
        ours, theirs = (
            pq.read_table(tables[name]).drop_columns(OF_THE_RUN.get(kind, [])).to_pylist()
            if name in tables
            else []
            for tables in (rows_left, expected)
        )
        lost += max(0, len(theirs) - len(ours))
        doubled += max(0, len(ours) - len(theirs))
        different += sum(one != other for one, other in zip(ours, theirs))
    pictures = {
        picture
        for file in expected.values()
        for picture in pq.read_table(file).to_pydict().get("picture", [])
    }
    different += sum(
        Path(lake.url, picture).read_bytes() != Path(reference.url, picture).read_bytes()
        for picture in pictures
    )
    return Left(lost, doubled, different)
