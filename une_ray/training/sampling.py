"""Pictures that a generator of the zoo makes of captions, and held-out pictures as it takes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from une_ray.diffusion.ddim import sample
from une_ray.diffusion.guidance import guided
from une_ray.diffusion.schedule import timesteps
from une_ray.models.generators import load_generator
from une_ray.models.table import find_model
from une_ray.spaces.space import Space, pixels
from une_ray.training.data import Pictures

BATCH = 50


def normalised(pictures: Pictures, rows: slice | np.ndarray) -> torch.Tensor:
    """(n, 3, 64, 64) float32 in [-1, 1]: some of the pictures, as every model of the zoo takes them."""
    return pixels(np.array(pictures.images[rows]), find_model("mini-sd-a").preprocessing, "cpu")


def generate(
    name: str, captions: Sequence[str], steps: int = 50, guidance_scale: float = 3.0, seed: int = 0
) -> torch.Tensor:
    """(n, 3, 64, 64) in [-1, 1]: what the generator `name` makes of n captions by guided DDIM sampling."""
    space = Space.parse(f"{name}/ddim{steps}")
    assert space.spacing is not None, "a scheduled kind is given its schedule"
    generator = load_generator(space.model)
    states = generator.prompt_states(list(captions))
    unconditional = generator.denoiser(generator.prompt_states([""]))
    noise = torch.randn(len(captions), *generator.latent_shape, generator=torch.Generator().manual_seed(seed))
    nodes = timesteps(steps, space.spacing)
    batches = []
    for x_T, text in zip(noise.split(BATCH), states.split(BATCH), strict=True):
        denoiser = guided(generator.denoiser(text), unconditional, guidance_scale)
        latents = sample(
            denoiser, x_T, nodes, generator.alphas_cumprod, generator.prediction_type, clean=True
        )
        batches.append(generator.decode(latents))
    return torch.cat(batches)
