"""The second moments of several spaces, by tasks of a cluster that read a range of their files each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa

from une_ray.geometry.partners import MOST, Partners
from une_ray.geometry.transfer import JointMoments
from une_ray.lake.layout import Lake
from une_ray.lake.paired import in_order, of_range
from une_ray.lake.ranges import ROWS, Range, ranges
from une_ray.run.cluster import Cluster
from une_ray.run.reduce import reduced

BESIDES = 2**29  # bytes of a task beside its moments


def joint_moments(
    cluster: Cluster, lake: Lake, spaces: list[str], train: pa.Array, rows: int = ROWS
) -> JointMoments:
    """Of the images `train`, each beside the very partner that one pass over all of them has.

    A first pass fetches the sample that partners are drawn from, and reads no row group without one. A task
    has about so many `rows`. Raises UneError as `JointMoments` does, and where a range is not these images.
    """
    cluster.join()  # before what takes minutes of a large lake
    order = in_order(lake, spaces[0], train)
    parts = ranges(lake, spaces, order, rows)
    sizes = [part.size for part in parts]
    chosen = Partners.of(len(order))
    (sample,) = reduced(
        cluster,
        partial(_sampled, lake, spaces),
        lambda i: _among(parts[i], chosen),
        sizes,
        memory=BESIDES,
        label="partners",
    )
    partners = {space: np.concatenate(blocks) for space, blocks in sample.blocks.items()}
    width = sum(z.shape[1] for z in partners.values())
    (moments,) = reduced(
        cluster,
        partial(_moments, lake, spaces, len(order)),
        parts.__getitem__,
        sizes,
        shared=partners,
        memory=32 * width**2 + 8 * MOST * width + BESIDES,
        label="moments",
    )
    return moments


def _among(part: Range, chosen: np.ndarray) -> Range:
    """The chosen rows of a range, by their places among all rows."""
    own = chosen[np.searchsorted(chosen, part.start) : np.searchsorted(chosen, part.stop)]
    return replace(part, ids=part.ids.take(pa.array(own - part.start)))


@dataclass(frozen=True, eq=False)
class _Sample:
    """Blocks (b, dim) of rows, by space."""

    blocks: dict[str, list[np.ndarray]]

    def __add__(self, other: _Sample) -> _Sample:
        return _Sample({space: blocks + other.blocks[space] for space, blocks in self.blocks.items()})


def _sampled(lake: Lake, spaces: list[str], _: None, part: Range) -> list[_Sample]:
    batches = [batch for _, batch in of_range(lake, spaces, part)]
    return [_Sample({space: [batch[space] for batch in batches] for space in spaces})]


def _moments(
    lake: Lake, spaces: list[str], total: int, rows: dict[str, np.ndarray], part: Range
) -> list[JointMoments]:
    partners = Partners(rows, total)
    partners.skip(part.start)
    moments = JointMoments({space: z.shape[1] for space, z in rows.items()})
    for ids, batch in of_range(lake, spaces, part):
        moments.add(batch, partners.next(len(ids)))
    return [moments]
