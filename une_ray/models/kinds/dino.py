"""DINO, DINOv2 or DINOv3 in transformers: the class token, or with it the mean patch token of each quarter.

A ViT (DINO of 2021) has its class token read as DINO was trained, without the pooling layer that transformers
puts behind it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from une_ray.errors import UneError, unknown
from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.kinds.classifier import is_classifier
from une_ray.models.processors import transformers_preprocessing
from une_ray.models.spec import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Preprocessing

if TYPE_CHECKING:
    import torch


READ = ("dinov2", "dinov2_with_registers", "dinov3_vit", "vit")
HEADS = (
    "classifier.",
    "decoder.",
    "pooler.",
    "embeddings.mask_token",
    "vit.embeddings.mask_token",
)  # of checkpoints that were trained on; not read here


def complete(spec: ModelSpec) -> ModelSpec:
    """The transformer's width, and the preprocessing of the model's processor. Raises UneError for another
    architecture."""
    config = read_json(spec, "config.json")
    model_type = config.get("model_type")
    if model_type not in READ:
        raise UneError(
            f"{spec.source} is a {model_type!r} model; dino: reads {', '.join(READ)}. SigLIP is siglip:, CLIP"
            " clip:, and most other encoders are in timm (timm:)"
        )
    preprocessing = transformers_preprocessing(spec, config["image_size"], fixed=model_type == "vit")
    pooling = "class-token" if model_type == "vit" and spec.pooling == "pooler" else spec.pooling
    return replace(spec, dim=config["hidden_size"], preprocessing=preprocessing, pooling=pooling)


def load(spec: ModelSpec, device: str) -> Embed:
    """The pooling that the spec names: `pooler`, `class-token` or `cls+quarters`. Raises UneError for
    another."""
    import torch
    from transformers import AutoConfig, AutoModel

    from une_ray.models.loading import load_transformer, ready

    untrained = partial(AutoModel.from_config, dtype=torch.float32)
    changes = {"add_pooling_layer": False} if spec.pooling == "class-token" else {}
    model = ready(load_transformer(spec, AutoModel, AutoConfig, untrained, HEADS, **changes), device)

    def pooler(pixels: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=pixels).pooler_output

    def class_token(pixels: torch.Tensor) -> torch.Tensor:
        return model(pixel_values=pixels).last_hidden_state[:, 0]

    def class_and_quarters(pixels: torch.Tensor) -> torch.Tensor:
        out = model(pixel_values=pixels)
        patches = out.last_hidden_state[:, 1 + getattr(model.config, "num_register_tokens", 0) :]
        half = math.isqrt(patches.shape[1]) // 2
        quarters = patches.unflatten(1, (2, half, 2, half)).mean((2, 4)).flatten(1)
        return torch.cat([out.pooler_output, quarters], -1)

    poolings: dict[str, Embed] = {
        "pooler": pooler,
        "class-token": class_token,
        "cls+quarters": class_and_quarters,
    }
    if spec.pooling not in poolings:
        raise unknown("pooling", spec.pooling, poolings)
    return poolings[spec.pooling]


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(224, resize=256, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        gpus=0.25,
        batch_size=64,
        dtype="float16",
    ),
    complete=complete,
    load=load,
    library="transformers",
    recognises=lambda config: config.get("model_type") in READ and not is_classifier(config),
)
