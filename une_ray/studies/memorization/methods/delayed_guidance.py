"""Jain et al. 2025, "Classifier-Free Guidance inside the Attraction Basin May Cause Memorization" (CVPR): no
guidance at first.

The transition point is the static one; their dynamic one is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import torch

from une_ray.studies.memorization.methods import SamplingMethod
from une_ray.studies.memorization.sampling import Sampling


def delayed_guidance(
    sampling: Sampling, *, transition: Annotated[int, "timestep below which guidance begins"] = 500
) -> torch.Tensor:
    """Scale 0, the network without a prompt, until the timestep falls below `transition`."""
    return sampling.guided_by(switched(transition, before=0.0, after=sampling.guidance_scale))


def switched(transition: int, *, before: float, after: float) -> Callable[[int], float]:
    """The guidance scale as a function of the timestep: `before` until it falls below `transition`, then
    `after`."""
    return lambda timestep: after if timestep < transition else before


METHOD = SamplingMethod(run=delayed_guidance)
