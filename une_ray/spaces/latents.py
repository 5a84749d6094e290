"""Autoencoder latents: what a generator's first stage sees of a picture, before any noise."""

from __future__ import annotations

import numpy as np

from une_ray.models.generators import load_autoencoder
from une_ray.spaces.space import Space, pixels


class Latents:
    """Pictures → x₀ (b, c·h·w), the posterior's mode × scaling factor, flattened as (c, h, w). The U-Net is not loaded."""

    def __init__(self, space: Space, device: str = "cpu") -> None:
        self.autoencoder = load_autoencoder(space.model, device)
        self.preprocessing, self.device = space.model.preprocessing, device
        side = self.preprocessing.size // self.autoencoder.factor
        self.shape = (self.autoencoder.vae.config.latent_channels, side, side)

    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, np.ndarray]:
        return {
            "z": self.autoencoder.encode(pixels(pictures, self.preprocessing, self.device))
            .flatten(1)
            .cpu()
            .numpy()
        }
