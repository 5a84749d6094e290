"""Ravfogel et al. 2020: the null space of all that several ridge probes of each nuisance find, one after
the other."""

from __future__ import annotations

import numpy as np

from une_ray.geometry import orthogonal
from une_ray.geometry.probes import fit_linear
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.erasures import Erasure, Nuisances

PENALTY = 1.0  # λ of the ridge regressions


def iterative(
    target: Direction, nuisances: Nuisances, inner_product: np.ndarray | None, rounds: int
) -> Direction:
    """Raises UneError where what was found spans the target."""
    readings = {}
    for name, labels in zip(nuisances.readings, nuisances.labels.T, strict=True):
        known = ~np.isnan(labels)
        readings[name] = orthogonal.nullspace_probes(
            nuisances.z[known].astype(float), labels[known], ridge, rounds
        )
    return target.keeping(readings, inner_product)


def ridge(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """w (d,) of a ridge probe of `labels` (n,) of 0 or 1 in `z` (n, d)."""
    return fit_linear(z, labels[:, None], "ridge", [PENALTY]).w[:, 0].numpy()


ERASURE = Erasure(iterative, repeats=True)
