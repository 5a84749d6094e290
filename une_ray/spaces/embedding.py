"""Embedding: one forward pass of a vision encoder."""

from __future__ import annotations

import numpy as np

from une_ray.models.compiled import Compiled
from une_ray.spaces.kind import SpaceKind
from une_ray.spaces.space import Space, pixels


class Embed:
    """Pictures → embeddings of `space.model`, not unit-normalised (paper 1 stores them so)."""

    shape: tuple[int, ...] | None = None

    def __init__(self, space: Space, device: str = "cpu") -> None:
        self.space, self.model, self.device = space, space.model, device
        from une_ray.models.encoders import load_encoder  # transformers takes seconds

        self.embed = load_encoder(space.model, device)

    def compile(self, mode: str) -> None:
        import torch

        compiled = torch.compile(self.embed, mode=mode, dynamic=False)
        self.embed = Compiled(compiled, self.model.batch_size, self.model.dtype, self.space.name)
        side = self.model.preprocessing.size
        x = torch.zeros((1, 3, side, side), device=self.device, dtype=getattr(torch, self.model.dtype))
        self.embed.compile(x)

    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, np.ndarray]:
        import torch

        with torch.no_grad():
            x = pixels(pictures, self.model.preprocessing, self.device).to(getattr(torch, self.model.dtype))
            return {"z": self.embed(x).float().cpu().numpy()}


KIND = SpaceKind(
    method="embedding",
    load=Embed,
    gflops=lambda space: space.model.gflops,
    dim=lambda space: space.model.dim,
    reads=("encoder",),
    compiles=True,
)
