"""Paper 1's 5,000 directions × 250 rows under three tests of normality: all at once beside SciPy in a loop.

    python benchmarks/gaussianity.py                     # SciPy on every twentieth direction, its time ×
    20; 5 repeats python benchmarks/gaussianity.py --every 1           # SciPy on all of them

Both get the same projections and must find the same statistics and verdicts. The projections themselves,
one matrix product, are timed apart: the loop would have the same.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np
from scipy import stats

from une_ray.geometry.gaussianity import normal, random_directions, random_rows
from une_ray.geometry.normality import TESTS

SCIPY = {
    "anderson_darling": lambda x: stats.anderson(x, method="interpolate"),
    "dagostino_pearson": stats.normaltest,
    "shapiro_wilk": stats.shapiro,
}


def project(images: int, dim: int, directions: int, rows: int) -> np.ndarray:
    """(rows, directions): every direction's own random rows of noise."""
    z, rng = normal(images, dim, 0), np.random.default_rng(0)
    return np.take_along_axis(
        z @ random_directions(dim, directions, rng), random_rows(images, rows, directions, rng), axis=0
    )


def at_once(X: np.ndarray) -> dict[str, tuple]:
    return {name: test(X) for name, test in TESTS.items()}


def in_a_loop(X: np.ndarray) -> dict[str, tuple]:
    found = {name: [test(x) for x in X.T] for name, test in SCIPY.items()}
    return {
        name: (np.array([one.statistic for one in each]), np.array([one.pvalue for one in each]))
        for name, each in found.items()
    }


def timed(work, *arguments):
    started = time.perf_counter()
    result = work(*arguments)
    return result, time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--directions", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=250)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--dim", type=int, default=4096)
    parser.add_argument(
        "--every",
        type=int,
        default=20,
        help="SciPy tests every so manieth direction, and its time is multiplied",
    )
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    X, seconds = timed(project, args.images, args.dim, args.directions, args.rows)
    X = X.astype(np.float64)  # SciPy would test float32 in float32
    part = X[:, :: args.every]
    print(
        f"projections: {args.directions:,} directions × {args.rows} of {args.images:,} × {args.dim:,} "
        f"in {seconds:.2f} s",
        flush=True,
    )
    ratios = []
    for repeat in range(args.repeats):
        (ours, fast), (theirs, slow) = timed(at_once, X), timed(in_a_loop, part)
        slow *= X.shape[1] / part.shape[1]
        ratios.append(slow / fast)
        scaled = f" (measured on {part.shape[1]:,}, scaled)" if args.every > 1 else ""
        print(
            f"repeat {repeat + 1}: all at once {fast:.3f} s, SciPy in a loop {slow:.2f} s{scaled}, "
            f"ratio {slow / fast:.1f}",
            flush=True,
        )
    for name, (statistic, p) in theirs.items():
        difference = np.abs(ours[name][0][:: args.every] - statistic).max()
        print(f"{name}: largest difference {difference:.1e}, accepted {(ours[name][1] > 0.05).mean():.2%}")
        if difference > 1e-9 or ((ours[name][1][:: args.every] > 0.05) != (p > 0.05)).any():
            raise SystemExit(f"{name} is not SciPy's")
    print(f"median ratio {statistics.median(ratios):.1f} (target ≥ 50)")


if __name__ == "__main__":
    main()
