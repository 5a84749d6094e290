"""How often a generator gives back a title's training picture, by the number of copies it was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from une_ray.corpora import avatars, duplicates
from une_ray.pictures.tensors import from_uint8
from une_ray.training.data import TRAINING_SEED, pictures, pixels
from une_ray.training.sampling import generate
from une_ray.training.zoo import BASE_OF_DUP

SEEDS, STEPS, GUIDANCE = 10, 25, 7.5
NEARER = 0.5  # a copy is at most half as far from its training picture as from any other


def curve(name: str, folder: Path, seeds: int = SEEDS, others: int = BASE_OF_DUP) -> dict[int, float]:
    """Share of samples that are copies, by dose, beside `others` of the pictures that were trained on once.

    `folder` is the workspace's, where rendered pictures are kept. The control is mini-sd-a, which never saw
    the titles.
    """
    count = len(duplicates.TITLES)
    titles = [title for title in duplicates.TITLES for _ in range(seeds)]
    samples = generate(name, titles, steps=STEPS, guidance_scale=GUIDANCE).flatten(1).view(count, seeds, -1)
    shares = is_copy(samples, training_pictures(folder, others)).float().mean(1)
    doses = torch.tensor([duplicates.copies(i) for i in range(count)])
    return {dose: shares[doses == dose].mean().item() for dose in duplicates.COPIES}


def is_copy(samples: torch.Tensor, trained: torch.Tensor) -> torch.Tensor:
    """(n, seeds) bool for `samples` (n, seeds, d) of the first n of the `trained` pictures (m, d).

    A copy's root-mean-square distance to its own training picture is at most half of that to the nearest
    other.
    """
    distances = torch.cdist(samples.flatten(0, 1), trained).view(*samples.shape[:2], -1)
    rows = torch.arange(len(samples))
    own = distances[rows, :, rows].clone()
    distances[rows, :, rows] = torch.inf
    return own <= NEARER * distances.min(-1).values


def training_pictures(folder: Path, others: int) -> torch.Tensor:
    """(40 + others, 3 · 64 · 64) float32 in [-1, 1]: titled pictures, then the first others it saw."""
    titled = np.stack([pixels(avatars.picture(duplicates.SEED, i)) for i in range(len(duplicates.TITLES))])
    base = pictures(2 * others, TRAINING_SEED, folder).half("a").images
    return from_uint8(np.concatenate([titled, base])).flatten(1)
