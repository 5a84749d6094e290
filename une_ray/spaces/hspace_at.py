"""h-space of pictures: noised to timestep T by the item's id, the middle block of one U-Net call.

`MODEL/hspace@500`; `-flat` keeps every place of the middle block instead of their mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from une_ray.errors import UneError
from une_ray.models.adhoc import train_timesteps
from une_ray.spaces.drawing import width
from une_ray.spaces.kind import SpaceKind
from une_ray.spaces.leak import fresh_noise
from une_ray.spaces.space import Space, pixels


class ReadPictures:
    """Pictures → the middle block's output (b, c) or (b, c·h·w) at √ᾱ_T·x₀ + √(1−ᾱ_T)·ε, under the model's
    prompt (the empty one)."""

    def __init__(self, space: Space, device: str = "cpu") -> None:
        from une_ray.models.generators import load_generator  # diffusers takes seconds

        assert space.timestep is not None, "a kind of one timestep is given it"
        self.generator, self.flat = load_generator(space.model, device), space.flat
        self.preprocessing, self.device, self.timestep = space.model.preprocessing, device, space.timestep
        self.alpha = self.generator.alphas_cumprod[self.timestep]
        self.states = self.generator.prompt_states([space.model.prompt])
        self.key = noise_key(space)
        self.shape: tuple[int, ...] | None = None

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, np.ndarray]:
        from une_ray.models.hspace import middle_of, pooled

        x0 = self.generator.encode(pixels(pictures, self.preprocessing, self.device))
        drawn = [fresh_noise(f"{self.key}/{image_id}", x0[0].numel()) for image_id in image_ids]
        noise = torch.from_numpy(np.stack(drawn)).view(x0.shape).to(x0)
        x = self.alpha.sqrt() * x0 + (1 - self.alpha).sqrt() * noise
        h = middle_of(self.generator.unet, x, self.timestep, self.states.expand(len(x), -1, -1))
        final = np.full(len(image_ids), self.timestep, np.int32)
        return {"z": pooled(h, self.flat).cpu().numpy(), "final_timestep": final}


def noise_key(space: Space) -> str:
    """What the noise is seeded from beside the image id."""
    return f"{space.model.id}/hspace@{space.timestep}"


def _facts(space: Space) -> dict[str, Any]:
    from une_ray.models.hspace import refuse_without_middle_block

    refuse_without_middle_block(space.model)
    last = train_timesteps(space.model) - 1
    if space.timestep is None or space.timestep > last:
        raise UneError(f"{space.name}: timesteps of {space.model.id} go from 0 to {last}")
    library = f"numpy {np.__version__.split('.')[0]} PCG64"
    return {
        "timestep": space.timestep,
        "flat": space.flat,
        "prompt": space.model.prompt,
        "noise": f"{library}, seed sha256({noise_key(space)}/IMAGE_ID)",
    }


def _gflops(space: Space) -> float | None:
    """An encoding, and one call that ends at the middle block."""
    parts = space.model.parts
    return None if parts is None else parts.encoder + parts.to_middle


KIND = SpaceKind(
    method="middle-block-of-pictures",
    load=ReadPictures,
    facts=_facts,
    gflops=_gflops,
    dim=width,
    denoises=True,
    timed=True,
    has_places=True,
)
