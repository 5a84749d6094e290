"""Metrics of disentanglement beside those of the package `disent` (MIT), an independent port of
disentanglement_lib, on the same codes and the same split.

    pip install disent==0.8.0
    python benchmarks/disent_metrics.py

`disent` is no dependency of une_ray; install it in an environment of its own. BetaVAE's metric, modularity
and explicitness are not in it. Codes are functions of dSprites' five factors. FactorVAE's batches are drawn
anew: out of the grid by `disent`, out of the sample by une_ray; the other figures are due to be the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from une_ray.corpora.dsprites_drawings import FACTORS
from une_ray.studies.disentanglement import metrics
from une_ray.studies.disentanglement.metrics import dci, sap
from une_ray.studies.disentanglement.metrics.sample import (
    Rows,
    binned,
    entropies,
    mutual_information,
    top_two,
)

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


def ours(train: Rows, test: Rows, small: tuple[Rows, Rows], whole: Rows) -> dict[str, float]:
    """Scores of une_ray's own functions."""
    information = mutual_information(binned(train.codes), train.factors)
    importance, accuracy = dci.importances(*small, dci.TREES, 0)
    return {
        "MIG": float(np.mean(top_two(information) / entropies(train.factors))),
        "SAP": float(np.mean(top_two(sap.accuracies(train, test, 0)))),
        "DCI D": dci.disentanglement(importance),
        "DCI C": dci.disentanglement(importance.T),
        "DCI I": accuracy,
        "FactorVAE": metrics.find("factor-vae")(whole.codes, whole.factors, fast=True)["factor_vae"],
    }


def theirs(
    train: Rows, test: Rows, small: tuple[Rows, Rows], batches: int, encode: Encoder
) -> dict[str, float]:
    """Scores of `disent` by the same names."""
    from disent.metrics import _dci, _mig, _sap
    from disent.metrics._factor_vae import metric_factor_vae

    def turned(*parts: Rows) -> list[np.ndarray]:
        return [array for part in parts for array in (part.codes.T, part.factors.T)]

    np.random.seed(0)
    trees = _dci._compute_dci(*turned(*small))
    votes = metric_factor_vae(
        Grid(), encode, num_train=batches, num_eval=batches, num_variance_estimate=10_000
    )
    return {
        "MIG": _mig._compute_mig(*turned(train))["mig.discrete_score"],
        "SAP": _sap._compute_sap(*turned(train, test), False)["sap.score"],
        "DCI D": trees["dci.disentanglement"],
        "DCI C": trees["dci.completeness"],
        "DCI I": trees["dci.informativeness_test"],
        "FactorVAE": votes["factor_vae.eval_accuracy"],
    }


def two_factors(rows: Rows) -> Rows:
    """Shape and scale: trees of all five take minutes."""
    return Rows(codes=rows.codes, factors=rows.factors[:, :2])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, default=3_000)
    parser.add_argument("--dci-items", type=int, default=450, help="of DCI, of shape and scale alone")
    parser.add_argument("--batches", type=int, default=1_000, help="of FactorVAE's metric")
    parser.add_argument("--codes", nargs="+", choices=list(encoders()), default=list(encoders()))
    arguments = parser.parse_args()
    factors = np.random.default_rng(0).integers(SIZES, size=(arguments.items, len(SIZES)))
    print("| codes | metric | une_ray | disent |\n|---|---|---|---|")
    for name in arguments.codes:
        encode = encoders()[name]
        codes = encode(factors)

        def part(start: int, stop: int, codes: np.ndarray = codes) -> Rows:
            return Rows(codes=codes[start:stop], factors=factors[start:stop])

        split, few = 2 * arguments.items // 3, arguments.dci_items
        parts = part(0, split), part(split, len(codes))
        small = two_factors(part(0, 2 * few // 3)), two_factors(part(2 * few // 3, few))
        start = time.perf_counter()
        own = ours(*parts, small, part(0, len(codes)))
        middle = time.perf_counter()
        others = theirs(*parts, small, arguments.batches, encode)
        for metric, score in others.items():
            print(f"| {name} | {metric} | {own[metric]:.6f} | {score:.6f} |", flush=True)
        print(
            f"| {name} | *seconds* | {middle - start:.0f} | {time.perf_counter() - middle:.0f} |", flush=True
        )


if __name__ == "__main__":
    main()
