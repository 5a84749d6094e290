"""Chen et al. 2025, "Exploring Local Memorization in Diffusion Models via Bright Ending Attention" (ICLR):
their LD.

Theirs reads Stable Diffusion's two 64 × 64 layers; here those of the finest resolution on the way down,
whatever the model.
"""

from __future__ import annotations

import torch
from torch.nn.functional import interpolate

from une_ray.studies.memorization.detectors import Detector
from une_ray.studies.memorization.trace import Trace


def bright_ending(trace: Trace) -> torch.Tensor:
    """(b,): Wen's norm where the last step looks at eot: mean over steps of ‖(ε̂(x_t, prompt) − ε̂(x_t, ""))
    ∘ m‖₂, over the mean of m."""
    mask = interpolate(
        trace.eot_map[:, None], trace.differences.shape[-2:], mode="bilinear", align_corners=False
    )
    return (trace.differences * mask).flatten(2).norm(dim=2).mean(0) / mask.flatten(1).mean(1)


DETECTOR: Detector = bright_ending
