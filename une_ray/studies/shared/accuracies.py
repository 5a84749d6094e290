"""Attribute accuracy against the number of dimensions: of a shared space, of its views, of shuffled views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.geometry.metrics import accuracy, auc, majority
from une_ray.lake.latents import attributes_of
from une_ray.lake.layout import Lake
from une_ray.lake.paired import PairedImages, rows_of

PENALTY = 1e-2  # per train image, of standardised coordinates: few dimensions need hardly any
MOST = 20_000  # train images that these small probes are fitted on

Projection = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""{view: (mean (d,), (d, k))}: coordinates are the sum over views of their centred rows times these."""


def numbers_of_dimensions(dim: int) -> list[int]:
    """1, 2, 4, 8, … and `dim`."""
    return sorted({*(2**step for step in range(dim.bit_length())), dim})


def accuracies(
    lake: Lake, images: PairedImages, projections: Mapping[str, Projection], dim: int, split_seed: int
) -> list[dict[str, Any]]:
    """Rows of `shared_scores`: mean test accuracy and AUC of all attributes by ridge probes of k dimensions.

    Attributes with an unknown label, or of one side alone in either fold, are left out and counted by it.
    """
    names = attributes_of(lake)
    folds = [_some(images.train, images.train_labels), _some(images.test, images.test_labels)]
    usable = [
        column
        for column in range(len(names))
        if all(set(labels[:, column]) == {0.0, 1.0} for _, labels in folds)
    ]
    if not usable:
        return []
    coordinates = []
    for ids, _ in folds:
        views = sorted({view for projection in projections.values() for view in projection})
        rows = rows_of(lake, views, ids)
        coordinates.append({name: _projected(rows, part) for name, part in projections.items()})
    train, test = (labels[:, usable] for _, labels in folds)
    found = []
    for name in projections:
        for k in numbers_of_dimensions(min(dim, coordinates[0][name].shape[1])):
            scores = _ridge_scores(coordinates[0][name][:, :k], train, coordinates[1][name][:, :k])
            about = {"of": name, "k": k, "majority": float(majority(test).mean()), "attributes": len(usable)}
            found.append({"measure": "accuracy", "value": float(accuracy(scores, test).mean()), **about})
            found.append({"measure": "AUC", "value": float(auc(scores, test).mean()), **about})
    return found


def _some(ids: pa.Array, labels: np.ndarray) -> tuple[pa.Array, np.ndarray]:
    """A random MOST of the images: the first ones of a corpus in order would be of few kinds."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(ids))[:MOST])
    return ids.take(pa.array(chosen)), labels[chosen]


def _projected(rows: Mapping[str, np.ndarray], projection: Projection) -> np.ndarray:
    return np.sum([(rows[view] - mean) @ matrix for view, (mean, matrix) in projection.items()], axis=0)


def _ridge_scores(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(n, attributes) scores of ridge regressions of ±1, above zero where positive.

    Every dimension counts in its own standard deviations: a view's first component would else set the penalty
    for all, where a shared space's dimensions are as long as one another.
    """
    mean, spread, targets = train.mean(0), train.std(0), 2 * labels - 1
    spread[spread == 0] = 1
    standardised = (train - mean) / spread
    gram = standardised.T @ standardised
    gram[np.diag_indices_from(gram)] += PENALTY * len(train)
    w = np.linalg.solve(gram, standardised.T @ (targets - targets.mean(0)))
    return ((test - mean) / spread) @ w + targets.mean(0)
