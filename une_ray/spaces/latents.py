"""Autoencoder latents: what a generator's first stage sees of a picture, before any noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from une_ray.spaces.kind import SpaceKind
from une_ray.spaces.space import Space, pixels


class Latents:
    """Pictures → x₀ (b, c·h·w), the posterior's mode × scaling factor, flattened as (c, h, w). The U-Net
    is not loaded."""

    def __init__(self, space: Space, device: str = "cpu") -> None:
        from une_ray.models.generators import load_autoencoder  # diffusers takes seconds

        self.autoencoder = load_autoencoder(space.model, device)
        self.preprocessing, self.device = space.model.preprocessing, device
        side = self.preprocessing.size // self.autoencoder.factor
        self.shape: tuple[int, ...] | None = (self.autoencoder.vae.config.latent_channels, side, side)

    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, np.ndarray]:
        latents = self.autoencoder.encode(pixels(pictures, self.preprocessing, self.device))
        return {"z": latents.flatten(1).cpu().numpy()}


def _facts(space: Space) -> dict[str, Any]:
    return {"dtype": "float32"}


def encoding(space: Space) -> float | None:
    """GFLOPs of a picture's encoding: the autoencoder's alone."""
    parts = space.model.parts
    return None if parts is None else parts.encoder


KIND = SpaceKind(
    method="autoencoder-latents",
    load=Latents,
    facts=_facts,
    gflops=encoding,
    dim=lambda space: space.model.dim,
    role="control",
)
