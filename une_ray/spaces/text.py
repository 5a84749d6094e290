"""Captions through the text tower of an image–text model, into the space that its pictures live in."""

from __future__ import annotations

import numpy as np
import torch

from une_ray.spaces.kind import SpaceKind
from une_ray.spaces.space import Space


class ReadText:
    """Captions → embeddings of `space.model`'s text tower, not unit-normalised, as those of its pictures;
    cut off where the model's own tokenizer does."""

    shape: tuple[int, ...] | None = None

    def __init__(self, space: Space, device: str = "cpu") -> None:
        from une_ray.models.contrastive import load_text_tower  # transformers takes seconds

        self.tower = load_text_tower(space.model, device)

    @torch.no_grad()
    def __call__(self, captions: list[str], image_ids: list[str]) -> dict[str, np.ndarray]:
        lengths = np.array(self.tower.lengths(captions))
        embeddings = self.tower.embed(captions).float().cpu().numpy()
        return {"z": embeddings, "truncated": lengths > self.tower.limit}


def _dim(space: Space) -> int | None:
    """That of the model's pictures, which texts share a space with."""
    return space.model.dim


KIND = SpaceKind(
    method="text-embedding",
    load=ReadText,
    gflops=lambda space: space.model.text_gflops,
    dim=_dim,
    reads=("text tower",),
    modality="captions",
)
