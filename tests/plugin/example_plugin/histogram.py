"""Mean and spread of each colour channel: an encoder without weights."""

from __future__ import annotations

from dataclasses import replace

import torch

from une_ray.models.kind import Embed, ModelKind
from une_ray.models.spec import HALF, ModelSpec, Preprocessing


def complete(spec: ModelSpec) -> ModelSpec:
    return replace(spec, dim=6)


def load(spec: ModelSpec, device: str) -> Embed:
    def embed(pixels: torch.Tensor) -> torch.Tensor:
        channels = pixels.flatten(2)
        return torch.cat([channels.mean(2), channels.std(2)], 1)

    return embed


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(16, "crop", mean=HALF, std=HALF), gpus=0.25, pooling="none"
    ),
    complete=complete,
    load=load,
    weights=False,
)
