"""CLIP in open_clip: image and text tower through the library's own factory (Ilharco et al. 2021)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec, Preprocessing

if TYPE_CHECKING:
    import torch

    from une_ray.models.contrastive import Contrastive


def complete(spec: ModelSpec) -> ModelSpec:
    """The embedding's width, and the preprocessing that `open_clip_config.json` names."""
    config = read_json(spec, "open_clip_config.json")
    model, published = config["model_cfg"], config.get("preprocess_cfg", {})
    size = model["vision_cfg"]["image_size"]
    preprocessing = replace(
        spec.preprocessing,
        size=size,
        resize=size,
        mean=tuple(published.get("mean", spec.preprocessing.mean)),
        std=tuple(published.get("std", spec.preprocessing.std)),
    )
    return replace(spec, dim=model["embed_dim"], preprocessing=preprocessing)


def load(spec: ModelSpec, device: str) -> Embed:
    """The image tower with its projection."""
    import open_clip
    import torch

    from une_ray.models.fresh import fresh
    from une_ray.models.loading import ready

    trained = spec.init_seed is None
    create = partial(open_clip.create_model, f"local-dir:{folder(spec)}", load_weights=trained)
    model = ready(create().to(getattr(torch, spec.dtype)) if trained else fresh(spec, create), device)
    return lambda pixels: model.encode_image(pixels)


def contrastive(spec: ModelSpec, device: str) -> Contrastive:
    """Both towers with their projections, in float32."""
    import open_clip

    from une_ray.models.contrastive import Contrastive, unit_length

    at = f"local-dir:{folder(spec)}"
    model = open_clip.create_model(at).eval().to(device)
    tokenizer = open_clip.get_tokenizer(at)

    def texts(captions: list[str]) -> torch.Tensor:
        return model.encode_text(tokenizer(captions).to(device))

    return Contrastive(unit_length(model.encode_image), unit_length(texts))


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
    contrastive=contrastive,
    library="open_clip_torch",
)
