"""How often a generator gives back a title's training picture, by the number of copies it was trained on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from une_ray.corpora import avatars, duplicates
from une_ray.geometry.intervals import share_interval
from une_ray.pictures.tensors import from_uint8
from une_ray.studies.memorization.copy_metric import calibration
from une_ray.studies.memorization.copy_metrics.tiles import TILED
from une_ray.training.data import pixels
from une_ray.training.sampling import generate

SEEDS, STEPS, GUIDANCE = 10, 25, 7.5


class Share(NamedTuple):
    """With an exact 95 % interval over titles."""

    value: float
    low: float
    high: float


def curve(name: str, seeds: int = SEEDS) -> dict[int, Share]:
    """Share of samples that are copies, by dose. The control is mini-sd-a, which never saw the titles."""
    count = len(duplicates.TITLES)
    titles = [title for title in duplicates.TITLES for _ in range(seeds)]
    samples = generate(name, titles, steps=STEPS, guidance_scale=GUIDANCE)
    copies = is_copy(samples.view(count, seeds, *samples.shape[1:]), training_pictures()).sum(1).numpy()
    doses = np.array([duplicates.copies(i) for i in range(count)])
    return {dose: share(copies[doses == dose], seeds) for dose in duplicates.COPIES}


def share(copies: np.ndarray, seeds: int) -> Share:
    """Of titles' numbers of copies (titles,) among so many samples each."""
    return Share(float(copies.mean()) / seeds, *share_interval(copies, np.full(len(copies), seeds)))


def is_copy(samples: torch.Tensor, trained: torch.Tensor) -> torch.Tensor:
    """(n, seeds) bool for `samples` (n, seeds, 3, h, w) of the `trained` pictures (n, 3, h, w): by the
    criterion of `une memorization`."""
    return TILED.compare(samples, trained[:, None]) >= calibration().threshold


def training_pictures() -> torch.Tensor:
    """(40, 3, 64, 64) float32 in [-1, 1] of the titles."""
    titled = [pixels(avatars.picture(duplicates.SEED, i)) for i in range(len(duplicates.TITLES))]
    return from_uint8(np.stack(titled))
