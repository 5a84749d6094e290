"""Ways to take nuisances out of an edit's step: the paper's null space, and peers of it. A new one is a function and a row of ERASURES."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry import orthogonal
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.readings import linear_probes

PENALTY = 1.0  # of the ridge regressions that iterative erasure repeats


@dataclass(frozen=True, eq=False)
class Nuisances:
    """What must stay: `readings` w (d,) by name, train latents `z` (n, d) with `labels` (n, k) of 0, 1 or NaN in the same order of names,
    and the latents' `covariance` (d, d) where somebody needs it."""

    readings: dict[str, np.ndarray]
    z: np.ndarray
    labels: np.ndarray
    covariance: np.ndarray | None


def projection(
    target: Direction, nuisances: Nuisances, inner_product: np.ndarray | None, rounds: int
) -> Direction:
    """Paper 1: the null space of the nuisances' probes, in closed form."""
    return target.keeping(nuisances.readings, inner_product)


def iterative(
    target: Direction, nuisances: Nuisances, inner_product: np.ndarray | None, rounds: int
) -> Direction:
    """Ravfogel et al. 2020: the null space of all that `rounds` ridge probes of each nuisance find, one after the other."""
    found = {}
    for name, labels in zip(nuisances.readings, nuisances.labels.T, strict=True):
        known = ~np.isnan(labels)
        found[name] = orthogonal.nullspace_probes(
            nuisances.z[known].astype(float), labels[known], _ridge, rounds
        )
    return target.keeping(found, inner_product)


def leace(
    target: Direction, nuisances: Nuisances, inner_product: np.ndarray | None, rounds: int
) -> Direction:
    """Belrose et al. 2023: the plain step after the least change of z that leaves no linear trace of the nuisances' labels."""
    known = ~np.isnan(nuisances.labels).any(1)
    if not known.any():
        raise UneError(
            f"no train image has a label of each of {', '.join(nuisances.readings)}, which leace needs; choose another erasure"
        )
    z, labels = nuisances.z[known].astype(float), nuisances.labels[known]
    mean = z.mean(0)
    cross = (z - mean).T @ (labels - labels.mean(0)) / len(z)
    return target.keeping({}, inner_product).erased(
        orthogonal.leace(mean, nuisances.covariance, cross), list(nuisances.readings)
    )


def shrunk(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """(1 − s)·Σ + s·(tr Σ / d)·I (Ledoit & Wolf 2004): with fewer images than dimensions Σ alone knows nothing of most directions."""
    mean = np.trace(covariance) / len(covariance)
    return (1 - shrinkage) * covariance + shrinkage * mean * np.eye(len(covariance))


def _ridge(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return linear_probes(z, labels[:, None], "ridge", [PENALTY]).w[:, 0].numpy()


ERASURES: dict[str, Callable[[Direction, Nuisances, np.ndarray | None, int], Direction]] = {
    "projection": projection,
    "iterative": iterative,
    "leace": leace,
}
