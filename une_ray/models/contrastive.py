"""Image–text models: texts and pictures in one space, where the cosine says how they fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import torch
from torch.nn.functional import normalize

from une_ray.errors import UneError
from une_ray.models.encoders import load_encoder
from une_ray.models.spec import ModelSpec
from une_ray.registry import MODEL_KINDS

Input = TypeVar("Input")


@dataclass(frozen=True, kw_only=True)
class TextTower:
    """`embed`: b strings → (b, dim), never unit-normalised, cut off as the model's own tokenizer does.
    `lengths`: b strings → how many tokens each has uncut, of which `limit` are read."""

    embed: Callable[[list[str]], torch.Tensor]
    lengths: Callable[[list[str]], list[int]]
    limit: int


@dataclass(frozen=True)
class Contrastive:
    """`images`: (b, 3, h, w) pixels as the spec's preprocessing gives them → (b, dim); `texts`: b strings →
    (b, dim). Unit length."""

    images: Callable[[torch.Tensor], torch.Tensor]
    texts: Callable[[list[str]], torch.Tensor]


def load_contrastive(spec: ModelSpec, device: str = "cpu") -> Contrastive:
    """Both towers in float32. Raises UneError for a model without a trained text tower."""
    whole = replace(spec, dtype="float32")
    texts = load_text_tower(whole, device)
    return Contrastive(unit_length(load_encoder(whole, device)), unit_length(texts.embed))


def load_text_tower(spec: ModelSpec, device: str = "cpu") -> TextTower:
    """The text tower alone, in the spec's dtype. Raises UneError for a model without a trained one."""
    return text_tower_loader(spec)(spec, device)


def text_tower_loader(spec: ModelSpec) -> Callable[[ModelSpec, str], TextTower]:
    """What loads it. Raises UneError for a model without a trained one, before anything is read."""
    load = MODEL_KINDS.find(spec.kind).text_tower
    if load is None:
        readers = [name for name, kind in MODEL_KINDS.items() if kind.text_tower is not None]
        raise UneError(
            f"{spec.id} is a {spec.kind} model: it reads no text; {' and '.join(readers)} models do"
        )
    if spec.init_seed is not None:
        raise UneError(
            f"{spec.id} has fresh weights, whose texts say nothing of pictures; leave 'random-' away"
        )
    return load


def unit_length(tower: Callable[[Input], torch.Tensor]) -> Callable[[Input], torch.Tensor]:
    """The tower with its vectors (b, dim) scaled to unit length, without gradients."""

    @torch.no_grad()
    def embed(batch: Input) -> torch.Tensor:
        return normalize(tower(batch), dim=-1)

    return embed
