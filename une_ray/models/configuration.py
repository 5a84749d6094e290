"""A model's own configuration files, from its folder or from the hub."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from une_ray.errors import UneError
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec, Preprocessing

PROCESSOR = "preprocessor_config.json"
RESAMPLE = {1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def has_file(spec: ModelSpec, name: str) -> bool:
    """Whether the model's folder or repository has a file of that name."""
    at = location(spec)
    if not spec.source.startswith("hub:"):
        return (Path(at) / name).exists()
    from huggingface_hub import file_exists

    return file_exists(at, name, revision=spec.revision)


def read_json(spec: ModelSpec, name: str) -> dict[str, Any]:
    """A file of the model, as a dictionary. Raises UneError where it is missing or can't be fetched."""
    at = location(spec)
    if spec.source.startswith("hub:"):
        from huggingface_hub import hf_hub_download

        try:
            return json.loads(Path(hf_hub_download(at, name, revision=spec.revision)).read_text())
        # the hub's client has a dozen error types, all of which mean: not to be had
        except Exception as error:
            raise UneError(f"can't read {name} of {at!r} on the model hub: {type(error).__name__}") from error
    path = Path(at) / name
    if not path.exists():
        raise UneError(f"{path} is missing; a {spec.kind} model has one")
    return json.loads(path.read_text())


def transformers_preprocessing(spec: ModelSpec, image_size: int) -> Preprocessing:
    """From `preprocessor_config.json` where the model has one, else the spec's own at the model's
    `image_size`.

    Raises UneError for a resampling filter that is none of Pillow's lanczos, bilinear and bicubic.
    """
    own = spec.preprocessing
    if not has_file(spec, PROCESSOR):
        resize = math.ceil(image_size * (own.resize or own.size) / own.size)
        return replace(own, size=image_size, resize=resize)
    config = read_json(spec, PROCESSOR)
    resample = config.get("resample", 3)
    if resample not in RESAMPLE:
        raise UneError(f"{spec.id} resizes with Pillow's filter {resample}; une_ray knows {RESAMPLE}")
    size = config.get("size", {})
    resize = size if isinstance(size, int) else size.get("shortest_edge") or size.get("height") or image_size
    crop = config.get("crop_size") if config.get("do_center_crop", True) else None
    return Preprocessing(
        size=crop if isinstance(crop, int) else (crop or {}).get("height", resize),
        fit="stretch" if isinstance(size, dict) and "height" in size else "shortest",
        resize=resize,
        resample=RESAMPLE[resample],
        mean=tuple(config.get("image_mean", own.mean)),
        std=tuple(config.get("image_std", own.std)),
    )
