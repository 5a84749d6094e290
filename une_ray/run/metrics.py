"""Counters of our own beside Ray's, on every node's Prometheus endpoint: `ray_une_images_total`,
`ray_une_shards_total`.

Images per second and the share of rejects are PromQL's to form: rate(ray_une_images_total{status="ok"}[1m]).
"""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa

from une_ray.run.cluster import has_ray

if TYPE_CHECKING:
    from ray.util import metrics


def count(stage: str, table: pa.Table) -> None:
    """One more shard of a stage is done: `read`, `found`, or a space's name. Without a Ray there is
    no endpoint."""
    if not has_ray():
        return
    images, shards = _counters()
    shards.inc(1, {"stage": stage})
    for status, number in Counter(table["status"].to_pylist()).items():
        images.inc(number, {"stage": stage, "status": status})


@functools.cache
def _counters() -> tuple[metrics.Counter, metrics.Counter]:
    """One pair per process."""
    from ray.util import metrics

    return (
        metrics.Counter(
            "une_images", "Images that a stage is done with, by status: ok or reject", ("stage", "status")
        ),
        metrics.Counter("une_shards", "Shards that a stage is done with", ("stage",)),
    )
