"""Moves of latents along a direction (paper 1, Editing): batch in, batch out, computed in float64 and returned in z's own type.

`z` is (b, d); a dose α is one number for all, or (b,). A probe's score of z is z·w + b, and α is in its standard deviations.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from une_ray.errors import UneError
from une_ray.studies.edits.directions import Direction

Dose = float | torch.Tensor
TAIL = 100  # standard deviations to which the empirical distribution is continued on either side


def move(z: torch.Tensor, direction: Direction, alpha: Dose) -> torch.Tensor:
    """z + α·step: the score rises by α of its standard deviations; for a plain probe this is z + α·σ·ŵ with σ that of z·ŵ."""
    return (z.double() + _column(alpha, z) * _vector(direction.step, z)).to(z.dtype)


def to_boundary(z: torch.Tensor, direction: Direction, past: float = 0.0) -> torch.Tensor:
    """Onto the probe's boundary, α* = −(z·w + b)/‖w‖² times w for a plain one, and `past` standard deviations beyond it."""
    beyond = -past * direction.std * score(z, direction).sign()
    return to_score(z, direction, beyond)


def from_boundary(z: torch.Tensor, direction: Direction, alpha: Dose) -> torch.Tensor:
    """To the score α standard deviations past the probe's boundary, wherever z was; at α = 0 every z stays what it is."""
    dose = _column(alpha, z)
    return torch.where(dose == 0, z, to_score(z, direction, dose.flatten() * direction.std))


def to_quantile(z: torch.Tensor, direction: Direction, alpha: Dose) -> torch.Tensor:
    """A Gaussianised step: the score goes from its quantile q among the train scores to the quantile Φ(Φ⁻¹(q) + α).

    Steps of equal α pass equally many images wherever they begin, however skewed the scores; of Gaussian scores it is `move`.
    Between the train scores their normal quantiles are interpolated, and beyond them continued with the scores' own deviation,
    so that α = 0 changes nothing and −α undoes α.
    """
    scores, normal = _normal_quantiles(direction.scores)
    now = np.interp(score(z, direction).cpu().numpy(), scores, normal)
    dose = _column(alpha, z).flatten().cpu().numpy()
    return to_score(z, direction, torch.from_numpy(np.interp(now + dose, normal, scores)).to(z.device))


def to_score(z: torch.Tensor, direction: Direction, target: Dose) -> torch.Tensor:
    """Along the step until the probe reads `target`, one score for all or (b,). Raises UneError where the step does not raise the score."""
    gain = direction.w @ direction.step
    if gain < 0.99 * direction.std:
        raise UneError(
            f"a {direction.method} step along {direction.attribute} raises its score by {gain / direction.std:.2g} standard deviations, not 1, and "
            "can't be sent to a score; move it by α"
        )
    missing = _column(target, z).flatten() - score(z, direction)
    return (z.double() + (missing / gain)[:, None] * _vector(direction.step, z)).to(z.dtype)


def along_shell(z: torch.Tensor, direction: Direction, alpha: Dose) -> torch.Tensor:
    """As far as `move`, but on the great circle from z towards the step: every z keeps its norm (slerp, Shoemake 1985).

    The shell of a normal d-vector has radius √d; put z there first with `rescaled(z, √d)` where its own norm is not trusted. A
    score changes as in `move` to first order in α; at a quarter of the circle there is no further to go.
    """
    x, step = z.double(), _vector(direction.step, z)
    radius = x.norm(dim=1, keepdim=True)
    tangent = step - (x @ step)[:, None] / radius.square() * x
    length = tangent.norm(dim=1, keepdim=True).clamp_min(
        torch.finfo(torch.float64).tiny
    )  # a z along the step stays
    angle = _column(alpha, z) * length / radius
    return (x * angle.cos() + tangent * (radius / length) * angle.sin()).to(z.dtype)


def rescaled(z: torch.Tensor, norm: float | torch.Tensor) -> torch.Tensor:
    """Every z at a given norm, one for all or (b,): after `move`, that of the latents before it, or √d."""
    return (z.double() * (_column(norm, z) / z.double().norm(dim=1, keepdim=True))).to(z.dtype)


PATHS = {"straight": move, "shell": along_shell, "quantile": to_quantile, "boundary": from_boundary}
"""Name → function of z, a direction and α: how an edit may go."""


def score(z: torch.Tensor, direction: Direction) -> torch.Tensor:
    """(b,) float64: what the direction's probe reads."""
    return z.double() @ _vector(direction.w, z) + direction.b


def _normal_quantiles(train_scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct train scores, ascending, and Φ⁻¹ of the mid-rank share below each; with one more point far out on either side."""
    scores, counts = np.unique(train_scores, return_counts=True)
    if len(scores) < 2:
        raise UneError(
            f"{len(train_scores)} train scores with {len(scores)} distinct values have no quantiles to move between"
        )
    normal = stats.norm.ppf((np.cumsum(counts) - counts / 2) / counts.sum())
    reach = TAIL * np.std(train_scores)
    return np.r_[scores[0] - reach, scores, scores[-1] + reach], np.r_[
        normal[0] - TAIL, normal, normal[-1] + TAIL
    ]


def _vector(values: np.ndarray, z: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(values, dtype=torch.float64, device=z.device)


def _column(dose: Dose, z: torch.Tensor) -> torch.Tensor:
    """(b, 1) float64 of one number or (b,)."""
    return torch.as_tensor(dose, dtype=torch.float64, device=z.device).expand(len(z))[:, None]
