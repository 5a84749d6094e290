"""Vision encoders: one function per kind that loads a model and returns pixels → embedding, never unit-normalised."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForImageClassification,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from une_ray.errors import UneError, unknown
from une_ray.models.fresh import fresh
from une_ray.models.quiet import quiet
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec

Embed = Callable[[torch.Tensor], torch.Tensor]
"""(b, 3, h, w) normalised pixels → (b, dim)."""


def load_clip(spec: ModelSpec, device: str) -> Embed:
    """transformers' CLIP image tower with its projection (what `get_image_features` pools)."""
    model = _ready(
        _transformer(spec, CLIPVisionModelWithProjection, CLIPVisionConfig, CLIPVisionModelWithProjection),
        device,
    )
    return lambda pixels: model(pixel_values=pixels).image_embeds


def load_open_clip(spec: ModelSpec, device: str) -> Embed:
    """open_clip's image tower, through its own factory, from the hub or from a folder."""
    import open_clip

    trained = spec.init_seed is None
    create = partial(open_clip.create_model, f"local-dir:{open_clip_folder(spec)}", load_weights=trained)
    model = _ready(create().to(getattr(torch, spec.dtype)) if trained else fresh(spec, create), device)
    return lambda pixels: model.encode_image(pixels)


def open_clip_folder(spec: ModelSpec) -> str:
    """A folder with the model's configuration, tokenizer and, unless they are drawn anew, weights; fetched if it is the hub's."""
    at = location(spec)
    if not spec.source.startswith("hub:"):
        return at
    from huggingface_hub import snapshot_download

    weights = ["open_clip_*.safetensors"] if spec.init_seed is None else []
    files = ["open_clip_config.json", "*token*", "vocab.json", "merges.txt", *weights]
    return snapshot_download(at, revision=spec.revision, allow_patterns=files)


def load_dino(spec: ModelSpec, device: str) -> Embed:
    """DINOv2 or DINOv3 in transformers: the class token, or with it the mean patch token of each quarter of the picture."""
    model = _ready(
        _transformer(spec, AutoModel, AutoConfig, partial(AutoModel.from_config, dtype=torch.float32)), device
    )

    def class_token(pixels: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=pixels).pooler_output

    def class_and_quarters(pixels: torch.Tensor) -> torch.Tensor:
        out = model(pixel_values=pixels)
        patches = out.last_hidden_state[:, 1 + getattr(model.config, "num_register_tokens", 0) :]
        half = math.isqrt(patches.shape[1]) // 2
        quarters = patches.unflatten(1, (2, half, 2, half)).mean((2, 4)).flatten(1)
        return torch.cat([out.pooler_output, quarters], -1)

    poolings = {"pooler": class_token, "cls+quarters": class_and_quarters}
    if spec.pooling not in poolings:
        raise unknown("pooling", spec.pooling, poolings)
    return poolings[spec.pooling]


def load_classifier(spec: ModelSpec, device: str) -> Embed:
    """A supervised image classifier in transformers: its logits, one per class."""
    classes = AutoModelForImageClassification
    model = _ready(
        _transformer(spec, classes, AutoConfig, partial(classes.from_config, dtype=torch.float32)), device
    )
    return lambda pixels: model(pixel_values=pixels).logits


def load_pixels(spec: ModelSpec, device: str) -> Embed:
    """The picture itself at the size of its preprocessing, flattened as (3, h, w): no model, the baseline of every probe."""
    return lambda pixels: pixels.flatten(1)


LOADERS = {
    "clip": load_clip,
    "open-clip": load_open_clip,
    "dino": load_dino,
    "classifier": load_classifier,
    "pixels": load_pixels,
}


def load_encoder(spec: ModelSpec, device: str = "cpu") -> Embed:
    """The embedding function of an encoder. Raises UneError for a generator."""
    if spec.kind not in LOADERS:
        raise UneError(f"{spec.id} is a {spec.kind} model, not an encoder")
    quiet()
    return LOADERS[spec.kind](spec, device)


def _transformer(spec: ModelSpec, trained: type, config: type, untrained: Callable) -> torch.nn.Module:
    """A transformers model: `trained.from_pretrained`, or for fresh weights `untrained` of its `config` alone."""
    at, safe = location(spec), {"revision": spec.revision, "trust_remote_code": False}
    if spec.init_seed is None:
        return trained.from_pretrained(at, dtype=getattr(torch, spec.dtype), use_safetensors=True, **safe)
    return fresh(spec, lambda: untrained(config.from_pretrained(at, **safe)))


def _ready(model: torch.nn.Module, device: str) -> torch.nn.Module:
    return model.eval().requires_grad_(False).to(device)
