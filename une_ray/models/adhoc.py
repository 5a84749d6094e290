"""Facts of a model that is in no row of the table, read from its own configuration files."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

from une_ray.errors import UneError
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec, Preprocessing

RESAMPLE = {1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers


def complete(spec: ModelSpec) -> ModelSpec:
    """The spec with `dim` and `preprocessing` as the model's configuration says. Raises UneError where a file is missing."""
    return _generator(spec) if spec.is_generator else _encoder(spec)


def train_timesteps(spec: ModelSpec) -> int:
    """How many timesteps a generator's noise schedule has. Raises UneError where its scheduler's file is missing."""
    return _json(spec, "scheduler/scheduler_config.json").get(
        "num_train_timesteps", 1000
    )  # diffusers' own default


def text_towers(spec: ModelSpec) -> dict[str, str]:
    """A diffusers model's text towers, name → class. Raises UneError where its index is missing."""
    parts = _json(spec, "model_index.json").items()
    return {name: part[1] for name, part in parts if name.startswith("text_encoder") and part[1]}


def _generator(spec: ModelSpec) -> ModelSpec:
    unet, vae = _json(spec, "unet/config.json"), _json(spec, "vae/config.json")
    side = unet["sample_size"]
    size = side * 2 ** (len(vae["block_out_channels"]) - 1)
    return replace(
        spec, dim=unet["in_channels"] * side * side, preprocessing=replace(spec.preprocessing, size=size)
    )


def _encoder(spec: ModelSpec) -> ModelSpec:
    if spec.kind == "open-clip":
        config = _json(spec, "open_clip_config.json")
        size, chosen = config["model_cfg"]["vision_cfg"]["image_size"], config.get("preprocess_cfg", {})
        facts = {key: tuple(chosen[key]) for key in ("mean", "std") if key in chosen}
        return replace(
            spec,
            dim=config["model_cfg"]["embed_dim"],
            preprocessing=replace(spec.preprocessing, size=size, resize=size, **facts),
        )
    config = _json(spec, "config.json")
    vision = config.get("vision_config", config)
    if (
        spec.kind == "classifier"
    ):  # transformers leaves out the names of two classes; residual networks have no size of their own
        dim, size = len(config.get("id2label", ("0", "1"))), config.get("image_size", spec.preprocessing.size)
    else:
        dim, size = (
            config.get("projection_dim") if spec.kind == "clip" else vision["hidden_size"],
            vision["image_size"],
        )
    return replace(spec, dim=dim, preprocessing=_processor(spec, size))


def _processor(spec: ModelSpec, image_size: int) -> Preprocessing:
    """From `preprocessor_config.json` where the model has one, else the kind's own at the model's size."""
    if not _has(spec, "preprocessor_config.json"):
        return replace(
            spec.preprocessing,
            size=image_size,
            resize=math.ceil(image_size * spec.preprocessing.resize / spec.preprocessing.size),
        )
    config = _json(spec, "preprocessor_config.json")
    if config.get("resample", 3) not in RESAMPLE:
        raise UneError(
            f"{spec.id} resizes with Pillow's filter {config['resample']}; une_ray knows {RESAMPLE}"
        )
    size = config.get("size", {})
    resize = size if isinstance(size, int) else size.get("shortest_edge") or size.get("height") or image_size
    crop = config.get("crop_size") if config.get("do_center_crop", True) else None
    side = crop if isinstance(crop, int) else (crop or {}).get("height", resize)
    return Preprocessing(
        side,
        "stretch" if isinstance(size, dict) and "height" in size else "shortest",
        resize,
        RESAMPLE[config.get("resample", 3)],
        "floor",
        tuple(config.get("image_mean", spec.preprocessing.mean)),
        tuple(config.get("image_std", spec.preprocessing.std)),
    )


def _has(spec: ModelSpec, name: str) -> bool:
    at = location(spec)
    if not spec.source.startswith("hub:"):
        return (Path(at) / name).exists()
    from huggingface_hub import file_exists

    return file_exists(at, name, revision=spec.revision)


def _json(spec: ModelSpec, name: str) -> dict:
    at = location(spec)
    if spec.source.startswith("hub:"):
        from huggingface_hub import hf_hub_download

        try:
            return json.loads(Path(hf_hub_download(at, name, revision=spec.revision)).read_text())
        except (
            Exception
        ) as error:  # the hub's client has a dozen error types, all of which mean: not to be had
            raise UneError(f"can't read {name} of {at!r} on the model hub: {type(error).__name__}") from error
    path = Path(at) / name
    if not path.exists():
        raise UneError(f"{path} is missing; a {spec.kind} model has one")
    return json.loads(path.read_text())
