"""What the schedule leaves of a picture at the last timestep, in fresh noise as loud as the inverted noise:
√ᾱ_T·x₀ + √(v−ᾱ_T)·ε (Everaert et al. 2024, Lin et al. 2024).

With leading timesteps inversion ends where √ᾱ_T is not 0 (.076 after 50 steps), so a probe may read x₀
itself. This space holds just that trace: what a probe finds in inverted noise counts only as far as it
finds more there than here. v is the mean square of the generator's inverted noise, where that was measured:
it is less than the 1 that the schedule says, and in louder noise less would be found.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from une_ray.diffusion.schedule import timesteps
from une_ray.models.adhoc import train_timesteps
from une_ray.models.spec import ModelSpec
from une_ray.spaces.kind import SpaceKind
from une_ray.spaces.latents import Latents, encoding
from une_ray.spaces.space import Space


class Leak:
    """Pictures → what is left of x₀ at the last timestep of `space`, in fresh noise (b, c·h·w), flattened
    as (c, h, w)."""

    def __init__(self, space: Space, device: str = "cpu") -> None:
        from une_ray.models.generators import load_scheduler  # diffusers takes seconds

        self.latents = Latents(space, device)
        self.shape = self.latents.shape
        alphas_cumprod = load_scheduler(space.model).alphas_cumprod
        self.final_timestep = timesteps(*space.schedule, len(alphas_cumprod))[-1]
        self.alpha = alphas_cumprod[self.final_timestep].item()
        self.variance = space.model.noise_variance
        self.key = noise_key(space.model, *space.schedule)

    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, np.ndarray]:
        x0 = self.latents(pictures, image_ids)["z"]
        noise = np.stack([fresh_noise(f"{self.key}/{image_id}", x0.shape[1]) for image_id in image_ids])
        z = self.alpha**0.5 * x0 + (self.variance - self.alpha) ** 0.5 * noise
        return {"z": z, "final_timestep": np.full(len(image_ids), self.final_timestep, np.int32)}


def fresh_noise(seed: str, dim: int) -> np.ndarray:
    """(dim,) float32 standard normal, by the seed alone: the same in any batch and shard and on any
    machine."""
    digest = hashlib.sha256(seed.encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))
    return generator.standard_normal(dim, np.float32)


def noise_key(model: ModelSpec, steps: int | None, spacing: str | None) -> str:
    """What the noise is seeded from beside the image id. Spaces that shared noise would seem to be maps of
    one another."""
    return f"{model.id}/leak{steps}-{spacing}"


def _facts(space: Space) -> dict[str, Any]:
    (steps, spacing), model = space.schedule, space.model
    library = f"numpy {np.__version__.split('.')[0]} PCG64"
    measured = {} if model.noise_variance == 1 else {"noise_variance": model.noise_variance}
    return measured | {
        "steps": steps,
        "spacing": spacing,
        "dtype": "float32",
        "final_timestep": timesteps(steps, spacing, train_timesteps(model))[-1],
        "noise": f"{library}, seed sha256({noise_key(model, steps, spacing)}/IMAGE_ID)",
    }


KIND = SpaceKind(
    method="signal-leak",
    load=Leak,
    facts=_facts,
    gflops=encoding,
    dim=lambda space: space.model.dim,
    role="control",
    scheduled=True,
)
