"""Belrose et al. 2023: the plain step after the least change of z that leaves no linear trace of the
nuisances' labels."""

from __future__ import annotations

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry import orthogonal
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.erasures import Erasure, Nuisances


def leace(
    target: Direction, nuisances: Nuisances, inner_product: np.ndarray | None, rounds: int
) -> Direction:
    """Raises UneError where no image has all labels, and where nothing is left that raises the target's
    score."""
    known = ~np.isnan(nuisances.labels).any(1)
    if not known.any():
        raise UneError(
            f"no train image has a label of each of {', '.join(nuisances.readings)}, which leace needs; "
            "choose another erasure"
        )
    z, labels = nuisances.z[known].astype(float), nuisances.labels[known]
    mean = z.mean(0)
    cross = (z - mean).T @ (labels - labels.mean(0)) / len(z)
    covariance = nuisances.covariance
    if covariance is None:
        covariance = np.cov(z.T)
    eraser = orthogonal.leace(mean, covariance, cross)
    return target.keeping({}, inner_product).erased(eraser, list(nuisances.readings))


ERASURE = Erasure(leace, needs_covariance=True)
