"""Grams of a lake by one process, and by tasks of a Ray of this machine: seconds, memory and what comes back.

    python benchmarks/spread.py                          # 100,000 × 1,024 in shards of 1,000, five splits
    OMP_NUM_THREADS=1 python benchmarks/spread.py        # where other jobs run: threads wait for each other

Each has a process of its own, whose memory and processor seconds are the driver's. Ray's start is not in the
seconds, that of its workers is in those of the first pass. Entries differ in units of √(S_ii S_jj).
"""

from __future__ import annotations

import argparse
import multiprocessing
import pickle
import resource
import tempfile
import time
from functools import partial

import numpy as np
import pyarrow as pa
import ray
import torch

from une_ray.corpora import Item
from une_ray.corpora.base import split_of
from une_ray.geometry.gram import Gram, train_grams
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.files import shard_file
from une_ray.lake.latents import blocks, image_ids, labels_and_folds
from une_ray.lake.layout import Lake, space_folder
from une_ray.run.cluster import Cluster
from une_ray.run.spreading import on_cluster

ATTRIBUTES = [f"a{n}" for n in range(8)]


def lake_of(folder: str, rows: int, dim: int, shard_size: int) -> None:
    """One space of noise, and labels that are noise."""
    random = np.random.default_rng(0)
    items = (
        Item(i, "x", split_of(i), attributes=dict(zip(ATTRIBUTES, map(bool, random.integers(0, 2, 8)))))
        for i in (f"i{n:08}" for n in range(rows))
    )
    lake = create(Lake(folder), "noise", items, shard_size)
    lake.register("space", {"model": "noise"})
    for shard in range(lake.shards):
        plan = lake.plan(shard).to_pylist()
        images = pa.Table.from_pylist([row | {"status": "ok"} for row in plan], schema=schema.IMAGES)
        lake.store.commit(f"images/{shard_file(shard)}", schema.parquet(images, {}))
        z = random.standard_normal(len(plan) * dim, dtype=np.float32).astype(np.float16)
        known = [{"image_id": row["image_id"], "status": "ok", "dim": dim} for row in plan]
        lists = pa.ListArray.from_arrays(pa.array(np.arange(len(plan) + 1) * dim, pa.int32()), pa.array(z))
        table = pa.Table.from_pylist(known, schema=schema.SPACE)
        table = table.set_column(table.column_names.index("z"), table.schema.field("z"), lists)
        lake.store.commit(f"{space_folder('space')}/{shard_file(shard)}", schema.parquet(table, {}))


def grams(
    folder: str, range_rows: int | None, passes: int
) -> tuple[list[float], list[float], float, float, Gram]:
    """Seconds of each pass, elapsed and of this process, MiB that it held more at most, MiB of the Grams that
    came back, and one of them."""
    lake, seconds, own = Lake(folder), [], []
    ids = image_ids(lake, "space")
    labels, tested = labels_and_folds(lake, ids, ATTRIBUTES, list(range(5)))
    spread = None
    if range_rows is not None:
        dim = next(blocks(lake, "space")).shape[1]
        spread = on_cluster(Cluster(), lake, "space", ids, 8 * 7 * dim**2 + 2**29, rows=range_rows)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(passes):
        began, at = time.perf_counter(), time.process_time()
        signs = torch.as_tensor(2 * labels - 1, dtype=torch.float32)
        known = np.ones(len(ids), bool)
        first, *others = train_grams(partial(blocks, lake, "space"), signs, tested, known, spread=spread)
        seconds.append(time.perf_counter() - began)
        own.append(time.process_time() - at)
    held = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    back = 0.0 if spread is None else (2 + len(others)) * len(pickle.dumps(first)) / 2**20
    ray.shutdown()
    return seconds, own, held, back, first


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=1024)
    parser.add_argument("--shard-size", type=int, default=1000)
    parser.add_argument("--range-rows", type=int, default=12_500)
    parser.add_argument("--passes", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lake_of(f"{folder}/lake", args.rows, args.dim, args.shard_size)
        found = []
        for range_rows in (None, args.range_rows):
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                found.append(pool.apply(grams, (f"{folder}/lake", range_rows, args.passes)))
    latents = 2 * args.rows * args.dim / 2**20
    for name, (seconds, own, held, _, _) in zip(("one process", "tasks"), found):
        shown, of_driver = (", ".join(f"{each:.1f}" for each in of) for of in (seconds, own))
        print(f"{name:12} {shown} s, of the driver's processor {of_driver}; {held:,.0f} MiB more than before")
    (one, _, _, _, ours), (tasks, _, _, back, theirs) = found
    unit = ours.scatter().diagonal().sqrt()
    error = ((ours.scatter() - theirs.scatter()) / unit / unit[:, None]).abs().max().item()
    print(
        f"tasks beside one process: {min(one) / min(tasks):.2f}× as fast; {back:,.0f} MiB come to the driver,"
        f" which else reads {latents:,.0f} MiB of latents; entries differ by {error:.1e}"
    )


if __name__ == "__main__":
    main()
