"""Where faults are inflicted: a Ray cluster, a small corpus, and the lake of an undisturbed build."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import psutil
import pyarrow as pa
import ray
from PIL import Image, PngImagePlugin
from ray import cluster_utils

from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.verify import verify
from une_ray.run.build import build
from une_ray.run.cluster import Cluster

CHECKOUT, HOOK = Path(__file__).parents[2], Path(__file__).parent / "hook"
QUICK, REAL = (
    ("pixels-16", "pixels-32"),
    ("mini-dino", "mini-sd-a/ddim3"),
)  # spaces of the short and the long run, sorted as a lake lists them
IMAGES, SHARD_SIZE = 60, 3
DEADLY = {
    7: "decode SIGSEGV",
    8: "decode SIGKILL",
    31: "fit SIGSEGV",
}  # on machines whose decoder has hook/'s bugs
NODE = {"num_cpus": 2, "object_store_memory": 80_000_000}
QUICK_TO_NOTICE = {
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 3000,
    "health_check_failure_threshold": 3,
}  # a lost node
HEAD = NODE | {"num_cpus": 0, "include_dashboard": False, "_system_config": QUICK_TO_NOTICE}
PATIENCE = 300.0  # seconds


@dataclass
class Scene:
    """`undisturbed` is never disturbed; every fault gets a lake of its own from `lake()`."""

    folder: Path
    cluster: cluster_utils.Cluster
    spaces: tuple[str, str]
    chance: random.Random
    undisturbed: Lake = field(init=False)
    lakes: int = 0
    afterwards: ExitStack = field(default_factory=ExitStack)

    @property
    def corpus(self) -> str:
        return f"folder:{self.folder}/pictures"

    def lake(self) -> Lake:
        self.lakes += 1
        return Lake(f"{self.folder}/lake-{self.lakes}")

    def build(self, lake: Lake, shard_size: int = SHARD_SIZE) -> None:
        """In this process, on the cluster."""
        build(lake.url, self.corpus, self.spaces, shard_size, cluster=Cluster(actors=1))

    def driver(self, lake: Lake, *options: str, **environment: str) -> subprocess.Popen:
        """`une build` as a process of its own; on a Ray of its own too, unless `options` has an --address."""
        arguments = [
            "--corpus",
            self.corpus,
            "--spaces",
            ",".join(self.spaces),
            "--shard-size",
            str(SHARD_SIZE),
            "--lake",
            lake.url,
        ]
        return command("build", *arguments, "--actors", "1", *options, **environment)

    def actors(self) -> list[psutil.Process]:
        """The cluster's processes that hold a model."""
        actors = []
        for node in self.cluster.list_all_nodes():
            raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
            actors += [
                child
                for child in raylet.children(recursive=True)
                if title(child).startswith("ray::MapWorker")
            ]
        return actors


