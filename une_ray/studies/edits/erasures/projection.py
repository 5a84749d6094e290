"""Paper 1: the null space of the nuisances' probes, in closed form."""

from __future__ import annotations

import numpy as np

from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.erasures import Erasure, Nuisances


def projection(
    target: Direction, nuisances: Nuisances, inner_product: np.ndarray | None, rounds: int
) -> Direction:
    """Raises UneError where the nuisances span the target."""
    return target.keeping(nuisances.readings, inner_product)


ERASURE = Erasure(projection)
