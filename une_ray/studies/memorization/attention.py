"""The U-Net's cross-attention, opened between logits and softmax, to be read and to be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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

    Contexts nest: outer edits come first, and every watcher sees the weights after all of them. The
    processors are put back. Raises UneError where a layer has a processor of its own kind (an IP-Adapter's,
    say), which this would silently replace.
    """
    modules: torch.nn.Module = unet  # type: ignore[assignment]  # which it is, by a base that diffusers declares without types
    layers: dict[str, Any] = {
        name: layer
        for name, layer in modules.named_modules()
        if isinstance(layer, Attention) and layer.is_cross_attention
    }
    processors = {name: layer.processor for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.set_processor(_opened(name, processors[name], edit, watch))
        yield
    finally:
        for name, layer in layers.items():
            layer.set_processor(processors[name])


@contextmanager
def recorded(unet: UNet2DConditionModel) -> Iterator[dict[str, torch.Tensor]]:
    """Yields a dict that a U-Net call fills, in the order of its layers: name → weights (b, queries, tokens),
    heads averaged."""
    weights: dict[str, torch.Tensor] = {}

    def watch(layer: str, attention: torch.Tensor) -> None:
        weights[layer] = attention.detach().mean(1)

    with cross_attention(unet, watch=watch):
        yield weights


def token_weights(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """(layers, b, tokens): what `recorded` filled, averaged over the queries; every row sums to 1."""
    return torch.stack([layer.mean(1) for layer in weights.values()])


def class_masses(weights: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """(…, b, 4): the weight (…, b, tokens) on sot, prompt, eot and pad, by `classes` (b, tokens) of
    `token_classes`."""
    return torch.stack([(weights * (classes == which)).sum(-1) for which in range(len(CLASSES))], -1)


def entropy(weights: torch.Tensor) -> torch.Tensor:
    """(…) in nats, of weights (…, tokens); a part of a distribution gives its part of the sum."""
    return torch.special.entr(weights).sum(-1)


@dataclass(frozen=True)
class Rescale:
    """An edit: each token's logits times `scale` (b, tokens) float, and −∞ where `removed` (b, tokens) bool.

    One row for one row of the U-Net's batch, so that any order of prompts, images and guidance branches is
    right.
    """

    scale: torch.Tensor
    removed: torch.Tensor

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        if len(logits) != len(self.scale):
            raise UneError(
                f"the attention's edit has {len(self.scale)} rows, the U-Net was called with {len(logits)}; "
                "they must be the same"
            )
        return (logits * self.scale[:, None, None]).masked_fill(self.removed[:, None, None], -torch.inf)


def removal(remaining: torch.Tensor) -> Rescale:
    """The edit that removes all tokens but the `remaining` (b, tokens) bool, for samplers that take no
    attention mask."""
    return Rescale(torch.ones_like(remaining, dtype=torch.float32), ~remaining)


def edited(unet: UNet2DConditionModel, denoiser: Denoiser, edit: Edit) -> Denoiser:
    """The denoiser with its cross-attention's logits edited, and no other caller of the U-Net touched."""

    def denoise(x: torch.Tensor, timestep: int) -> torch.Tensor:
        with cross_attention(unet, edit):
            return denoiser(x, timestep)

    return denoise


def _opened(name: str, processor: object, edit: Edit | None, watch: Watch | None) -> _Opened:
    plain = (AttnProcessor, AttnProcessor2_0, SlicedAttnProcessor, XFormersAttnProcessor)
    if not isinstance(processor, (_Opened, *plain)):
        raise UneError(
            f"{name} has the processor {type(processor).__name__}, which is more than attention: "
            "unload it first"
        )
    outer = processor if isinstance(processor, _Opened) else _Opened(name, (), ())
    edits = outer.edits if edit is None else (*outer.edits, edit)
    watches = outer.watches if watch is None else (*outer.watches, watch)
    return _Opened(name, edits, watches)


@dataclass(frozen=True)
class _Opened:
    """A processor for diffusers' Attention: softmax attention in plain steps, as in Vaswani et al. 2017, eq.
    1."""

    name: str
    edits: tuple[Edit, ...]
    watches: tuple[Watch, ...]

    def __call__(
        self,
        attn: Any,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
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
