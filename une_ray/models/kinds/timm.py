"""Any vision model of timm, by its own factory and data configuration: the features before the classifier."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from une_ray.errors import UneError, reason
from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.processors import refuse_unlike
from une_ray.models.resolve import location
from une_ray.models.spec import IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Preprocessing


def complete(spec: ModelSpec) -> ModelSpec:
    """The features' length, and timm's own evaluation transform run beside ours. Raises UneError for what
    une_ray does not do."""
    import numpy as np
    import torch
    from timm.data import create_transform, resolve_model_data_config

    with torch.device("meta"):
        model = _create(spec, pretrained=False).eval()
        settings = resolve_model_data_config(model)
        channels, height, width = settings["input_size"]
        if height != width or channels != 3:
            raise UneError(f"{spec.id} reads {settings['input_size']}; une_ray makes square pictures in RGB")
        if settings["crop_mode"] not in ("center", "squash"):
            raise UneError(
                f"{spec.id}: its crop_mode is {settings['crop_mode']!r}, and une_ray adds no borders"
            )
        dim = model(torch.empty(1, 3, height, width)).shape[-1]
    preprocessing = replace(
        spec.preprocessing,
        size=height,
        resize=int(height / settings["crop_pct"]),
        fit="stretch" if settings["crop_mode"] == "squash" else "shortest",
        resample=settings["interpolation"],
        mean=tuple(map(float, settings["mean"])),
        std=tuple(map(float, settings["std"])),
    )
    transform = create_transform(**settings)
    refuse_unlike(spec, preprocessing, lambda image: np.asarray(transform(image), float), "timm transform")
    return replace(spec, dim=dim, preprocessing=preprocessing)


def load(spec: ModelSpec, device: str) -> Embed:
    """The pooled features, with the model's own pooling and no classifier."""
    import torch

    from une_ray.models.fresh import fresh
    from une_ray.models.loading import ready

    if spec.init_seed is None:
        model = _create(spec, pretrained=True).to(getattr(torch, spec.dtype))
    else:
        model = fresh(spec, partial(_create, spec, pretrained=False))
    return ready(model, device).__call__


def _create(spec: ModelSpec, pretrained: bool) -> Any:
    """timm's model without its classifier; weights are read strictly. Raises UneError where they do not
    fit."""
    import timm

    read_json(spec, "config.json")  # or timm looks for a network under the folder's name
    at = location(spec)
    if spec.source.startswith("hub:"):
        name = f"hf-hub:{at}" + (f"@{spec.revision}" if spec.revision else "")
    else:
        name = f"local-dir:{at}"
    try:
        model: Any = timm.create_model(name, pretrained=pretrained)
        model.reset_classifier(0)
        return model
    except MemoryError:
        raise
    # timm asserts, and raises whatever its networks and torch's loader do
    except Exception as error:
        raise UneError(f"can't load model {spec.id} ({at}): {reason(error)}") from error


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(
            224, resize=256, crop_offset="round", mean=IMAGENET_MEAN, std=IMAGENET_STD
        ),
        gpus=0.25,
        batch_size=64,
        dtype="float16",
        pooling="timm",
    ),
    complete=complete,
    load=load,
    library="timm",
    recognises=lambda config: "pretrained_cfg" in config or "architecture" in config,
)
