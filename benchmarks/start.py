"""Seconds from the command to the first file of a space, and to the end, of builds that compute little.

    python benchmarks/start.py                    # 32 pictures into one space and four, 256 into eight
    python benchmarks/start.py --only 256x8

Each build is a process of its own on a Ray of its own, as a user starts one; a finished lake is asked once
more. Before them the floor: a Ray Data job of one row and one actor that does nothing, and the imports that a
model of transformers needs. Processor seconds are of all processes of a build together: other jobs on a
machine stretch the others, and not these.
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

SMALL = ("mini-dino", "mini-clip-a", "pixels-16", "mini-sd-a/latents")
EIGHT = (
    *("mini-clip-a", "mini-clip-b", "mini-dino", "mini-resnet"),
    *("mini-sd-a/leak50", "mini-sd-a/latents", "pixels-16", "random-mini-dino"),
)
CASES = {"32x1": (32, SMALL[:1]), "32x4": (32, SMALL), "256x8": (256, EIGHT)}
NOTHING = """
import logging, ray
from ray.data import ActorPoolStrategy
ray.init("local", num_cpus=3, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
class Nothing:
    def __call__(self, batch):
        return batch
pool = ActorPoolStrategy(size=1)
ray.data.from_items([{"row": 1}]).map_batches(Nothing, compute=pool, num_cpus=0.5).take_all()
"""
IMPORTS = "import torch, transformers.models.dinov2.modeling_dinov2"
ROW = "{:10} {:>16} {:>16} {:>12} {:>12} {:>14} {:>14}"


class Tree:
    """A process and all that it started, also what has ended since, and their processor seconds."""

    def __init__(self, pid: int) -> None:
        self.root = psutil.Process(pid)
        self.seconds: dict[int, float] = {}

    def look(self) -> float:
        """Processor seconds up to now."""
        with contextlib.suppress(psutil.Error):
            for process in [self.root, *self.root.children(recursive=True)]:
                with contextlib.suppress(psutil.Error):
                    times = process.cpu_times()
                    self.seconds[process.pid] = times.user + times.system
        return sum(self.seconds.values())


def timed(images: int, spaces: Sequence[str]) -> tuple[float, ...]:
    """Seconds to the first shard of images, the first shard of a space and the end, processor seconds to the
    first shard of a space and the end, and seconds of the same command again."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--corpus", f"avatars:{images}", "--spaces", ",".join(spaces), "--lake", folder]
        command = [sys.executable, "-m", "une_ray", "build", *options]
        began = time.monotonic()
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        tree, first, work = Tree(job.pid), [0.0, 0.0], 0.0
        while job.poll() is None:
            spent = tree.look()
            for place, pattern in enumerate(("images/shard-*.parquet", "spaces/*/shard-*.parquet")):
                if not first[place] and any(Path(folder).glob(pattern)):
                    first[place], work = time.monotonic() - began, spent
            time.sleep(0.1)
        whole = time.monotonic() - began
        if job.returncode and job.stderr is not None:
            raise SystemExit(job.stderr.read().decode())
        began = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        return *first, whole, work, tree.look(), time.monotonic() - began


def floor(code: str) -> tuple[float, float]:
    """Seconds, and processor seconds, of a process that runs `code` and of all that it starts."""
    began = time.monotonic()
    job = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    tree = Tree(job.pid)
    while job.poll() is None:
        tree.look()
        time.sleep(0.1)
    return time.monotonic() - began, tree.look()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=CASES, help="one case alone")
    arguments = parser.parse_args()
    if arguments.only is None:
        for name, code in {"a Ray Data job of nothing": NOTHING, "imports alone": IMPORTS}.items():
            whole, work = floor(code)
            print(f"{name}: {whole:.1f} s, {work:.1f} s of CPU", flush=True)
    heads = ("case", "first images, s", "first latents, s", "whole, s")
    print(ROW.format(*heads, "of CPU: first", "whole", "finished, s"))
    for name, (images, spaces) in CASES.items():
        if arguments.only in (None, name):
            print(ROW.format(name, *(f"{seconds:.1f}" for seconds in timed(images, spaces))), flush=True)


if __name__ == "__main__":
    main()
