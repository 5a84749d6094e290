"""Noise that knows nothing of the picture: what any probe must beat."""

from __future__ import annotations

import hashlib

import numpy as np

from une_ray.spaces.kind import SpaceKind
from une_ray.spaces.space import Space


class Chance:
    """Image ids → 8 standard normal numbers, by the id alone."""

    shape: tuple[int, ...] | None = None

    def __init__(self, space: Space, device: str = "cpu") -> None:
        self.name = space.name

    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, np.ndarray]:
        seeds = [int(hashlib.sha256(image_id.encode()).hexdigest()[:15], 16) for image_id in image_ids]
        return {"z": np.stack([np.random.default_rng(seed).standard_normal(8, np.float32) for seed in seeds])}


KIND = SpaceKind(
    method="chance",
    load=Chance,
    gflops=lambda space: 0.0,
    dim=lambda space: 8,
    role="control",
    reads=("encoder",),
)
