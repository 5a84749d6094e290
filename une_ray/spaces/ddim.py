"""Inverted noise: DDIM upwards from the autoencoder's mode, empty prompt, S − 1 network calls (paper 1,
NoiseZoo)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from une_ray.diffusion.ddim import Denoiser, invert, sample
from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.models.compiled import Compiled
from une_ray.spaces.kind import WATCHED, SpaceKind
from une_ray.spaces.space import Space, pixels

# The share of images that are also sampled back, to watch the inversion; costs as much more time.
ROUND_TRIPS = 1 / 32


class Invert:
    """Pictures → inverted noise (b, c·h·w), flattened as (c, h, w); PSNR of the way back for one image in
    32."""

    def __init__(self, space: Space, device: str = "cpu") -> None:
        from une_ray.models.generators import load_generator  # diffusers takes seconds

        self.space, self.generator = space, load_generator(space.model, device)
        self.shape: tuple[int, ...] | None = self.generator.latent_shape
        self.preprocessing, self.device = space.model.preprocessing, device
        self.batch_size = space.model.batch_size
        self.timesteps = nodes(timesteps(*space.schedule, len(self.generator.alphas_cumprod)))
        expected = self.generator.latent_shape[-1] * self.generator.factor
        if expected != self.preprocessing.size:
            raise UneError(
                f"{space.model.id} makes pictures of {expected} px, but its row in the table of models says "
                f"{self.preprocessing.size}"
            )
        self.states = self.generator.prompt_states([space.model.prompt])
        self.denoiser = self.upwards = self.generator.denoiser(self.states)

    def compile(self, mode: str) -> None:
        """Of the way up alone: what is looked back at is a few images a shard, less than a batch."""
        unet = torch.compile(self.generator.unet, mode=mode, dynamic=False)
        denoiser = self.generator.denoiser(self.states, unet)
        self.upwards = Compiled(denoiser, self.batch_size, self.space.model.dtype, self.space.name)
        x = torch.zeros((1, *self.generator.latent_shape), device=self.generator.device)
        self.upwards.compile(x, self.timesteps[0])

    def noise(self, x: torch.Tensor) -> torch.Tensor:
        """Inverted noise (b, c, h, w) of normalised pixels (b, 3, H, W)."""
        g = self.generator
        return invert(self.upwards, g.encode(x), self.timesteps, g.alphas_cumprod, g.prediction_type)

    def image(self, noise: torch.Tensor, denoiser: Denoiser | None = None) -> torch.Tensor:
        """Pixels (b, 3, H, W) in [-1, 1] that the noise leads back to, under the inversion's denoiser or
        another."""
        g = self.generator
        return g.decode(
            sample(denoiser or self.denoiser, noise, self.timesteps, g.alphas_cumprod, g.prediction_type)
        )

    @torch.no_grad()
    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, Any]:
        x = pixels(pictures, self.preprocessing, self.device)
        noise = self.noise(x)
        watched = [
            (i, (noise[i], x[i]))
            for i, image_id in enumerate(image_ids)
            if sampled_back(image_id, ROUND_TRIPS)
        ]
        last = np.full(len(image_ids), self.timesteps[-1], np.int32)
        return {"z": noise.flatten(1).cpu().numpy(), "final_timestep": last, WATCHED: watched}

    @torch.no_grad()
    def look_back(self, watched: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> dict[str, np.ndarray]:
        """How near (noise (c, h, w), pixels (3, H, W)) come to their pictures again, a batch at a time."""
        parts = []
        for start in range(0, len(watched), self.batch_size):
            noise, x = (torch.stack(part) for part in zip(*watched[start : start + self.batch_size]))
            parts.append(psnr(self.image(noise), x).cpu().numpy())
        return {"round_trip_psnr": np.concatenate(parts)}


def nodes(steps: list[int]) -> list[int]:
    """The timesteps to walk. Leading ones begin at 1, where a clean latent is as good as at home (paper 1
    takes it so); trailing ones begin at 19 of 999 or later, where it is not, and get a first step from 0."""
    return steps if steps[0] <= 1 else [0, *steps]


def psnr(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(b,) peak signal-to-noise ratio in dB of pictures in [-1, 1]."""
    return 10 * torch.log10(4 / (a.float() - b.float()).square().flatten(1).mean(1).clamp_min(1e-12))


def sampled_back(image_id: str, share: float) -> bool:
    """Whether an image is in a sample of the given share, by its id alone."""
    return (
        int.from_bytes(hashlib.sha256(f"round-trip/{image_id}".encode()).digest()[:8], "big") < share * 2**64
    )


def _facts(space: Space) -> dict[str, Any]:
    return {
        "steps": space.steps,
        "spacing": space.spacing,
        "prompt": space.model.prompt,
        "guidance_scale": 1.0,
    }


def _gflops(space: Space) -> float | None:
    """An encoding and the calls up; for one image in 32 as many down, and a decoding."""
    model = space.model
    if model.gflops is None or model.parts is None:
        return None
    calls = (len(nodes(timesteps(*space.schedule))) - 1) * model.gflops
    return model.parts.encoder + calls + ROUND_TRIPS * (calls + model.parts.decoder)


KIND = SpaceKind(
    method="ddim-inversion",
    load=Invert,
    facts=_facts,
    gflops=_gflops,
    dim=lambda space: space.model.dim,
    scheduled=True,
    denoises=True,
    compiles=True,
    decodes=True,
)
