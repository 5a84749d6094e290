"""Which attributes an edit may be asked to keep, by how their labels go together with the target's."""

from __future__ import annotations

import numpy as np

from une_ray.geometry.probes import FEWEST
from une_ray.lake.latents import attributes_of, labels_and_folds
from une_ray.lake.layout import Lake
from une_ray.studies.edits.train_rows import TrainRows, targets_of

CORRELATED = 0.15  # |φ| from which labels count as going together
SETS = ("none", "correlated", "all")


def nuisances(
    lake: Lake, train: TrainRows, attribute: str, threshold: float = CORRELATED
) -> dict[str, list[str]]:
    """Which attributes each set keeps, by the labels of the train images: those that go with the target's,
    by |φ| ≥ threshold, or all."""
    known = attributes_of(lake)
    targets = targets_of(attribute, known)
    others = [name for name in known if name not in targets]
    labels = labels_and_folds(lake, train.image_ids, others, [0])[0]
    every = {name: _correlation(train.labels, column) for name, column in zip(others, labels.T)}
    phi = {name: value for name, value in every.items() if value is not None}
    correlated = [name for name, value in phi.items() if abs(value) >= threshold]
    return {"none": [], "correlated": correlated, "all": list(phi)}


def _correlation(a: np.ndarray, b: np.ndarray) -> float | None:
    """φ of two columns of labels over the rows that know both; None where either is the same for nearly
    all, so that no probe is fitted."""
    known = ~np.isnan(a) & ~np.isnan(b)
    fewest = min(b[known].sum(), (1 - b[known]).sum()) if known.any() else 0
    if fewest < FEWEST or a[known].std() == 0:
        return None
    return float(np.corrcoef(a[known], b[known])[0, 1])
