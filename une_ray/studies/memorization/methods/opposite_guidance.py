"""Jain et al. 2025, "Classifier-Free Guidance inside the Attraction Basin May Cause Memorization" (CVPR):
away from the prompt at first.

Defaults are those of the authors' static command.
"""

from __future__ import annotations

from typing import Annotated

import torch

from une_ray.studies.memorization.methods import SamplingMethod
from une_ray.studies.memorization.methods.delayed_guidance import switched
from une_ray.studies.memorization.sampling import Sampling


def opposite_guidance(
    sampling: Sampling,
    *,
    transition: Annotated[int, "timestep below which guidance is towards the prompt"] = 650,
    before: Annotated[float, "guidance scale until then"] = -2.0,
) -> torch.Tensor:
    """A negative scale until the timestep falls below `transition`, then the sampling's own."""
    return sampling.guided_by(switched(transition, before=before, after=sampling.guidance_scale))


METHOD = SamplingMethod(run=opposite_guidance)
