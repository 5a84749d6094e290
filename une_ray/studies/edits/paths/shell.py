"""On the shell: every latent keeps its norm."""

from __future__ import annotations

import torch

from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.move import Dose, column, vector
from une_ray.studies.edits.paths import Path


def along_shell(z: torch.Tensor, direction: Direction, alpha: Dose) -> torch.Tensor:
    """As far as `move`, but on the great circle from z towards the step: every z keeps its norm (slerp,
    Shoemake 1985).

    The shell of a normal d-vector has radius √d; put z there first with `rescaled(z, √d)` where its own
    norm is not trusted. A score changes as in `move` to first order in α; at a quarter of the circle there
    is no further to go."""
    x, step = z.double(), vector(direction.step, z)
    radius = x.norm(dim=1, keepdim=True)
    tangent = step - (x @ step)[:, None] / radius.square() * x
    tiny = torch.finfo(torch.float64).tiny  # so that a z along the step stays
    length = tangent.norm(dim=1, keepdim=True).clamp_min(tiny)
    angle = column(alpha, z) * length / radius
    return (x * angle.cos() + tangent * (radius / length) * angle.sin()).to(z.dtype)


PATH = Path(along_shell)
