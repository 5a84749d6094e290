"""CLIP in open_clip: image and text tower through the library's own factory (Ilharco et al. 2021)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from une_ray.errors import UneError, reason
from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.processors import refuse_unlike
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec, Preprocessing

if TYPE_CHECKING:
    import torch

    from une_ray.models.contrastive import TextTower


def complete(spec: ModelSpec) -> ModelSpec:
    """The embedding's width, and the preprocessing that `open_clip_config.json` names. Raises UneError for
    one that une_ray does not do."""
    config = read_json(spec, "open_clip_config.json")
    model, published = config["model_cfg"], config.get("preprocess_cfg") or {}
    preprocessing = _preprocessing(spec, model["vision_cfg"]["image_size"], published)
    return replace(spec, dim=model["embed_dim"], preprocessing=preprocessing)


def _preprocessing(spec: ModelSpec, size: int | list[int], published: dict[str, Any]) -> Preprocessing:
    """What open_clip's own evaluation transform does, run beside it."""
    import numpy as np
    from open_clip.transform import PreprocessCfg, image_transform_v2

    side = size if isinstance(size, int) else size[0]
    stated = {key: value for key, value in published.items() if key != "size" and value is not None}
    known = PreprocessCfg.__dataclass_fields__
    if unread := [key for key in stated if key not in known]:
        raise UneError(
            f"{spec.id}: preprocess_cfg has {unread[0]}={published[unread[0]]!r}, which open_clip does not"
            " know"
        )
    if not isinstance(size, int) and set(size) != {side}:
        raise UneError(f"{spec.id}: it reads pictures of {size} pixels; une_ray makes square ones")
    try:
        settings = PreprocessCfg(size=side, **stated)
        transform = image_transform_v2(settings, is_train=False)
    except AssertionError as error:
        raise UneError(f"{spec.id}: open_clip refuses its preprocess_cfg {stated}") from error
    if settings.resize_mode == "longest":
        raise UneError(f"{spec.id}: preprocess_cfg has resize_mode='longest', and une_ray adds no borders")
    means, stds = (
        value if isinstance(value, (list, tuple)) else [value] * 3 for value in (settings.mean, settings.std)
    )
    preprocessing = replace(
        spec.preprocessing,
        size=side,
        resize=side,
        fit="stretch" if settings.resize_mode == "squash" else "shortest",
        resample="bilinear" if settings.interpolation == "bilinear" else "bicubic",
        mean=tuple(map(float, means)),
        std=tuple(map(float, stds)),
    )
    refuse_unlike(
        spec, preprocessing, lambda image: np.asarray(transform(image), float), "image_transform_v2"
    )
    return preprocessing


def load(spec: ModelSpec, device: str) -> Embed:
    """The image tower with its projection."""
    import open_clip
    import torch

    from une_ray.models.fresh import fresh
    from une_ray.models.loading import ready

    if spec.init_seed is None:
        model = ready(_trained(spec).to(getattr(torch, spec.dtype)), device)
    else:
        create = partial(open_clip.create_model, f"local-dir:{folder(spec)}", load_weights=False)
        model = ready(fresh(spec, create), device)
    return lambda pixels: model.encode_image(pixels)


def text_tower(spec: ModelSpec, device: str) -> TextTower:
    """The text tower with its projection: the library's `encode_text`."""
    import open_clip
    import torch

    from une_ray.models.contrastive import TextTower
    from une_ray.models.loading import ready

    model = _trained(spec)
    model.visual = None  # pictures are read by `load`
    model = ready(model.to(getattr(torch, spec.dtype)), device)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder(spec)}")

    def embed(texts: list[str]) -> torch.Tensor:
        return model.encode_text(tokenizer(texts).to(device))

    return TextTower(embed=embed, lengths=partial(_lengths, tokenizer), limit=tokenizer.context_length)


def _lengths(tokenizer: Any, texts: list[str]) -> list[int]:
    """How many tokens each text has uncut, begin and end among them; open_clip's tokenizers are of two
    makes."""
    if hasattr(tokenizer, "encode"):
        return [len(tokenizer.encode(text)) + 2 for text in texts]
    cleaned = [tokenizer.clean_fn(text) for text in texts]
    return [len(ids) for ids in tokenizer.tokenizer(cleaned, truncation=False, verbose=False).input_ids]


def _trained(spec: ModelSpec) -> Any:
    """The model with its weights, which open_clip reads strictly. Raises UneError where they do not fit."""
    import open_clip

    try:
        return open_clip.create_model(f"local-dir:{folder(spec)}", require_pretrained=True)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise UneError(f"can't load model {spec.id} ({location(spec)}): {reason(error)}") from error


def folder(spec: ModelSpec) -> str:
    """A folder with the model's configuration, tokenizer and, unless they are drawn anew, weights; fetched if
    it is the hub's."""
    at = location(spec)
    if not spec.source.startswith("hub:"):
        return at
    from huggingface_hub import snapshot_download

    weights = ["open_clip_*.safetensors"] if spec.init_seed is None else []
    files = ["open_clip_config.json", "*token*", "vocab.json", "merges.txt", *weights]
    return snapshot_download(at, revision=spec.revision, allow_patterns=files)


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(224, resize=224, crop_offset="round"),
        gpus=0.25,
        batch_size=64,
        dtype="float16",
    ),
    complete=complete,
    load=load,
    text_tower=text_tower,
    library="open_clip_torch",
    sign="open_clip_config.json",
    recognises=lambda config: "model_cfg" in config,
)
