"""The norm of the guidance at the last step."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.trace import Trace


def DETECTOR(trace: Trace) -> torch.Tensor:
    """(b,): ‖ε̂(x, prompt) − ε̂(x, "")‖₂ of the last step."""
    return trace.differences[-1].flatten(1).norm(dim=1)
