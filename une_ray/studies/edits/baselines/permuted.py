"""The same method at the same λ, on train labels that were shuffled."""

from __future__ import annotations

from functools import partial

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry import probes
from une_ray.lake.latents import blocks, image_ids
from une_ray.lake.layout import Lake
from une_ray.studies.edits.baselines import SEED
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.probe_row import ProbeRow
from une_ray.studies.edits.train_rows import TrainRows, joint_labels


def permuted(lake: Lake, probe: Direction, train: TrainRows, row: ProbeRow) -> Direction:
    """Raises UneError where the method can't be fitted to the shuffled labels."""
    labels, tested = joint_labels(lake, image_ids(lake, probe.space), probe.attribute)
    known = np.flatnonzero(~tested & ~np.isnan(labels))
    labels[known] = np.random.default_rng(SEED).permutation(labels[known])
    ((fitted,),) = probes.fit(
        partial(blocks, lake, probe.space),
        labels[:, None],
        tested[:, None],
        row.method,
        None if row.penalty is None else [row.penalty],
        row.rank or probes.RANK,
    )
    if fitted.w is None or fitted.b is None:
        raise UneError(
            f"{row.method} can't be fitted to permuted labels of {probe.attribute}: {fitted.error}; "
            "leave permuted out of --baselines"
        )
    return Direction.fitted(probe.space, probe.attribute, "permuted", fitted.w, fitted.b, train.z)


BASELINE = permuted
