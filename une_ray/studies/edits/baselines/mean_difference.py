"""From the mean of the train images without the attribute to the mean of those with it; of several, without
any and with all."""

from __future__ import annotations

import numpy as np

from une_ray.lake.layout import Lake
from une_ray.studies.edits.directions import Direction, mean_difference
from une_ray.studies.edits.probe_row import ProbeRow
from une_ray.studies.edits.train_rows import TrainRows


def between_means(lake: Lake, probe: Direction, train: TrainRows, row: ProbeRow) -> Direction:
    """Raises UneError where one side has no images."""
    known = ~np.isnan(train.labels)
    w, b = mean_difference(train.z[known], train.labels[known] == 1)
    return Direction.fitted(probe.space, probe.attribute, "mean-difference", w, b, train.z)


BASELINE = between_means
