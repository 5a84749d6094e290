"""Passes over a space's latents on a cluster: each range of its files is read by one task, with what belongs
to its rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.geometry.spread import Blocks, Spread
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake
from une_ray.lake.ranges import ROWS, Range, ranges, rows_of_range
from une_ray.run.cluster import Cluster
from une_ray.run.reduce import reduced


def on_cluster(
    cluster: Cluster,
    lake: Lake,
    space: str,
    ids: pa.Array,
    memory: int,
    of_row: int = 0,
    rows: int = ROWS,
) -> Spread:
    """A `Spread` over a cluster of the latents of `ids`, all that the space has, in their order.

    A task holds `memory` bytes and `of_row` for each of its rows, about `rows` of them. Raises UneError for a
    fault of a range, and where what is read are not these images.
    """
    cluster.join()  # before what takes minutes of a large lake
    parts = ranges(lake, [space], ids, rows)

    def spread(
        work: Callable[[Blocks, Any, Any], list[Any]],
        shared: Any,
        own: Callable[[slice], Any],
        pieces: int,
    ) -> list[Any]:
        return reduced(
            cluster,
            partial(_of_range, lake, space, work),
            lambda i: (parts[i], own(slice(parts[i].start, parts[i].stop))),
            [part.size for part in parts],
            shared=shared,
            pieces=pieces,
            memory=memory + of_row * max(part.size for part in parts),
            label=space,
        )

    return spread


def _of_range(
    lake: Lake,
    space: str,
    work: Callable[[Blocks, Any, Any], list[Any]],
    shared: Any,
    part: tuple[Range, Any],
) -> list[Any]:
    found, own = part
    blocks = lambda: (matrix(rows["z"], np.float32) for rows in rows_of_range(lake, space, found))  # noqa: E731
    return work(blocks, shared, own)
