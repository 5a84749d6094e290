"""Through the text tower: classifier-free guidance by the attribute's prompt, whose scale is the dose."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from une_ray.diffusion.guidance import guided
from une_ray.spaces.ddim import Invert
from une_ray.studies.edits.steerings import Lead, Steering


def towards(generator: Invert, prompt: str) -> Lead:
    """Guidance of scale α from the prompt of the inversion: below 0 it leads away from the prompt."""
    g = generator.generator
    prompted = g.denoiser(g.prompt_states([prompt]))

    def lead(noise: torch.Tensor, alpha: torch.Tensor, image_ids: Sequence[str]) -> torch.Tensor:
        scale = alpha.view(-1, 1, 1, 1).to(noise)
        return generator.image(noise, guided(prompted, generator.denoiser, scale))

    return lead


STEERING = Steering(towards=towards)
