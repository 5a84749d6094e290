"""Through the middle block: the prompt's direction in h-space is added at every step, times the dose (Kwon et
al. 2023; Zeng, Chen & Wong 2024)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from une_ray.models.hspace import middle_block
from une_ray.spaces.ddim import Invert
from une_ray.spaces.drawing import STEPS, drawing_of, mean_middle_block
from une_ray.spaces.names import SEEDS
from une_ray.studies.edits.steerings import Lead, Steering


def prompt_direction(generator: Invert, prompt: str) -> torch.Tensor:
    """(c, h, w) float32: the middle block's mean output under `prompt` less that under the prompt of the
    inversion, every place apart, over the seeds and steps of `MODEL/hspace-flat`."""
    g = generator.generator
    states = g.prompt_states([prompt, generator.space.model.prompt])
    drawing = drawing_of(generator.space.model, generator.space.schedule[1])
    noise = drawing.noise(SEEDS, g.latent_shape, g.device)
    told, untold = (
        mean_middle_block(g, state.expand(SEEDS, -1, -1), noise, drawing).mean(0) for state in states
    )
    return told - untold


def led_by(generator: Invert, directions: Callable[[Sequence[str]], torch.Tensor]) -> Lead:
    """What adds α · `directions(image_ids)` (b or 1, c, h, w) to the middle block's output at every step."""

    def lead(noise: torch.Tensor, alpha: torch.Tensor, image_ids: Sequence[str]) -> torch.Tensor:
        shift = alpha.view(-1, 1, 1, 1).to(noise) * directions(image_ids)
        with middle_block(generator.generator.unet, lambda h: h + shift.to(h)):
            return generator.image(noise)

    return lead


def towards(generator: Invert, prompt: str) -> Lead:
    """At α = 1 the middle block is moved as far as the prompt itself moves it on average."""
    direction = prompt_direction(generator, prompt)[None]
    return led_by(generator, lambda image_ids: direction)


# The steps are DDIM's; those of a consistency model its own scheduler decides.
STEERING = Steering(towards=towards, facts={"seeds": SEEDS, "steps": STEPS})
