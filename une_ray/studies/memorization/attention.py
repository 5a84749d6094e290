"""The U-Net's cross-attention, opened between logits and softmax, to be read and to be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import (
    Attention,
    AttnProcessor,
    AttnProcessor2_0,
    SlicedAttnProcessor,
    XFormersAttnProcessor,
)

from une_ray.diffusion.ddim import Denoiser
from une_ray.errors import UneError
from une_ray.studies.memorization.token_rows import CLASSES

Edit = Callable[[torch.Tensor], torch.Tensor]
"""Logits (b, heads, queries, tokens) float32 → logits of the same shape."""
Watch = Callable[[str, torch.Tensor], None]
"""Called with a layer's name and its weights (b, heads, queries, tokens) float32."""


@contextmanager
def cross_attention(
    unet: UNet2DConditionModel, edit: Edit | None = None, watch: Watch | None = None
) -> Iterator[None]:
    """Within, every cross-attention layer passes its logits through `edit` and shows its weights to `watch`.

    Contexts nest: outer edits come first, and every watcher sees the weights after all of them. The processors found are put back.
    Raises UneError where a layer has a processor of its own kind (an IP-Adapter's, say), which this would silently replace.
    """
    layers = {
        name: layer
        for name, layer in unet.named_modules()
        if isinstance(layer, Attention) and layer.is_cross_attention
    }
    found = {name: layer.processor for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.set_processor(_opened(name, found[name], edit, watch))
        yield
    finally:
        for name, layer in layers.items():
            layer.set_processor(found[name])


@contextmanager
def recorded(unet: UNet2DConditionModel) -> Iterator[dict[str, torch.Tensor]]:
    """Yields a dict that a U-Net call fills, in the order of its layers: name → weights (b, queries, tokens), heads averaged."""
    weights: dict[str, torch.Tensor] = {}
    with cross_attention(unet, watch=lambda layer, found: weights.__setitem__(layer, found.detach().mean(1))):
        yield weights


def token_weights(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """(layers, b, tokens): what `recorded` found, averaged over the queries; every row sums to 1."""
    return torch.stack([layer.mean(1) for layer in weights.values()])


def class_masses(weights: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """(…, b, 4): the weight (…, b, tokens) on sot, prompt, eot and pad, by `classes` (b, tokens) of `token_classes`."""
    return torch.stack([(weights * (classes == which)).sum(-1) for which in range(len(CLASSES))], -1)


def entropy(weights: torch.Tensor) -> torch.Tensor:
    """(…) in nats, of weights (…, tokens); a part of a distribution gives its part of the sum."""
    return torch.special.entr(weights).sum(-1)


@dataclass(frozen=True)
class Rescale:
    """An edit: each token's logits times `scale` (b, tokens) float, and −∞ where `removed` (b, tokens) bool.

    One row for one row of the U-Net's batch, so that any order of prompts, images and guidance branches is right.
    """

    scale: torch.Tensor
    removed: torch.Tensor

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        if len(logits) != len(self.scale):
            raise UneError(
                f"the attention's edit has {len(self.scale)} rows, the U-Net was called with {len(logits)}; they must be the same"
            )
        return (logits * self.scale[:, None, None]).masked_fill(self.removed[:, None, None], -torch.inf)


def removal(kept: torch.Tensor) -> Rescale:
    """The edit that leaves the tokens `kept` (b, tokens) bool and removes the rest, for samplers that take no attention mask."""
    return Rescale(torch.ones_like(kept, dtype=torch.float32), ~kept)


def edited(unet: UNet2DConditionModel, denoiser: Denoiser, edit: Edit) -> Denoiser:
    """The denoiser with its cross-attention's logits edited, and no other caller of the U-Net touched."""

    def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
        with cross_attention(unet, edit):
            return denoiser(x, timestep)

    return denoise


def _opened(name: str, found, edit: Edit | None, watch: Watch | None) -> _Opened:
    edits, watches = (found.edits, found.watches) if isinstance(found, _Opened) else ((), ())
    if not isinstance(
        found, (_Opened, AttnProcessor, AttnProcessor2_0, SlicedAttnProcessor, XFormersAttnProcessor)
    ):
        raise UneError(
            f"{name} has the processor {type(found).__name__}, which is more than attention: unload it first"
        )
    return _Opened(
        name, edits + (() if edit is None else (edit,)), watches + (() if watch is None else (watch,))
    )


@dataclass(frozen=True)
class _Opened:
    """A processor for diffusers' Attention: softmax attention in plain steps, as in Vaswani et al. 2017, eq. 1."""

    name: str
    edits: tuple[Edit, ...]
    watches: tuple[Watch, ...]

    def __call__(
        self, attn: Attention, hidden_states, encoder_hidden_states, attention_mask=None, temb=None
    ) -> torch.Tensor:
        if attn.norm_cross:
            encoder_hidden_states = attn.norm_encoder_hidden_states(encoder_hidden_states)
        query, key, value = (
            project(states).unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            for project, states in (
                (attn.to_q, hidden_states),
                (attn.to_k, encoder_hidden_states),
                (attn.to_v, encoder_hidden_states),
            )
        )
        logits = (query.float() @ key.float().mT) * attn.scale
        if attention_mask is not None:  # an additive bias (b, 1, tokens), the same for all heads
            logits = logits + attention_mask[:, None]
        for edit in self.edits:
            logits = edit(logits)
        weights = logits.softmax(-1)
        for watch in self.watches:
            watch(self.name, weights)
        attended = (weights.to(value.dtype) @ value).transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](attended))
