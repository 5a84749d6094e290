"""ε̂ of a generator, differentiable in the state and in the prompt."""

from __future__ import annotations

from typing import Any

import torch

from une_ray.diffusion.ddim import predict
from une_ray.models.generators import Generator


def noise_difference(
    generator: Generator, x: torch.Tensor, timestep: int, states: torch.Tensor, empty: torch.Tensor
) -> torch.Tensor:
    """ε̂(x, prompt) − ε̂(x, "") (b, c, h, w) float32, for states (b, 77, d) and the empty prompt's (1 or b,
    77, d)."""
    return _noise(generator, x, timestep, states) - _noise(generator, x, timestep, empty.expand_as(states))


def _noise(generator: Generator, x: torch.Tensor, timestep: int, states: torch.Tensor) -> torch.Tensor:
    unet: Any = generator.unet  # diffusers declares no types of its own
    output = unet(x.to(unet.dtype), timestep, encoder_hidden_states=states.to(unet.dtype), return_dict=False)
    alpha = generator.alphas_cumprod[timestep]
    return predict(output[0].float(), x.float(), alpha, generator.prediction_type)[1]