def command(*words: str, **environment: str) -> subprocess.Popen:
    """`une WORDS` in a process group of its own, which its Ray is in."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.Popen(
        [sys.executable, "-m", "une_ray", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=CHECKOUT,
        env=inherited | environment,
        start_new_session=True,
    )


def title(process: psutil.Process) -> str:
    with suppress(psutil.Error):  # it has just ended
        return " ".join(process.cmdline())
    return ""


@contextmanager
def scene(folder: Path, spaces: tuple[str, str], seed: int = 0) -> Iterator[Scene]:
    """A head that computes nothing and two nodes; all of it is gone afterwards."""
    pictures(folder / "pictures")
    apart = tempfile.mkdtemp(
        prefix="une-", dir="/tmp"
    )  # it would else make itself the one that this machine's every ray.init() joins
    with patch.dict(os.environ, RAY_TMPDIR=apart):
        cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=HEAD)
    place = Scene(folder, cluster, spaces, random.Random(seed))
    place.afterwards.callback(shutil.rmtree, apart, ignore_errors=True)
    try:
        for _ in range(2):
            cluster.add_node(**NODE)
        ray.init(cluster.address, log_to_driver=False, logging_level=logging.ERROR)
        place.undisturbed = place.lake()
        place.build(place.undisturbed)
        yield place
    finally:
        ray.shutdown()
        cluster.shutdown()
        place.afterwards.close()


def pictures(folder: Path) -> None:
    """Coloured pictures; one of them is broken for everybody, some kill where hook/ is."""
    folder.mkdir(parents=True)
    for number in range(IMAGES):
        notes = PngImagePlugin.PngInfo()
        if number in DEADLY:
            notes.add_text("kills", DEADLY[number])
        colours = Image.frombytes("RGB", (4, 4), random.Random(number).randbytes(48))
        colours.resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{number:02}.png", pnginfo=notes)
    (folder / "20.png").write_bytes(b"no picture")


def ids(numbers) -> set[str]:
    return {f"{number:02}.png" for number in numbers}


@contextmanager
def meanwhile(action: Callable[[], object]) -> Iterator[None]:
    """`action` in another thread; its fault is ours."""
    faults = []

    def guarded() -> None:
        try:
            action()
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    yield
    thread.join(PATIENCE)
    if faults:
        raise faults[0]


def wait_for(what: Callable[[], object], says: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for {says}"
        time.sleep(0.02)


def committed(lake: Lake) -> int:
    """How many files of spaces there are; of a local lake."""
    return len(list(Path(lake.url).glob("spaces/space=*/shard-*.parquet")))


def kill(driver: subprocess.Popen) -> None:
    """With its Ray, if it started one: they are one process group. One that has ended is beyond it."""
    with suppress(ProcessLookupError):
        os.killpg(driver.pid, signal.SIGKILL)
    driver.communicate()


def finish(driver: subprocess.Popen) -> str:
    """Its output, once it has ended well."""
    output, _ = driver.communicate(timeout=PATIENCE)
    assert driver.returncode == 0, output
    return output


@dataclass(frozen=True)
class Left:
    """What a fault left of a lake that was then finished, against the plan and the undisturbed lake.

    Rows are those of all tables together.
    """

    lost: int
    doubled: int
    different: int


def left(scene: Scene, lake: Lake, rejected: tuple[set[str], set[str], set[str]] | None = None) -> Left:
    """Compare a lake with the undisturbed one; raises UneError where `une verify` would.

    `rejected` names rows that must be rejects with a reason, of the images and both spaces; tables are then
    compared row by row, as shards of merged files are, else byte by byte.
    """
    undisturbed = scene.undisturbed
    list(verify(lake))
    lost = doubled = different = 0
    folders = ["images", *(space_folder(space) for space in undisturbed.fingerprints())]
    for folder, expected in zip(folders, rejected or (set(),) * 3, strict=True):
        counts: Counter[str] = Counter()
        for shard in range(undisturbed.shards):
            name = f"{folder}/{shard_file(shard)}"
            rows = lake.read_shard(folder, shard)
            counts.update(rows["image_id"].to_pylist())
            if rejected or not lake.store.exists(name):
                different += unlike(rows, undisturbed.read_table(name), expected)
            elif lake.store.read(name) != undisturbed.store.read(name):
                different += len(rows)
        planned = {
            image_id
            for shard in range(undisturbed.shards)
            for image_id in undisturbed.plan(shard)["image_id"].to_pylist()
        }
        lost += len(planned - counts.keys())
        doubled += sum(counts.values()) - len(counts)
    return Left(lost, doubled, different)


def unlike(rows: pa.Table, expected: pa.Table, rejected: set[str]) -> int:
    """How many rows are not the undisturbed ones, or, of the rejected ones, no rejects with a reason."""
    pairs = zip(rows.to_pylist(), expected.to_pylist(), strict=True)
    return sum(
        row["status"] != "reject" or not row["error"] if row["image_id"] in rejected else row != other
        for row, other in pairs
    )
