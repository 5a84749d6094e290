"""What is measured of a block's pictures: copies, alignment with the prompt, diversity over seeds, distance
to real pictures.

Pictures are (n, 3, h, w) in [-1, 1], those of a prompt's seeds beside each other. Each measure gives a dict
of columns per picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image

from une_ray.corpora import avatars
from une_ray.geometry.mahalanobis import Mahalanobis
from une_ray.models.contrastive import Contrastive, load_contrastive
from une_ray.models.spec import ModelSpec, Preprocessing
from une_ray.pictures.decode import decode, fit
from une_ray.pictures.tensors import from_bytes, to_image
from une_ray.spaces.kind import Step
from une_ray.spaces.space import Space, pixels
from une_ray.studies.memorization.copy_metric import calibration
from une_ray.studies.memorization.copy_metrics import CopyMetric
from une_ray.studies.memorization.copy_metrics.tiles import TILED
from une_ray.studies.memorization.prompts import Prompt

REAL_SEED, REAL_PICTURES = 5, 1000  # avatars of a seed that no model and no prompt is of


def copies(
    prompts: Sequence[Prompt], descriptors: torch.Tensor, size: int, metric: CopyMetric = TILED
) -> list[dict[str, Any]]:
    """Similarity to the picture that belongs to the prompt, and whether that makes a copy; None where none is
    known.

    `descriptors` are the metric's of the pictures, which are `size` pixels wide.
    """
    threshold = calibration(metric).threshold
    rows = []
    for prompt, group in zip(prompts, descriptors.unflatten(0, (len(prompts), -1))):
        data = prompt.picture(size)
        values = [None] * len(group)
        if data is not None:
            values = metric.compare(group, metric.describe(from_bytes(data)[None])).tolist()
        for value in values:
            is_copy = None if value is None else value >= threshold
            rows.append({"similarity": value, "is_copy": is_copy, "threshold": threshold})
    return rows


def diversities(
    descriptors: torch.Tensor, seeds: int, metric: CopyMetric = TILED
) -> list[dict[str, float | None]]:
    """1 less each picture's mean similarity to those of its prompt's other seeds, of the metric's
    descriptors; None of a single one."""
    if seeds == 1:
        return [{"diversity": None}] * len(descriptors)
    groups = descriptors.unflatten(0, (-1, seeds))
    pairs = torch.stack([metric.compare(group[:, None], group) for group in groups])
    others = (pairs.sum(2) - 1) / (seeds - 1)  # a picture is similar to itself by 1
    return [{"diversity": value} for value in (1 - others).flatten().tolist()]


@dataclass(frozen=True)
class Alignment:
    """The cosine of prompt and picture in the eyes of a model that the generator never saw."""

    spec: ModelSpec
    judge: Contrastive
    device: str

    @classmethod
    def load(cls, spec: ModelSpec, device: str) -> Alignment:
        return cls(spec, load_contrastive(spec, device), device)

    def __call__(self, prompts: Sequence[Prompt], pictures: torch.Tensor) -> list[dict[str, float]]:
        preprocessing = self.spec.preprocessing
        shown = pixels(_fitted(map(to_image, pictures), preprocessing), preprocessing, self.device)
        texts = self.judge.texts([prompt.text for prompt in prompts])
        repeated = texts.repeat_interleave(len(pictures) // len(prompts), 0)
        return [{"alignment": value} for value in (self.judge.images(shown) * repeated).sum(1).tolist()]


@dataclass(frozen=True)
class Realness:
    """Distance to a thousand real avatars in an encoder's space, mini-dino's, which grows with blur, noise
    and what does not fit together.

    A value of each picture, unlike a Fréchet distance, so that a mean over prompts has its interval. For
    scale: avatars that were not fitted are at 1.67 ± .03 in mini-dino's space, blurred over 7 × 7 pixels at
    1.90, two laid over each other at 2.30.
    """

    step: Step
    preprocessing: Preprocessing
    distance: Mahalanobis

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls, encoder: str, device: str) -> Realness:
        space, _ = Space.parse(encoder).pinned()
        step, preprocessing = space.load(device), space.model.preprocessing
        real = (decode(avatars.picture(REAL_SEED, index)) for index in range(REAL_PICTURES))
        return cls(step, preprocessing, Mahalanobis(_embedded(step, _fitted(real, preprocessing))))

    def __call__(self, prompts: Sequence[Prompt], pictures: torch.Tensor) -> list[dict[str, float | None]]:
        """None for given prompts: of what they ask for no real pictures are known."""
        embedded = _embedded(self.step, _fitted(map(to_image, pictures), self.preprocessing))
        of_pictures = [prompt for prompt in prompts for _ in range(len(pictures) // len(prompts))]
        return [
            {"distance_to_real": None if prompt.kind == "given" else value}
            for prompt, value in zip(of_pictures, self.distance(embedded).tolist(), strict=True)
        ]


def _fitted(images: Iterable[Image.Image], preprocessing: Preprocessing) -> np.ndarray:
    return np.stack([fit(image, preprocessing) for image in images])


def _embedded(step: Step, shown: np.ndarray, batch: int = 100) -> np.ndarray:
    parts = [shown[begin : begin + batch] for begin in range(0, len(shown), batch)]
    return np.concatenate([step(part, [""] * len(part))["z"] for part in parts])
