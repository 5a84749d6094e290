"""As long a step as the probe's, in a direction drawn uniformly."""

from __future__ import annotations

from une_ray.lake.layout import Lake
from une_ray.studies.edits.baselines import SEED
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.probe_row import ProbeRow
from une_ray.studies.edits.train_rows import TrainRows


def random_step(lake: Lake, probe: Direction, train: TrainRows, row: ProbeRow) -> Direction:
    return probe.random(SEED)


BASELINE = random_step
