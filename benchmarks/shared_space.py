"""GCCA and Procrustes from moments beside libraries that hold all rows: time, memory, the same answer.

    python benchmarks/shared_space.py                  # beside cca-zoo where it is installed, else its method
    python benchmarks/shared_space.py --rows 4000 --skip-memory

Four views of 500, 500, 310 and 310 dimensions see 48 hidden numbers, k = 32. The peer is cca-zoo's GCCA if it
can be imported, else the same method in NumPy: an SVD of the stacked whitened views. Memory is the peak of a
process that makes its rows block by block, at 16,000 and 160,000 rows. Procrustes is of 200,000 × 1,024 onto
768. Ratios are of processor seconds, which other jobs on the machine don't stretch.
"""

from __future__ import annotations

import argparse
import multiprocessing
import re
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.linalg import subspace_angles

from une_ray.geometry.gcca import Scatters, ScoreMoments, SharedSpace, gcca
from une_ray.geometry.procrustes import procrustes_of_moments
from une_ray.geometry.transfer import JointMoments

DIMS, HIDDEN, BLOCK, K, RIDGE = {"a": 500, "b": 500, "c": 310, "d": 310}, 48, 2000, 32, 0.0


def blocks(rows: int, dims: dict[str, int] = DIMS) -> Iterator[dict[str, np.ndarray]]:
    """Views {name: (2,000, dim)} float32, the same in every pass."""
    planted = np.random.default_rng(0)
    views = {
        name: planted.standard_normal((HIDDEN, dim)).astype(np.float32) / HIDDEN**0.5
        for name, dim in dims.items()
    }
    for start in range(0, rows, BLOCK):
        random = np.random.default_rng([1, start])
        count = min(BLOCK, rows - start)
        hidden = random.standard_normal((count, HIDDEN), dtype=np.float32)
        yield {
            name: hidden @ view + random.standard_normal((count, view.shape[1]), dtype=np.float32)
            for name, view in views.items()
        }


def ours(rows: int) -> SharedSpace:
    scatters = Scatters()
    for batch in blocks(rows):
        scatters.add(batch)
    moments = ScoreMoments(components := scatters.components(500))
    for batch in blocks(rows):
        moments.add(batch)
    return gcca(components, moments.blocks(), moments.rows, K, RIDGE)


def peers(views: list[np.ndarray]) -> tuple[str, np.ndarray]:
    """The peer's name, and its shared space (n, 32)."""
    try:
        from cca_zoo.linear import GCCA
    except ImportError:
        whitened = []
        for z in views:
            u, s, _ = np.linalg.svd(z - z.mean(0), full_matrices=False)
            whitened.append(u * (s / np.sqrt(s**2 + RIDGE * (s**2).mean())))
        left = np.linalg.svd(np.concatenate(whitened, axis=1), full_matrices=False)[0]
        return "an SVD of the stacked whitened views", left[:, :K]
    model = GCCA(n_components=K).fit(views)
    return "cca-zoo", np.sum([(z - z.mean(0)) @ w for z, w in zip(views, model.weights_)], axis=0)


def timed(work, *arguments):
    started = time.process_time()
    return work(*arguments), time.process_time() - started


def procrustes_of(rows: int) -> None:
    moments = JointMoments({"a": 1024, "b": 768})
    for batch in blocks(rows, {"a": 1024, "b": 768}):
        moments.add(batch)
    procrustes_of_moments(
        moments.scatter("a", "b"), moments.mean("a"), moments.mean("b"), rows=moments.rows - 1
    )


def peak(work, rows: int) -> float:
    """MiB of a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (work, rows))


def _peak(work, rows: int) -> float:
    work(rows)
    status = Path("/proc/self/status")
    if status.exists():  # ru_maxrss counts what the parent held when it started this process
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=15_000, help="of the comparison")
    parser.add_argument("--skip-memory", action="store_true")
    args = parser.parse_args()
    making = timed(lambda: sum(len(batch["a"]) for batch in blocks(args.rows)))[1]
    shared, seconds = timed(ours, args.rows)
    seconds -= 2 * making  # the rows are made in each of two passes
    rows = {name: np.concatenate([batch[name] for batch in blocks(args.rows)]) for name in DIMS}
    (name, theirs), other = timed(peers, [z.astype(np.float64) for z in rows.values()])
    x = shared.transform(rows)
    angle = np.cos(subspace_angles(x - x.mean(0), theirs - theirs.mean(0))).min()
    print(
        f"{args.rows:,} rows: {seconds:.1f} s of processor beside {other:.1f} s of {name}, "
        f"{other / seconds:.1f}×; smallest canonical correlation {angle:.7f}",
        flush=True,
    )
    if not args.skip_memory:
        few, many = (peak(ours, rows) for rows in (16_000, 160_000))
        print(f"GCCA's memory: {few:,.0f} MiB at 16,000 rows, {many:,.0f} MiB at 160,000, {many / few:.3f}×")
        print(f"Procrustes of 200,000 × 1,024 onto 768: {peak(procrustes_of, 200_000):,.0f} MiB")


if __name__ == "__main__":
    main()
