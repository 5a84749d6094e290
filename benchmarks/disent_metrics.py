"""Metrics of disentanglement beside those of the package `disent` (MIT), an independent port of
disentanglement_lib, on the same codes.

    pip install disent==0.8.0 pytorch-lightning
    python benchmarks/disent_metrics.py --items 15000

`disent` is no dependency of une_ray; install it in an environment of its own. BetaVAE's metric, modularity
and explicitness are not in it. Codes are functions of dSprites' five factors; batches with a factor held are
drawn out of the grid by `disent`, and out of the sample by une_ray.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from une_ray.corpora.dsprites import FACTORS
from une_ray.studies.disentanglement import metrics

SIZES = np.array(list(FACTORS.values()))
Encoder = Callable[[np.ndarray], np.ndarray]


def encoders() -> dict[str, Encoder]:
    """Codes (n, d) of factors (n, 5): deterministic, so that a batch can be encoded again."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((5, 5)))[0]
    wide = np.random.default_rng(1).standard_normal((5, 10)) / 2

    def scaled(factors: np.ndarray) -> np.ndarray:
        return (factors - (SIZES - 1) / 2) / SIZES

    return {
        "factors": scaled,
        "turned": lambda factors: scaled(factors) @ turn,
        "half turned": lambda factors: scaled(factors) @ (np.eye(5) + 0.3 * turn),
        "ten codes": lambda factors: np.tanh(2 * scaled(factors) @ wide),
    }


class Grid:
    """What `disent`'s FactorVAE metric asks a data set for."""

    num_factors = len(SIZES)

    def __init__(self) -> None:
        self.gt_data = self

    def sample_factors(self, count: int) -> np.ndarray:
        return np.random.randint(SIZES, size=(count, len(SIZES)))

    def dataset_batch_from_factors(self, factors: np.ndarray, mode: str) -> np.ndarray:
        return factors

    def dataset_sample_batch(self, count: int, mode: str) -> np.ndarray:
        return self.sample_factors(count)


def theirs(encode: Encoder, factors: np.ndarray, split: int, batches: int) -> dict[str, float]:
    """Scores of `disent` by our names."""
    from disent.metrics import _dci, _mig, _sap
    from disent.metrics._factor_vae import metric_factor_vae

    z, v = encode(factors).T, factors.T
    train, test = (z[:, :split], v[:, :split]), (z[:, split:], v[:, split:])
    dci = _dci._compute_dci(*train, *test)
    np.random.seed(0)
    votes = metric_factor_vae(
        Grid(), encode, num_train=batches, num_eval=batches // 2, num_variance_estimate=10000
    )
    return {
        "mig": _mig._compute_mig(*train)["mig.discrete_score"],
        "sap": _sap._compute_sap(*train, *test, False)["sap.score"],
        "dci_disentanglement": dci["dci.disentanglement"],
        "dci_completeness": dci["dci.completeness"],
        "dci_informativeness": dci["dci.informativeness_test"],
        "factor_vae": votes["factor_vae.eval_accuracy"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=15_000)
    parser.add_argument("--batches", type=int, default=10_000, help="of disent's FactorVAE metric")
    arguments = parser.parse_args()
    factors = np.random.default_rng(0).integers(SIZES, size=(arguments.items, len(SIZES)))
    print("| codes | metric | une_ray | disent |\n|---|---|---|---|")
    for name, encode in encoders().items():
        start = time.perf_counter()
        ours: dict[str, float] = {}
        for metric in ("mig", "sap", "dci", "factor-vae"):
            ours |= metrics.find(metric)(encode(factors), factors, seed=0)
        middle = time.perf_counter()
        others = theirs(encode, factors, 2 * arguments.items // 3, arguments.batches)
        for metric, score in others.items():
            print(f"| {name} | {metric} | {ours[metric]:.3f} | {score:.3f} |", flush=True)
        print(
            f"| {name} | *seconds* | {middle - start:.0f} | {time.perf_counter() - middle:.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
