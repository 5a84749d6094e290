"""Jeon et al. 2025, "Understanding and Mitigating Memorization in Generative Models via Sharpness of
Probability Landscapes" (ICML)."""

from __future__ import annotations

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from une_ray.models.generators import Generator
from une_ray.studies.memorization.detectors import Detector
from une_ray.studies.memorization.noise import noise_difference
from une_ray.studies.memorization.trace import Trace


@torch.no_grad()
def sharpness(generator: Generator, states: torch.Tensor, x_T: torch.Tensor, timestep: int) -> torch.Tensor:
    """(b,): ‖H s‖₂ at the first step, where s = s(x_T | prompt) − s(x_T) and H is its Jacobian, the
    difference of two Hessians.

    `states` (b, 77, d) are the prompts', `x_T` (b, c, h, w) the noise, `timestep` the sampling's first. A
    score is −ε̂ / √(1−ᾱ). The product is exact, by forward differentiation through the network: two calls'
    worth and their tangents.
    """
    empty = generator.prompt_states([""])
    deviation = (1 - generator.alphas_cumprod[timestep]).sqrt()

    def score_difference(x: torch.Tensor) -> torch.Tensor:
        return -noise_difference(generator, x, timestep, states, empty) / deviation

    with sdpa_kernel(SDPBackend.MATH):  # fused attention has no forward derivative
        product = torch.func.jvp(score_difference, (x_T.float(),), (score_difference(x_T.float()),))[1]
    return product.flatten(1).norm(dim=1)


def sail(trace: Trace) -> torch.Tensor:
    """(b,): `sharpness` of what was watched."""
    return sharpness(trace.generator, trace.states, trace.x_T, trace.timesteps[0])


DETECTOR: Detector = sail
