"""How often a generator gives back the training picture of a title, by the number of copies it was trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from une_ray.corpora import avatars, duplicates
from une_ray.training.data import TRAINING_SEED, pictures, pixels
from une_ray.training.zoo import BASE_OF_DUP

SEEDS, STEPS, GUIDANCE = 10, 25, 7.5
NEARER = 0.5  # a copy is at most half as far from its training picture as from any other


def curve(name: str, work: Path, seeds: int = SEEDS, others: int = BASE_OF_DUP) -> dict[int, float]:
    """Share of samples that are copies, by dose, beside `others` of the pictures that were trained on once.

    mini-sd-a, which never saw the titles, is the control.
    """
    from une_ray.training.evaluate import generate

    count = len(duplicates.TITLES)
    made = generate(
        name,
        [title for title in duplicates.TITLES for _ in range(seeds)],
        steps=STEPS,
        guidance_scale=GUIDANCE,
    )
    copied = is_copy(made.flatten(1).view(count, seeds, -1), training_pictures(work, others)).float().mean(1)
    doses = torch.tensor([duplicates.copies(i) for i in range(count)])
    return {dose: copied[doses == dose].mean().item() for dose in duplicates.COPIES}


def is_copy(made: torch.Tensor, trained: torch.Tensor) -> torch.Tensor:
    """(n, seeds) bool for samples `made` (n, seeds, d) of the first n of `trained` (m, d): whether the root-mean-square
    distance to the own training picture is at most half of that to the nearest other one."""
    distances = torch.cdist(made.flatten(0, 1), trained).view(*made.shape[:2], -1)
    rows = torch.arange(len(made))
    own = distances[rows, :, rows].clone()
    distances[rows, :, rows] = torch.inf
    return own <= NEARER * distances.min(-1).values


def training_pictures(work: Path, others: int) -> torch.Tensor:
    """(40 + others, 3 · 64 · 64) float32 in [-1, 1]: the titled pictures, then the first others that mini-sd-dup saw."""
    titled = np.stack([pixels(avatars.picture(duplicates.SEED, i)) for i in range(len(duplicates.TITLES))])
    base = pictures(2 * others, TRAINING_SEED, work).half("a").images
    both = torch.from_numpy(np.concatenate([titled, base])).permute(0, 3, 1, 2)
    return both.flatten(1).float().div(127.5).sub(1)
