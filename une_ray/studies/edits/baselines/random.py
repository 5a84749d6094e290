"""Steps as long as the probe's, drawn uniformly in its inner product, another for every image."""

from __future__ import annotations

import numpy as np

from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.studies.edits.baselines import SEED
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.probe_row import ProbeRow
from une_ray.studies.edits.train_rows import TrainRows


def random_step(lake: Lake, probe: Direction, train: TrainRows, row: ProbeRow) -> Direction:
    try:
        return probe.random(SEED, train.covariance)
    except np.linalg.LinAlgError as error:
        raise UneError(
            "the train latents' covariance is singular, and no random step is as long in it as another; add"
            " --shrinkage 0.1, or leave random out of --baselines"
        ) from error


BASELINE = random_step
