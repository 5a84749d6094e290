"""A supervised image classifier in transformers: its logits, one per class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.processors import transformers_preprocessing
from une_ray.models.spec import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Preprocessing

FIXED = ("vit", "deit", "vit_msn")  # they have a position for every patch of one size


def complete(spec: ModelSpec) -> ModelSpec:
    """The number of classes, and the preprocessing of the model's processor."""
    config = read_json(spec, "config.json")
    classes = config.get("id2label", ("0", "1"))  # transformers leaves out the names of two classes
    size = config.get("image_size", spec.preprocessing.size)  # residual networks have no size of their own
    preprocessing = transformers_preprocessing(spec, size, fixed=config.get("model_type") in FIXED)
    return replace(spec, dim=len(classes), preprocessing=preprocessing)


def is_classifier(config: Mapping[str, Any]) -> bool:
    """Whether a transformers configuration is that of a classifier of pictures."""
    names = config.get("architectures")
    return isinstance(names, list) and any(str(name).endswith("ForImageClassification") for name in names)


def load(spec: ModelSpec, device: str) -> Embed:
    """The logits."""
    import torch
    from transformers import AutoConfig, AutoModelForImageClassification

    from une_ray.models.loading import load_transformer, ready

    untrained = partial(AutoModelForImageClassification.from_config, dtype=torch.float32)
    model = ready(load_transformer(spec, AutoModelForImageClassification, AutoConfig, untrained), device)
    return lambda pixels: model(pixel_values=pixels).logits


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(224, resize=256, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        gpus=0.25,
        batch_size=64,
        dtype="float16",
        pooling="logits",
    ),
    complete=complete,
    load=load,
    library="transformers",
    recognises=is_classifier,
)
