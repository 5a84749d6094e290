"""Which attributes an edit may be asked to keep, by how their labels go together with the target's."""

from __future__ import annotations

import numpy as np

from une_ray.geometry.probes import FEWEST
from une_ray.lake.latents import attributes_of, labels_and_folds
from une_ray.lake.layout import Lake
from une_ray.studies.edits.edit import Train

CORRELATED = 0.15  # |φ| from which labels count as going together
SETS = ("none", "correlated", "all")


def nuisances(
    lake: Lake, train: Train, attribute: str, threshold: float = CORRELATED
) -> dict[str, list[str]]:
    """Which attributes each set keeps, by the labels of the train images: those that go with the target's, by |φ| ≥ threshold, or all."""
    others = [name for name in attributes_of(lake) if name != attribute]
    labels = labels_and_folds(lake, train.image_ids, others, [0])[0]
    phi = {name: _correlation(train.labels, column) for name, column in zip(others, labels.T)}
    usable = [name for name in others if phi[name] is not None]
    return {"none": [], "correlated": [name for name in usable if abs(phi[name]) >= threshold], "all": usable}


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """φ of two columns of labels over the rows that know both; None where either is the same for nearly all, so that no probe is fitted."""
    known = ~np.isnan(a) & ~np.isnan(b)
    fewest = min(b[known].sum(), (1 - b[known]).sum()) if known.any() else 0
    if fewest < FEWEST or a[known].std() == 0:
        return None
    return float(np.corrcoef(a[known], b[known])[0, 1])
