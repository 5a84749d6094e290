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

    Each attribute is fitted and measured on the images whose label is known; those of one side alone in
    either fold are left out, and `attributes` counts the others.
    """
    folds = [_some(images.train, images.train_labels), _some(images.test, images.test_labels)]
    usable = _usable(*(labels for _, labels in folds))
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
            accurate, area, commoner = _measured(
                coordinates[0][name][:, :k], train, coordinates[1][name][:, :k], test
            )
            about = {"of": name, "k": k, "majority": commoner, "attributes": len(usable)}
            found.append({"measure": "accuracy", "value": accurate, **about})
            found.append({"measure": "AUC", "value": area, **about})
    return found


def one_sided(lake: Lake, images: PairedImages) -> list[str]:
    """Attributes that have one side alone in either fold, and so no accuracy."""
    folds = [_some(images.train, images.train_labels), _some(images.test, images.test_labels)]
    usable = _usable(*(labels for _, labels in folds))
    return [name for column, name in enumerate(attributes_of(lake)) if column not in usable]


def _usable(*folds: np.ndarray) -> list[int]:
    """Columns that have both sides among the known labels of every fold."""
    return [
        column
        for column in range(folds[0].shape[1])
        if all({0.0, 1.0} <= set(labels[:, column].tolist()) for labels in folds)
    ]


def _measured(
    z: np.ndarray, labels: np.ndarray, test_z: np.ndarray, test: np.ndarray
) -> tuple[float, float, float]:
    """Mean over attributes of accuracy, AUC and the commoner label's accuracy, each on its known rows."""
    known, test_known = ~np.isnan(labels), ~np.isnan(test)
    alike: dict[bytes, list[int]] = {}  # attributes that are known of the same images are fitted at once
    for column in range(labels.shape[1]):
        pattern = known[:, column].tobytes() + test_known[:, column].tobytes()
        alike.setdefault(pattern, []).append(column)
    parts = []
    for columns in alike.values():
        rows, test_rows = known[:, columns[0]], test_known[:, columns[0]]
        right = test[test_rows][:, columns]
        scores = _ridge_scores(z[rows], labels[rows][:, columns], test_z[test_rows])
        parts.append(np.stack([accuracy(scores, right), auc(scores, right), majority(right)]))
    accurate, area, commoner = np.concatenate(parts, axis=1).mean(1).tolist()
    return accurate, area, commoner


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
