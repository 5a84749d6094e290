"""Seconds from the command to the first file of a space, and to the end, of builds that compute little.

    python benchmarks/start.py                    # 32 pictures into one space and four, 256 into eight
    python benchmarks/start.py --only 256x8

Each build is a process of its own on a Ray of its own, as a user starts one; a finished
lake is asked once more.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

SMALL = ("mini-dino", "mini-clip-a", "pixels-16", "mini-sd-a/latents")
EIGHT = (
    *("mini-clip-a", "mini-clip-b", "mini-dino", "mini-resnet"),
    *("mini-sd-a/leak50", "mini-sd-a/latents", "pixels-16", "random-mini-dino"),
)
CASES = {"32x1": (32, SMALL[:1]), "32x4": (32, SMALL), "256x8": (256, EIGHT)}
ROW = "{:10} {:>18} {:>18} {:>14} {:>16}"


def timed(images: int, spaces: Sequence[str]) -> tuple[float, float, float, float]:
    """Seconds to the first shard of images, the first shard of a space, the end, and of the same command
    again."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--corpus", f"avatars:{images}", "--spaces", ",".join(spaces), "--lake", folder]
        command = [sys.executable, "-m", "une_ray", "build", *options]
        began = time.monotonic()
        job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        first = [0.0, 0.0]
        while job.poll() is None:
            for place, pattern in enumerate(("images/shard-*.parquet", "spaces/*/shard-*.parquet")):
                if not first[place] and any(Path(folder).glob(pattern)):
                    first[place] = time.monotonic() - began
            time.sleep(0.05)
        whole = time.monotonic() - began
        if job.returncode and job.stderr is not None:
            raise SystemExit(job.stderr.read().decode())
        began = time.monotonic()
        subprocess.run(command, check=True, capture_output=True)
        return *first, whole, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=CASES, help="one case alone")
    arguments = parser.parse_args()
    print(ROW.format("case", "first images, s", "first latents, s", "whole, s", "finished, s"))
    for name, (images, spaces) in CASES.items():
        if arguments.only in (None, name):
            print(ROW.format(name, *(f"{seconds:.1f}" for seconds in timed(images, spaces))), flush=True)


if __name__ == "__main__":
    main()
