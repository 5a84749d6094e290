"""Probes of many attributes at once beside paper 1's chain in scikit-learn, an attribute at a time.

    python benchmarks/probes.py                  # 40 attributes, 16,000 × 4,096; scikit-learn fits 2 of
    them, its time scaled up python benchmarks/probes.py --all            # scikit-learn fits all of them
    python benchmarks/probes.py --dim 16384 --timed 1

Latents are anisotropic Gaussian noise in float16, as a lake's; attributes of various strength and share lie
mostly in the leading components, where PCA keeps them. The chain is PCA(500) → StandardScaler →
LogisticRegression(solver="saga"), a pipeline per attribute; its time is also given with one PCA for all
attributes. Ratios are of processor seconds, which other jobs on the machine don't stretch; elapsed seconds
stand beside them. AUC is on the test fifth, averaged over the attributes that both fitted. Memory: the peak
of a process that makes its latents block by block, at 1× and 4× the rows.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
import warnings
from collections.abc import Iterator

import numpy as np
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from une_ray.geometry.probes import fit

BLOCK = 2000


class Corpus:
    """`rows` latents (n, dim) and labels (n, attributes), the same in every pass, never all in memory."""

    def __init__(self, rows: int, dim: int, attributes: int) -> None:
        rng = np.random.default_rng(0)
        self.rows, self.spread = rows, np.arange(1, dim + 1) ** -0.25
        self.turn = rng.normal(size=dim) / dim**0.5  # a reflection: the components aren't the axes
        self.directions = rng.normal(size=(dim, attributes)) / np.arange(1, dim + 1)[:, None] ** 0.75
        self.directions *= np.linspace(0.5, 4, attributes) / np.linalg.norm(self.directions, axis=0)
        self.thresholds = np.tile([0, 1, 2, 3], attributes)[:attributes]

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, self.rows, BLOCK):
            rng = np.random.default_rng([1, start])
            x = rng.standard_normal((min(BLOCK, self.rows - start), len(self.spread)), dtype=np.float32)
            scores = x @ self.directions.astype(np.float32)
            labels = (scores + rng.logistic(size=scores.shape) > self.thresholds).astype(np.float32)
            z = x * self.spread.astype(np.float32)
            z -= np.outer(z @ self.turn, 2 * self.turn / (self.turn @ self.turn)).astype(np.float32)
            yield z.astype(np.float16), labels

    def test(self) -> np.ndarray:
        return np.random.default_rng(2).random((self.rows, 1)) < 0.2


def timed(work, *arguments):
    """What `work` returns, and its processor and elapsed seconds."""
    started = time.process_time(), time.perf_counter()
    result = work(*arguments)
    return result, np.array([time.process_time(), time.perf_counter()]) - started


def reduce(z: np.ndarray, test: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Train and test rows (n, rank) of the chain's PCA, in float32."""
    train = z[~test].astype(np.float32)
    pca = PCA(rank, random_state=0).fit(train)
    return pca.transform(train), pca.transform(z[test].astype(np.float32))


def classify(train: np.ndarray, held_out: np.ndarray, y: np.ndarray, test: np.ndarray) -> float:
    """Test AUC of one attribute at the end of the chain."""
    scaler = StandardScaler().fit(train)
    classifier = LogisticRegression(C=1.0, solver="saga", random_state=0).fit(
        scaler.transform(train), y[~test]
    )
    return roc_auc_score(y[test], classifier.decision_function(scaler.transform(held_out)))


def speed(args: argparse.Namespace) -> None:
    corpus = Corpus(args.rows, args.dim, args.attributes)
    blocks, labels = zip(*corpus.blocks())
    labels, test = np.concatenate(labels), corpus.test()
    (train, held_out), reducing = timed(reduce, np.concatenate(blocks), test[:, 0], args.rank)
    fitted = (
        np.arange(args.attributes)
        if args.all
        else np.linspace(0, args.attributes - 1, args.timed).round().astype(int)
    )
    aucs, classifying = timed(
        lambda: np.array([classify(train, held_out, y, test[:, 0]) for y in labels[:, fitted].T])
    )
    each = classifying / len(fitted)
    print(
        f"scikit-learn, processor (elapsed) s: PCA {_seconds(reducing)}, "
        f"scaling and saga {_seconds(each)} an attribute",
        flush=True,
    )
    print(
        f"    measured on {len(fitted)} attributes and scaled to {args.attributes}; "
        f"their mean test AUC {aucs.mean():.4f}",
        flush=True,
    )
    separate, shared = args.attributes * (reducing + each), reducing + args.attributes * each
    for method in args.methods.split(","):
        probes, seconds = timed(
            lambda method=method: fit(lambda: blocks, labels, test, method, rank=args.rank)[0]
        )
        auc = np.array([probe.metrics["auc"] for probe in probes])
        print(
            f"{method}: {_seconds(seconds)} for all {args.attributes}, "
            f"whose mean test AUC is {auc.mean():.4f}"
        )
        print(f"    {separate[0] / seconds[0]:.1f}× a pipeline per attribute ({_seconds(separate)})")
        print(f"    {shared[0] / seconds[0]:.1f}× with one PCA for all ({_seconds(shared)})")
        print(
            f"    AUC of the {len(fitted)}: {auc[fitted].mean():.4f}, "
            f"{auc[fitted].mean() - aucs.mean():+.4f}",
            flush=True,
        )


def _seconds(pair: np.ndarray) -> str:
    return f"{pair[0]:.1f} ({pair[1]:.1f}) s"


def peak(rows: int, dim: int, attributes: int) -> float:
    """MiB of a fresh process that fits ridge probes on latents it never holds."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (rows, dim, attributes))


def _peak(rows: int, dim: int, attributes: int) -> float:
    corpus = Corpus(rows, dim, attributes)
    labels = np.concatenate([y for _, y in corpus.blocks()])
    fit(lambda: (z for z, _ in corpus.blocks()), labels, corpus.test(), "ridge", penalties=[1.0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=16_000)
    parser.add_argument("--dim", type=int, default=4096)
    parser.add_argument("--attributes", type=int, default=40)
    parser.add_argument("--rank", type=int, default=500)
    parser.add_argument("--methods", default="ridge,pca-logistic")
    parser.add_argument("--timed", type=int, default=4, help="attributes that scikit-learn fits")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--memory-rows", type=int, default=8000)
    args = parser.parse_args()
    warnings.simplefilter(
        "ignore", ConvergenceWarning
    )  # saga stops after 100 epochs, as in the paper's chain
    speed(args)
    one, four = (peak(rows, args.dim, args.attributes) for rows in (args.memory_rows, 4 * args.memory_rows))
    print(
        f"memory: {one:,.0f} MiB at {args.memory_rows:,} rows, {four:,.0f} MiB at {4 * args.memory_rows:,}, "
        f"ratio {four / one:.3f}"
    )


if __name__ == "__main__":
    main()
