"""How an edit may go: functions of z, a direction and α. A new one is a file here that defines `PATH`, or
an entry point `une_ray.paths`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.move import Dose


@dataclass(frozen=True)
class Path:
    """`go(z, direction, alpha)` is z (b, d) moved; `to_score` says that it goes by the score, so that it
    moves one attribute alone."""

    go: Callable[[torch.Tensor, Direction, Dose], torch.Tensor]
    to_score: bool = False
