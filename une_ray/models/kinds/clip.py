"""CLIP in transformers: its image tower with projection, and the text tower (Radford et al. 2021)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.processors import transformers_preprocessing
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec, Preprocessing

if TYPE_CHECKING:
    import torch

    from une_ray.models.contrastive import TextTower


def complete(spec: ModelSpec) -> ModelSpec:
    """The projection's width, and the preprocessing of the model's processor."""
    config = read_json(spec, "config.json")
    vision = config.get("vision_config", config)
    preprocessing = transformers_preprocessing(spec, vision["image_size"], fixed=True)
    return replace(spec, dim=projection_dim(spec), preprocessing=preprocessing)


def projection_dim(spec: ModelSpec) -> int:
    """As `CLIPModel` takes it: that of the whole model, of which its towers' own may be a leftover."""
    return read_json(spec, "config.json").get("projection_dim", 512)  # transformers' own default


def load(spec: ModelSpec, device: str) -> Embed:
    """The image tower with its projection: what `get_image_features` pools."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    from une_ray.models.loading import load_transformer, ready

    network = load_transformer(
        spec,
        CLIPVisionModelWithProjection,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
        unread=("text_model.", "text_projection.", "logit_scale"),
        projection_dim=projection_dim(spec),
    )
    model = ready(network, device)
    return lambda pixels: model(pixel_values=pixels).image_embeds


def text_tower(spec: ModelSpec, device: str) -> TextTower:
    """The text tower with its projection: what `get_text_features` pools."""
    import torch
    from transformers import CLIPTextModelWithProjection, CLIPTokenizer

    from une_ray.models.contrastive import TextTower
    from une_ray.models.loading import pretrained, ready

    network = pretrained(
        spec,
        CLIPTextModelWithProjection,
        unread=("vision_model.", "visual_projection.", "logit_scale"),
        dtype=getattr(torch, spec.dtype),
        projection_dim=projection_dim(spec),
    )
    model: Any = ready(network, device)
    tokenizer = CLIPTokenizer.from_pretrained(location(spec), revision=spec.revision)
    limit = min(tokenizer.model_max_length, model.config.max_position_embeddings)

    def embed(texts: list[str]) -> torch.Tensor:
        tokens = tokenizer(
            texts, padding="max_length", max_length=limit, truncation=True, return_tensors="pt"
        )
        return model(input_ids=tokens.input_ids.to(device)).text_embeds

    def lengths(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, truncation=False, verbose=False).input_ids]

    return TextTower(embed=embed, lengths=lengths, limit=limit)


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(224, resize=224), gpus=0.25, batch_size=64, dtype="float16"
    ),
    complete=complete,
    load=load,
    text_tower=text_tower,
    library="transformers",
    recognises=lambda config: config.get("model_type") in ("clip", "clip_vision_model"),
)
