"""Maps that are kept: fitted on all train images in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from une_ray.geometry.arrays import AnyFloats, Floats
from une_ray.geometry.procrustes import procrustes_of_moments
from une_ray.geometry.transfer import JointMoments, Ridge
from une_ray.geometry.unit import unit_rows
from une_ray.lake.layout import Lake
from une_ray.lake.paired import PairedImages, side_by_side
from une_ray.lake.stored_maps import StoredMap

KEPT = (("orthogonal", True), ("orthogonal", False), ("ridge", True))
"""(map, whether about the means) of the maps that are kept, and can be applied."""


def stored_maps(lake: Lake, source: str, target: str, images: PairedImages) -> Iterator[dict[str, Any]]:
    """Rows of `maps`: orthogonal, about the means and not, and ridge, of all train images.

    Memory is (d_a + d_b)² numbers, however many the images.
    """
    moments: JointMoments | None = None
    norms = 0.0
    for _, batch in side_by_side(lake, [source, target], images.train):
        unit: dict[str, AnyFloats] = {space: unit_rows(z) for space, z in batch.items()}
        moments = moments or JointMoments({space: z.shape[1] for space, z in unit.items()})
        moments.add(unit)
        norms += float(np.linalg.norm(batch[target], axis=1).sum())
    assert moments is not None  # there are train images, or paired_images would have said so
    rows = moments.rows
    norm = norms / rows
    means = moments.mean(source), moments.mean(target)
    zeros = tuple(np.zeros_like(mean) for mean in means)
    cross = moments.scatter(source, target)
    raw = cross + rows * np.outer(*means)
    for centred, product, (mean_a, mean_b) in ((True, cross, means), (False, raw, zeros)):
        size = float(rows)  # ‖Z_a‖·‖Z_b‖ of so many rows of length one
        found = procrustes_of_moments(product, mean_a, mean_b, rows=rows - centred, size=size)
        stored = _stored(norm, mean_a, mean_b, found.q)
        row = {
            "map": "orthogonal",
            "centred": centred,
            "rank": found.rank,
            "undetermined": found.undetermined,
        }
        yield row | {"train": rows} | stored.to_row()
    ridge = Ridge(moments, source).fit(target)
    stored = _stored(norm, zeros[0], ridge.intercept, ridge.weight)
    yield {"map": "ridge", "centred": True, "train": rows} | stored.to_row()


def _stored(norm: float, source_mean: Floats, target_mean: Floats, matrix: Floats) -> StoredMap:
    return StoredMap(
        normalised=True,
        scale=1.0,
        target_norm=norm,
        source_mean=source_mean,
        target_mean=target_mean,
        matrix=matrix,
    )
