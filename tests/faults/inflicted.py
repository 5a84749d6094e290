"""The faults, as data: what is broken, how often in the short and the long run, and what is judged."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from tests.faults import jobs, merging, networks, objects, studies
from tests.faults.scene import (
    CHECKOUT,
    DEADLY,
    HOOK,
    NODE,
    QUICK,
    REAL,
    Left,
    Scene,
    committed,
    finish,
    ids,
    kill,
    left,
    meanwhile,
    wait_for,
)
from une_ray.errors import UneError
from une_ray.lake.layout import Lake, growth_file, shard_file, space_folder
from une_ray.run import ray_data

CURSED = {"05.png", "44.png"}  # a model gives NaN for these
SECOND = {QUICK[1], REAL[1]}  # spaces that they are inflicted on
TORN = "33.png"  # the file of its shard is half written once


@dataclass(frozen=True)
class Fault:
    """`inflict(scene, lake, times)` breaks a build of the lake that often and has it finished.

    It returns when the last fault was.
    """

    name: str
    inflict: Callable[[Scene, Lake, int], float]
    short: int = 0  # how often in the normal tests; 0 leaves it to the long ones
    long: int = 1
    left: Callable[[Scene, Lake], Left] = left


@dataclass(frozen=True)
class Outcome:
    """One line of the table: `seconds` from the last fault to a whole lake, and what is left."""

    times: int
    seconds: float
    left: Left


def suffer(scene: Scene, fault: Fault, times: int) -> Outcome:
    """Inflict a fault and hold what is left against the undisturbed lake."""
    lake = scene.lake()
    since = fault.inflict(scene, lake, times)
    return Outcome(times, time.monotonic() - since, fault.left(scene, lake))


def drivers_killed(scene: Scene, lake: Lake, times: int) -> float:
    """While it starts, or when a few more shards are done."""
    for _ in range(times):
        if committed(lake) == 2 * scene.undisturbed.shards:
            lake.store.filesystem.rm(
                lake.store.path("spaces"), recursive=True
            )  # there must be something left to do
        kill_at_some_moment(scene, lake, scene.driver(lake, "--address", scene.cluster.address))
    since = time.monotonic()
    finish(scene.driver(lake, "--address", scene.cluster.address))
    return since


def kill_at_some_moment(scene: Scene, lake: Lake, driver: subprocess.Popen) -> None:
    enough = committed(lake) + scene.chance.randrange(3)
    at_once = enough == committed(lake)
    wait_for(lambda: committed(lake) >= enough or driver.poll() is not None, "shards")
    time.sleep(scene.chance.uniform(0, 5.0 if at_once else 0.1))
    kill(driver)


def actors_killed(scene: Scene, lake: Lake, times: int) -> float:
    """Models' processes, while they work."""
    return struck(scene, lake, times, lambda: scene.chance.choice(scene.actors()).kill())


def nodes_lost(scene: Scene, lake: Lake, times: int) -> float:
    """All processes of a node that computes, and the objects that it held; another comes when it is gone."""

    def strike() -> None:
        busy = {actor.parent().pid for actor in scene.actors()}
        lost = next(
            node for node in scene.cluster.worker_nodes if node.all_processes["raylet"][0].process.pid in busy
        )
        scene.cluster.remove_node(lost, allow_graceful=False)
        scene.cluster.add_node(**NODE)

    return struck(scene, lake, times, strike)


def struck(scene: Scene, lake: Lake, times: int, strike: Callable[[], None]) -> float:
    """A build during which `strike` comes so often, each time a few shards after the last."""
    with meanwhile(lambda: scene.build(lake)):
        for number in range(times):
            wait_for(lambda enough=1 + 4 * number: committed(lake) >= enough and scene.actors(), "shards")
            strike()
            since = time.monotonic()
    return since


class TornWrites(ray_data.ReadSpace):
    """An actor that dies when half of a shard's file is on disk, the first time that it is at this shard."""

    def read(self, packed, suspect):
        if self.space.name in SECOND and TORN in packed["image_id"].to_pylist():
            with suppress(FileExistsError):
                Path(f"{self.lake.url}.torn").touch(exist_ok=False)
                os.fsync = torn
        return super().read(packed, suspect)


