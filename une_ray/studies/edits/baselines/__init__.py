"""What a probe's direction must beat. A new one is a file here that defines `BASELINE`, or an entry point
`une_ray.baselines`.

A prompt, which moves no latent, has its own file beside this folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # names of baselines stand in the command's help, which waits for no SciPy
    from collections.abc import Callable

    from une_ray.lake.layout import Lake
    from une_ray.studies.edits.directions import Direction
    from une_ray.studies.edits.probe_row import ProbeRow
    from une_ray.studies.edits.train_rows import TrainRows

Baseline: TypeAlias = "Callable[[Lake, Direction, TrainRows, ProbeRow], Direction]"
"""From the probe's own direction, the train images and the probe's row (of the first attribute, where
several are moved) to another."""

SEED = 0  # of what is drawn
