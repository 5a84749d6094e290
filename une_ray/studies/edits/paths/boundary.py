"""To α standard deviations past the probe's zero, wherever z was."""

from __future__ import annotations

import torch

from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.move import Dose, column, to_score
from une_ray.studies.edits.paths import Path


def from_boundary(z: torch.Tensor, direction: Direction, alpha: Dose) -> torch.Tensor:
    """To the score α standard deviations past the probe's boundary, wherever z was; at α = 0 every z stays
    what it is."""
    dose = column(alpha, z)
    return torch.where(dose == 0, z, to_score(z, direction, dose.flatten() * direction.std))


PATH = Path(from_boundary, to_score=True)
