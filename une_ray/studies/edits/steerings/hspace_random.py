"""*Control:* directions of h-space as long as the prompt's, drawn uniformly, another for every image."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from une_ray.spaces.ddim import Invert
from une_ray.spaces.leak import fresh_noise
from une_ray.studies.edits.steerings import Lead, Steering
from une_ray.studies.edits.steerings.hspace import STEERING as HSPACE
from une_ray.studies.edits.steerings.hspace import led_by, prompt_direction


def towards(generator: Invert, prompt: str) -> Lead:
    """Each image's direction follows from its id alone."""
    direction = prompt_direction(generator, prompt)
    return led_by(generator, lambda image_ids: drawn_as_long(direction, image_ids))


def drawn_as_long(direction: torch.Tensor, image_ids: Sequence[str]) -> torch.Tensor:
    """(b, c, h, w): uniform on the sphere through `direction` (c, h, w)."""
    seeds = (f"hspace-random/{image_id}" for image_id in image_ids)
    noise = torch.stack([torch.from_numpy(fresh_noise(seed, direction.numel())) for seed in seeds])
    unit = noise / noise.norm(dim=1, keepdim=True)
    return direction.norm() * unit.view(-1, *direction.shape).to(direction)


STEERING = Steering(towards=towards, facts=HSPACE.facts)
