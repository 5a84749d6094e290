"""What a probe's direction must beat: a new one is a function and a row of BASELINES. A prompt, which moves no latent, has its own file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from une_ray.errors import UneError
from une_ray.geometry import probes
from une_ray.lake.latents import blocks, image_ids, labels_and_folds
from une_ray.lake.layout import Lake
from une_ray.studies.edits.directions import Direction, mean_difference
from une_ray.studies.edits.readings import RANK

if TYPE_CHECKING:
    from une_ray.studies.edits.edit import Train

SEED = 0


def random_step(lake: Lake, probe: Direction, train: Train, row: dict) -> Direction:
    """As long a step as the probe's, in a direction drawn uniformly."""
    return probe.random(SEED)


def means_apart(lake: Lake, probe: Direction, train: Train, row: dict) -> Direction:
    """From the mean of the train images without the attribute to the mean of those with it."""
    known = ~np.isnan(train.labels)
    w, b = mean_difference(train.z[known], train.labels[known] == 1)
    return Direction.fitted(probe.space, probe.attribute, "mean-difference", w, b, train.z)


def permuted(lake: Lake, probe: Direction, train: Train, row: dict) -> Direction:
    """The same method at the same λ, on train labels that were shuffled."""
    labels, tested = labels_and_folds(lake, image_ids(lake, probe.space), [probe.attribute], [0])
    known = np.flatnonzero(~tested[:, 0] & ~np.isnan(labels[:, 0]))
    labels[known] = np.random.default_rng(SEED).permutation(labels[known])
    penalties = None if row["penalty"] is None else [row["penalty"]]
    ((found,),) = probes.fit(
        partial(blocks, lake, probe.space), labels, tested, row["method"], penalties, row["rank"] or RANK
    )
    if found.w is None:
        raise UneError(
            f"{row['method']} can't be fitted to permuted labels of {probe.attribute}: {found.error}; leave permuted out of --baselines"
        )
    return Direction.fitted(probe.space, probe.attribute, "permuted", found.w, found.b, train.z)


BASELINES: dict[str, Callable[[Lake, Direction, Train, dict], Direction]] = {
    "random": random_step,
    "mean-difference": means_apart,
    "permuted": permuted,
}