def torn(descriptor: int) -> None:
    os.truncate(descriptor, os.fstat(descriptor).st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)


class Failing(ray_data.ReadSpace):
    """A model that fails on a shard, the first time that any is at it; not for an input's sake."""

    def read(self, packed, suspect):
        if self.space.name in SECOND and TORN in packed["image_id"].to_pylist():
            with suppress(FileExistsError):
                Path(f"{self.lake.url}.failed").touch(exist_ok=False)
                raise RuntimeError("out of sorts")
        return super().read(packed, suspect)


class Cursed(ray_data.ReadSpace):
    """A model that gives NaN for some images."""

    @functools.cached_property
    def step(self):
        sound = self.space.load(self.device)

        def step(pictures, image_ids):
            out = sound(pictures, image_ids)
            if self.space.name in SECOND:
                out["z"][[image_id in CURSED for image_id in image_ids]] = np.nan
            return out

        step.shape = sound.shape
        return step


def built_with(stage: type[ray_data.ReadSpace]) -> Callable[[Scene, Lake, int], float]:
    """A build whose actors are of another class."""

    def inflict(scene: Scene, lake: Lake, times: int) -> float:
        since = time.monotonic()
        with patch.object(ray_data, "stage", lambda space: stage):
            scene.build(lake)
        return since

    return inflict


def inputs_that_kill(scene: Scene, lake: Lake, times: int, at: str) -> float:
    """`decode`: a segfault, and a kill as for want of memory; `fit`: a segfault that only spaces meet."""
    since = time.monotonic()
    finish(scene.driver(lake, PYTHONPATH=f"{HOOK}:{CHECKOUT}", DEADLY_AT=at))
    return since


