"""The Ray pipeline beside a bare loop over the same model, and its memory at 1× and 10× images, in one run.

    python benchmarks/pipeline.py                      # mini-sd-a/ddim50, 512 images, 3 repeats, then memory
    python benchmarks/pipeline.py --space sd15/ddim50 --corpus folder:/data/faces --images 256   # on a GPU

Speed: images/s past start-up (models loaded) of `une build`, from the lake's own `runs` table, over those of
one process that reads, decodes and inverts the same images in the same batches with all cores. Memory: the
largest sum of proportional set sizes of the driver and everything it started, sampled once a second.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice

import psutil
import torch

from une_ray.corpora import Item, open_corpus
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.run.read import read_space
from une_ray.spaces.space import Space


def bare(space: Space, corpus: str, images: int) -> float:
    """Images/s of one process, after a first batch that warms it up."""
    step, source = space.load("cuda" if torch.cuda.is_available() else "cpu"), open_corpus(corpus)
    items = list(islice(source.items(), images))

    def run(some: list[Item]) -> None:
        data = [source.read(item.source) for item in some]
        ids = [item.image_id for item in some]
        read_space(step, space.model.preprocessing, space.model.batch_size, ids, data)

    run(items[: space.model.batch_size])
    started = time.monotonic()
    run(items)
    return images / (time.monotonic() - started)


def build(space: str, corpus: str, folder: str, shard_size: int) -> psutil.Popen:
    """A build in a process of its own."""
    what = f"--corpus {corpus} --spaces {space} --shard-size {shard_size}".split()
    command = [sys.executable, "-m", "une_ray", "build", "--lake", folder, *what]
    return psutil.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def piped(space: str, corpus: str, shard_size: int) -> float:
    """Images/s of a build past start-up."""
    with tempfile.TemporaryDirectory() as folder:
        if build(space, corpus, folder, shard_size).wait():
            raise SystemExit(f"the build of {space} failed; run une build to see why")
        query = """
            SELECT sum(images) / (epoch(max(started)) - epoch(min(started)) + arg_max(seconds, started))
            FROM runs
            WHERE stage = ?
        """
        ((speed,),) = connect(Lake(folder)).execute(query, [space]).fetchall()
        return speed


def peak(space: str, corpus: str, shard_size: int) -> float:
    """MiB at the worst moment of a build, over all of its processes."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        job = build(space, corpus, folder, shard_size)
        done = threading.Event()

        def watch() -> None:
            nonlocal worst
            while not done.wait(1.0):
                total = 0
                for process in [job, *_children(job)]:
                    try:
                        total += process.memory_full_info().pss
                    except psutil.Error:
                        continue
                worst = max(worst, total / 2**20)

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = job.wait()
        done.set()
        watcher.join()
        if code:
            raise SystemExit(f"the build of {space} failed; run une build to see why")
    return worst


def _children(job: psutil.Popen) -> list[psutil.Process]:
    """All that it started; none once it has ended."""
    try:
        return job.children(recursive=True)
    except psutil.Error:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", default="mini-sd-a/ddim50")
    parser.add_argument("--corpus", help="default: avatars:IMAGES")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--memory-space", default="mini-dino", help="an encoder, so that ten times the images take minutes"
    )
    parser.add_argument("--memory-images", type=int, default=1500)
    parser.add_argument("--shard-size", type=int, default=64)
    args = parser.parse_args()
    corpus = args.corpus or f"avatars:{args.images}"
    space, _ = Space.parse(args.space).pinned()
    ratios = []
    for repeat in range(args.repeats):
        loop, ray = bare(space, corpus, args.images), piped(args.space, corpus, args.shard_size)
        ratios.append(ray / loop)
        print(
            f"repeat {repeat + 1}: bare loop {loop:.2f} images/s, Ray pipeline {ray:.2f} images/s, "
            f"ratio {ray / loop:.3f}",
            flush=True,
        )
    if ratios:
        print(f"speed: median ratio {statistics.median(ratios):.3f} (target ≥ 0.95)", flush=True)
    one, ten = (
        peak(args.memory_space, f"avatars:{count}", args.shard_size)
        for count in (args.memory_images, 10 * args.memory_images)
    )
    print(
        f"memory: {one:,.0f} MiB at {args.memory_images:,} images, "
        f"{ten:,.0f} MiB at {10 * args.memory_images:,}, ratio {ten / one:.3f} (target ≤ 1.1)"
    )


if __name__ == "__main__":
    main()
