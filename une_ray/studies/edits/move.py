"""Moves of latents along a direction (paper 1, Editing): batch in, batch out, computed in float64 and
returned in z's own type.

`z` is (b, d); a dose α is one number for all, or (b,). A probe's score of z is z·w + b, and α is in its
standard deviations."""

from __future__ import annotations

import numpy as np
import torch

from une_ray.errors import UneError
from une_ray.studies.edits.directions import Direction

Dose = float | torch.Tensor


def move(z: torch.Tensor, direction: Direction, alpha: Dose) -> torch.Tensor:
    """z + α·step: the score rises by α of its standard deviations; for a plain probe this is z + α·σ·ŵ with
    σ that of z·ŵ."""
    return (z.double() + column(alpha, z) * vector(direction.step, z)).to(z.dtype)


def move_each(z: torch.Tensor, steps: np.ndarray, alpha: Dose) -> torch.Tensor:
    """The same with a step (b, d) for each."""
    return (z.double() + column(alpha, z) * vector(steps, z)).to(z.dtype)


def to_boundary(z: torch.Tensor, direction: Direction, past: float = 0.0) -> torch.Tensor:
    """Onto the probe's boundary, α* = −(z·w + b)/‖w‖² times w for a plain one, and `past` standard
    deviations beyond it."""
    beyond = -past * direction.std * score(z, direction).sign()
    return to_score(z, direction, beyond)


def to_score(z: torch.Tensor, direction: Direction, target: Dose) -> torch.Tensor:
    """Along the step until the probe reads `target`, one score for all or (b,). Raises UneError where the
    step does not raise the score."""
    gain = direction.w @ direction.step
    if gain < 0.99 * direction.std:
        raise UneError(
            f"a {direction.method} step along {direction.attribute} raises its score by "
            f"{gain / direction.std:.2g} standard deviations, not 1, and can't be sent to a score; "
            "move it by α"
        )
    missing = column(target, z).flatten() - score(z, direction)
    return (z.double() + (missing / gain)[:, None] * vector(direction.step, z)).to(z.dtype)


def rescaled(z: torch.Tensor, norm: float | torch.Tensor) -> torch.Tensor:
    """Every z at a given norm, one for all or (b,): after `move`, that of the latents before it, or √d."""
    return (z.double() * (column(norm, z) / z.double().norm(dim=1, keepdim=True))).to(z.dtype)


def score(z: torch.Tensor, direction: Direction) -> torch.Tensor:
    """(b,) float64: what the direction's probe reads."""
    return z.double() @ vector(direction.w, z) + direction.b


def vector(values: np.ndarray, z: torch.Tensor) -> torch.Tensor:
    """(d,) float64 where z is."""
    return torch.as_tensor(values, dtype=torch.float64, device=z.device)


def column(dose: Dose, z: torch.Tensor) -> torch.Tensor:
    """(b, 1) float64 of one number or (b,)."""
    return torch.as_tensor(dose, dtype=torch.float64, device=z.device).expand(len(z))[:, None]
