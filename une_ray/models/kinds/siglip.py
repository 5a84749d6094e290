"""SigLIP and SigLIP 2 of a fixed size in transformers: the attention-pooled image tower, and the text tower
(Zhai et al. 2023, Tschannen et al. 2025)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from une_ray.errors import UneError
from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.processors import transformers_preprocessing
from une_ray.models.resolve import location
from une_ray.models.spec import HALF, ModelSpec, Preprocessing

if TYPE_CHECKING:
    import torch

    from une_ray.models.contrastive import TextTower


READ = ("siglip", "siglip_vision_model")


def complete(spec: ModelSpec) -> ModelSpec:
    """The image tower's width, and the preprocessing of the model's processor. Raises UneError for another
    architecture."""
    config = read_json(spec, "config.json")
    model_type = config.get("model_type")
    if model_type == "siglip2":
        raise UneError(
            f"{spec.source} is SigLIP 2 of variable shape (NaFlex); une_ray makes square pictures: take a"
            " SigLIP 2 of a fixed size, as -patch16-256"
        )
    if model_type not in READ:
        raise UneError(f"{spec.source} is a {model_type!r} model; siglip: reads SigLIP's")
    vision = config.get("vision_config", config)
    preprocessing = transformers_preprocessing(spec, vision.get("image_size", 224), fixed=True)
    return replace(spec, dim=vision.get("hidden_size", 768), preprocessing=preprocessing)


def load(spec: ModelSpec, device: str) -> Embed:
    """The image tower's pooled output: what `get_image_features` gives."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    from une_ray.models.loading import load_transformer, ready

    unread = ("text_model.", "logit_scale", "logit_bias")
    network = load_transformer(spec, SiglipVisionModel, SiglipVisionConfig, SiglipVisionModel, unread)
    model = ready(network, device)
    return lambda pixels: model(pixel_values=pixels).pooler_output


def text_tower(spec: ModelSpec, device: str) -> TextTower:
    """The text tower's pooled output: what `get_text_features` gives."""
    import torch
    from transformers import AutoTokenizer, SiglipTextModel

    from une_ray.models.contrastive import TextTower
    from une_ray.models.loading import pretrained, ready

    unread = ("vision_model.", "logit_scale", "logit_bias")
    network = pretrained(spec, SiglipTextModel, unread, dtype=getattr(torch, spec.dtype))
    model: Any = ready(network, device)
    tokenizer = AutoTokenizer.from_pretrained(location(spec), revision=spec.revision, trust_remote_code=False)
    limit = model.config.max_position_embeddings

    def embed(texts: list[str]) -> torch.Tensor:
        # It was trained on padded texts without a mask.
        tokens = tokenizer(
            texts, padding="max_length", max_length=limit, truncation=True, return_tensors="pt"
        )
        return model(input_ids=tokens.input_ids.to(device)).pooler_output

    def lengths(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, truncation=False, verbose=False).input_ids]

    return TextTower(embed=embed, lengths=lengths, limit=limit)


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(224, "stretch", resize=224, mean=HALF, std=HALF),
        gpus=0.25,
        batch_size=64,
        dtype="float16",
    ),
    complete=complete,
    load=load,
    text_tower=text_tower,
    library="transformers",
    recognises=lambda config: config.get("model_type") in READ,
)
