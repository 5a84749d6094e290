"""How pictures are drawn of prompts while the middle block is watched: over a few DDIM timesteps, or over a
latent consistency model's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from une_ray.diffusion.consistency import consistency_sample, consistency_timesteps
from une_ray.diffusion.ddim import sample
from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.models.adhoc import train_timesteps
from une_ray.models.configuration import read_json
from une_ray.models.spec import ModelSpec
from une_ray.spaces.leak import fresh_noise

if TYPE_CHECKING:
    from une_ray.models.generators import Generator
    from une_ray.spaces.space import Space

STEPS, CONSISTENCY_STEPS = 8, 4
SEED, AGAIN = "hspace/seed {}", "hspace/seed {}/step {}"
UNREAD = ("TCDScheduler",)  # few-step schedulers that no walk here follows


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Ascending `timesteps`; with a `scaling` they are those of a latent consistency model, whose guesses of
    x₀ are noised again."""

    timesteps: tuple[int, ...]
    scaling: float | None = None

    def noise(self, seeds: int, shape: Sequence[int], device: str | torch.device = "cpu") -> torch.Tensor:
        """(seeds, noises, *shape) float32: one noise per seed, or of a consistency model one per step."""
        places = range(1 if self.scaling is None else len(self.timesteps))
        return torch.stack([noise_of(seeds, shape, device, place) for place in places], 1)


def drawing_of(model: ModelSpec, spacing: str) -> Drawing:
    """As the model's own scheduler has it: eight steps of DDIM, or four of a latent consistency model.

    Raises UneError for another few-step scheduler, whose model DDIM would draw badly.
    """
    scheduler, last = read_json(model, "scheduler/scheduler_config.json"), train_timesteps(model)
    name = scheduler.get("_class_name", "DDIMScheduler")
    if name in UNREAD:
        raise UneError(
            f"{model.source}: its few-step scheduler is a {name}; h-space of prompts is drawn by DDIM or by"
            " an LCMScheduler"
        )
    if name == "LCMScheduler":
        distilled = scheduler.get("original_inference_steps", 50)
        found = consistency_timesteps(CONSISTENCY_STEPS, distilled, last)
        return Drawing(timesteps=tuple(found), scaling=scheduler.get("timestep_scaling", 10.0))
    return Drawing(timesteps=tuple(timesteps(STEPS, spacing, last)))


def noise_of(
    seeds: int, shape: Sequence[int], device: str | torch.device = "cpu", place: int = 0
) -> torch.Tensor:
    """(seeds, *shape) float32: what every prompt's picture of a seed begins with, or is noised again with
    before step `place`."""
    keys = (AGAIN.format(seed, place) if place else SEED.format(seed) for seed in range(seeds))
    noise = [fresh_noise(key, int(np.prod(shape))) for key in keys]
    return torch.from_numpy(np.stack(noise)).view(-1, *shape).to(device)


def width(space: Space) -> int | None:
    """How long a latent of the middle block is: its channels, or all its places where the space is flat; None
    where the model's row does not say."""
    if space.model.parts is None:
        return None
    middle = space.model.parts.middle
    return int(np.prod(middle)) if space.flat else middle[0]


@torch.no_grad()
def mean_middle_block(
    generator: Generator, states: torch.Tensor, noise: torch.Tensor, drawing: Drawing
) -> torch.Tensor:
    """(b, c, h, w) float32: the middle block's output while pictures are drawn from noise (b, noises, …)
    under `states` (b, 77, width), a mean over the timesteps. The last step ends at the middle block."""
    from une_ray.models.hspace import middle_outputs

    denoiser, kind = generator.denoiser(states), generator.prediction_type
    nodes, alphas = drawing.timesteps, generator.alphas_cumprod

    def walk() -> None:
        if drawing.scaling is None:
            sample(denoiser, noise[:, 0], nodes, alphas, kind, clean=True)
        else:
            consistency_sample(denoiser, noise, nodes, alphas, kind, drawing.scaling)

    return torch.stack(middle_outputs(generator.unet, walk, len(nodes))).mean(0)
