"""Wen et al. 2024, "Detecting, Explaining, and Mitigating Memorization in Diffusion Models" (ICLR): their
detector, for any number of steps."""

from __future__ import annotations

import torch

from une_ray.studies.memorization.trace import Trace


def noise_norm(trace: Trace, steps: int | None = None) -> torch.Tensor:
    """(b,): ‖ε̂(x_t, prompt) − ε̂(x_t, "")‖₂, averaged over the first `steps` of the sampling, or all of
    them."""
    return trace.differences[:steps].flatten(2).norm(dim=2).mean(0)
