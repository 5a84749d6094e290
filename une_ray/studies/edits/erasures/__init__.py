"""Ways to take nuisances out of an edit's step: the paper's null space, and peers of it.

A new one is a file here that defines `ERASURE`, or an entry point `une_ray.erasures`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from une_ray.studies.edits.directions import Direction


@dataclass(frozen=True, eq=False)
class Nuisances:
    """What must stay: `readings` w (d,) by name, train latents `z` (n, d) with `labels` (n, k) of 0, 1 or
    NaN in the same order of names, and the latents' `covariance` (d, d) where somebody needs it."""

    readings: dict[str, np.ndarray]
    z: np.ndarray
    labels: np.ndarray
    covariance: np.ndarray | None


@dataclass(frozen=True)
class Erasure:
    """`erase(target, nuisances, inner_product, rounds)` is the target's direction, its step without the
    nuisances.

    `inner_product` is a covariance (d, d), or None for the plain one. `needs_covariance` says that the
    nuisances must come with one in any case, `repeats` that `rounds` is looked at."""

    erase: Callable[[Direction, Nuisances, np.ndarray | None, int], Direction]
    needs_covariance: bool = False
    repeats: bool = False


def shrunk(covariance: np.ndarray, shrinkage: float) -> np.ndarray:
    """(1 − s)·Σ + s·(tr Σ / d)·I (Ledoit & Wolf 2004): with fewer images than dimensions Σ alone knows
    nothing of most directions."""
    mean = np.trace(covariance) / len(covariance)
    return (1 - shrinkage) * covariance + shrinkage * mean * np.eye(len(covariance))