def disk_full(scene: Scene, lake: Lake, times: int) -> float:
    """Really full: the lake is a small disk, and room is made after the build has ended for want of it."""
    Path(lake.url).mkdir()
    mount = ["mount", "-t", "tmpfs", "tmpfs", lake.url, "-o"]
    if subprocess.run([*mount, "size=160k"], capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root")
    scene.afterwards.callback(subprocess.run, ["umount", lake.url], check=True)
    with pytest.raises(UneError, match="no space left"):
        scene.build(lake)
    subprocess.run([*mount[:-1], "-o", "remount,size=64m"], check=True)
    since = time.monotonic()
    scene.build(lake)
    return since


def two_drivers(scene: Scene, lake: Lake, times: int, **second: str) -> float:
    """At once on one lake, each with a Ray of its own; `second` is the other's environment."""
    since = time.monotonic()
    for driver in [scene.driver(lake), scene.driver(lake, **second)]:
        finish(driver)
    return since


def clocks_apart(scene: Scene, lake: Lake, times: int) -> float:
    """Two drivers, and to one of them the other's files are two days old."""
    return two_drivers(scene, lake, times, PYTHONPATH=f"{HOOK}:{CHECKOUT}", CLOCK_AHEAD=str(2 * 86400))


def another_plan(scene: Scene, lake: Lake, times: int) -> float:
    """A lake is asked for with another shard size, and with a corpus that lacks a picture."""
    scene.build(lake)
    for shard in range(0, lake.shards, 2):
        lake.store.filesystem.rm(lake.store.path(f"{space_folder(scene.spaces[1])}/{shard_file(shard)}"))
    with pytest.raises(UneError, match="was made with"):
        scene.build(lake, shard_size=4)
    picture = Path(scene.folder, "pictures", "44.png")
    away = picture.rename(picture.with_suffix(".away"))
    with pytest.raises(UneError, match="'44.png'; put them back"):
        scene.build(lake)
    away.rename(picture)
    since = time.monotonic()
    scene.build(lake)
    return since


def half_a_corpus(scene: Scene, lake: Lake) -> tuple[Callable[..., subprocess.Popen], Callable[[], None]]:
    """A driver for a corpus that holds the first half of the pictures, and what lets the others arrive.

    Their shards are then the undisturbed lake's, so all files are.
    """
    pictures = sorted(Path(scene.folder, "pictures").glob("*.png"))
    folder = Path(f"{lake.url}-pictures")
    folder.mkdir()

    def arrive(some: list[Path]) -> None:
        for picture in some:
            (folder / picture.name).write_bytes(picture.read_bytes())

    arrive(pictures[: len(pictures) // 2])
    shared = ("--address", scene.cluster.address, "--corpus", f"folder:{folder}")
    return functools.partial(scene.driver, lake, *shared), lambda: arrive(pictures[len(pictures) // 2 :])


def grown_meanwhile(scene: Scene, lake: Lake, times: int) -> float:
    """The other half arrives during a build, and a second driver is started for it beside the first."""
    driver, arrive = half_a_corpus(scene, lake)
    first = driver()
    wait_for(lambda: committed(lake) or first.poll() is not None, "shards")
    arrive()
    since = time.monotonic()
    finish(driver())
    finish(first)
    return since


def grown_twice(scene: Scene, lake: Lake, times: int) -> float:
    """Two drivers at once find that the corpus of a finished lake has grown."""
    driver, arrive = half_a_corpus(scene, lake)
    finish(driver())
    arrive()
    since = time.monotonic()
    for each in [driver(), driver()]:
        finish(each)
    return since


def killed_while_growing(scene: Scene, lake: Lake, times: int) -> float:
    """At moments from the listing on to the last new shard."""
    driver, arrive = half_a_corpus(scene, lake)
    finish(driver())
    arrive()
    for number in range(times):
        growing = driver()
        recorded = Path(lake.url, growth_file(1))
        wait_for(lambda: recorded.exists() or growing.poll() is not None, "the growth's record")  # noqa: B023
        time.sleep(scene.chance.uniform(0, 2.0 * number))
        kill(growing)
    since = time.monotonic()
    finish(driver())
    return since


UNDECODABLE, UNFIT = (
    ids(number for number, how in DEADLY.items() if how.startswith(at)) for at in ("decode", "fit")
)
FAULTS = (
    Fault("driver killed with -9", drivers_killed, long=25),
    Fault("actor killed", actors_killed, short=1, long=5),
    Fault("node lost, another added", nodes_lost, long=3),
    Fault("node cut off from the network, and at work", networks.nodes_cut_off),
    Fault("write that dies half-way", built_with(TornWrites), short=1),
    Fault("shard that fails once and is parked", built_with(Failing)),
    Fault(
        "images that kill whoever decodes them",
        functools.partial(inputs_that_kill, at="decode"),
        0,
        2,
        functools.partial(left, rejected=(UNDECODABLE,) * 3),
    ),
    Fault(
        "image that kills whoever fits it",
        functools.partial(inputs_that_kill, at="fit"),
        0,
        1,
        functools.partial(left, rejected=(set(), UNFIT, UNFIT)),
    ),
    Fault(
        "model that gives NaN",
        built_with(Cursed),
        1,
        len(CURSED),
        functools.partial(left, rejected=(set(), set(), CURSED)),
    ),
    Fault("disk full", disk_full),
    Fault("two drivers on one lake", two_drivers),
    Fault("two drivers, clocks two days apart", clocks_apart),
    Fault("another shard size, a picture less", another_plan, 1, 2),
    Fault("corpus grows during a build", grown_meanwhile, short=1, long=2),
    Fault("two drivers let a lake grow at once", grown_twice, long=2),
    Fault("driver killed while a lake grows", killed_while_growing, long=4),
    Fault("files merged during a build", merging.merged_meanwhile, short=1, long=2),
    Fault("driver killed while it merges", merging.killed_while_merging, long=6),
    *(
        Fault(f"object store that {trouble}", functools.partial(objects.build_in, trouble=trouble))
        for trouble in objects.TROUBLES
    ),
    Fault("driver of independent tasks killed", jobs.drivers_killed, short=1, long=10, left=jobs.left),
    *(
        Fault(
            f"driver of {kind} killed",
            functools.partial(studies.drivers_killed, kind=kind),
            long=5,
            left=functools.partial(studies.left, kind=kind),
        )
        for kind in ("edits", "sweeps")
    ),
    Fault(
        "driver of sweeps killed, state in a bucket",
        studies.sweepers_killed,
        long=2,
        left=functools.partial(studies.left, kind="sweeps"),
    ),
)
