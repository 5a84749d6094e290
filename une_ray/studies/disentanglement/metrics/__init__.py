"""The metrics of disentanglement, as `disentanglement_lib` has them in `unsupervised_study_v1` (Locatello et
al. 2019, arXiv 1811.12359): one file each, arrays in, scores out.

    from une_ray.studies.disentanglement import metrics
    metrics.find("mig")(codes, factors, seed=0)      # {"mig": 0.31}

Every metric is called alike:

- `codes` (n, d) float: a representation's mean codes of n items. A coordinate of zero variance is dead: it
  says nothing, and counts as that;
- `factors` (n, f) int: the items' factors, whole numbers of at least two values each;
- `seed`: of the split and of everything that is drawn;
- `fast`: fewer rows, trees and batches, for tests and for looking on while a model trains. Its scores are
  another estimate of the same thing; don't compare them with full ones.

Items are a fixed sample, in any order. Two thirds are trained on and one third is measured on, at most 10,000
and 5,000, the library's numbers, which 15,000 items give. FactorVAE's and BetaVAE's metrics, which the
library computes on batches rendered with one factor held, draw these batches out of the same sample, from the
items that share the factor's value; of a sample of independent factors that is the same distribution. Raises
UneError for NaN, for too few rows, and for a factor of one value.

A metric is a file that defines `METRIC`; another package adds one by an entry point of the group
`une_ray.disentanglement_metrics`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from une_ray.registry import Registry

__all__ = ["METRICS", "Metric", "find", "headings", "names"]

HEADINGS = {
    "mig": "MIG",
    "sap": "SAP",
    "dci_disentanglement": "DCI D",
    "dci_completeness": "DCI C",
    "dci_informativeness": "DCI I",
    "modularity": "modularity",
    "factor_vae": "FactorVAE",
    "beta_vae": "βVAE",
    "explicitness": "explicitness",
}
COUNTS = ("factor_vae_active",)  # beside scores, no scores


class Metric(Protocol):
    def __call__(
        self, codes: np.ndarray, factors: np.ndarray, *, seed: int = 0, fast: bool = False
    ) -> dict[str, float]:
        """Scores by name; larger is better, 1 the best, but for counts."""


METRICS: Registry[Metric] = Registry(
    "metric of disentanglement",
    "une_ray.studies.disentanglement.metrics",
    "METRIC",
    "une_ray.disentanglement_metrics",
)


def names() -> list[str]:
    """Every known metric."""
    return METRICS.names()


def headings(scores: Iterable[str]) -> dict[str, str]:
    """Of the scores that are there, what tables head them with, in their order; another package's, which have
    none, by their own names after the others."""
    found = [score for score in dict.fromkeys(scores) if score not in COUNTS]
    order = [*HEADINGS, *(score for score in found if score not in HEADINGS)]
    return {score: HEADINGS.get(score, score) for score in order if score in found}


def find(name: str) -> Metric:
    """The metric of that name. Raises UneError for an unknown one, with the known ones, nearest first."""
    return METRICS.find(name)
