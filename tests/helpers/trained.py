"""Trainings that take no time: pictures of a moved square, and a scale of a few steps."""

from __future__ import annotations

import numpy as np

from une_ray.studies.disentanglement.training.pictures import Pictures
from une_ray.studies.disentanglement.training.scales import Scale

SCALE = Scale(
    about="seconds",
    size=8,
    layers=((4, 2, 2), (4, 2, 2)),
    vae_steps=12,
    learning_rate=1e-3,
    pictures=64,
    rows=300,
    fast=True,
    latents=4,
    batch_size=8,
    critic_steps=1,
    discriminator=(8, 1),
)


def squares(channels: int = 1) -> Pictures:
    """A square of 3 pixels at each of 6 × 6 places."""
    places = np.array([(row, column) for row in range(6) for column in range(6)])
    images = np.zeros((36, channels, 8, 8), np.uint8)
    for image, (row, column) in zip(images, places):
        image[:, row : row + 3, column : column + 3] = 255
    return Pictures(images=images, factors=places, names=("row", "column"))
