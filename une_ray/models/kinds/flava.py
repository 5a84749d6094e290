"""FLAVA in transformers: the first token of its image and its text tower, projected into the space that its
contrastive loss compares (Singh et al. 2022)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from une_ray.errors import UneError
from une_ray.models.configuration import read_json
from une_ray.models.kind import Embed, ModelKind
from une_ray.models.processors import transformers_preprocessing
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec, Preprocessing

if TYPE_CHECKING:
    import torch

    from une_ray.models.contrastive import TextTower

HEADS = ("mlm_head.", "mim_head.", "itm_head.", "mmm_image_head.", "mmm_text_head.", "image_codebook.")


def complete(spec: ModelSpec) -> ModelSpec:
    """The projection's width, and the preprocessing of the model's processor. Raises UneError for another
    architecture."""
    config = read_json(spec, "config.json")
    if config.get("model_type") != "flava":
        raise UneError(f"{spec.source} is a {config.get('model_type')!r} model; flava: reads FLAVA's")
    size = config.get("image_config", {}).get("image_size", 224)
    preprocessing = transformers_preprocessing(spec, size, fixed=True)
    return replace(spec, dim=config.get("projection_dim", 768), preprocessing=preprocessing)


def load(spec: ModelSpec, device: str) -> Embed:
    """What `get_image_features` gives of the first token."""
    from transformers import FlavaConfig, FlavaModel

    from une_ray.models.loading import load_transformer, ready

    model: Any = ready(load_transformer(spec, FlavaModel, FlavaConfig, FlavaModel, HEADS), device)
    return lambda pixels: model.get_image_features(pixel_values=pixels).pooler_output[:, 0]


def text_tower(spec: ModelSpec, device: str) -> TextTower:
    """What `get_text_features` gives of the first token."""
    import torch
    from transformers import AutoTokenizer, FlavaModel

    from une_ray.models.contrastive import TextTower
    from une_ray.models.loading import pretrained, ready

    model: Any = ready(pretrained(spec, FlavaModel, HEADS, dtype=getattr(torch, spec.dtype)), device)
    tokenizer = AutoTokenizer.from_pretrained(location(spec), revision=spec.revision, trust_remote_code=False)
    limit = min(tokenizer.model_max_length, model.config.text_config.max_position_embeddings)

    def embed(texts: list[str]) -> torch.Tensor:
        # Padding is masked, so a text's vector does not depend on its batch.
        tokens = tokenizer(texts, padding=True, max_length=limit, truncation=True, return_tensors="pt")
        features = model.get_text_features(
            input_ids=tokens.input_ids.to(device), attention_mask=tokens.attention_mask.to(device)
        )
        return features.pooler_output[:, 0]

    def lengths(texts: list[str]) -> list[int]:
        return [len(ids) for ids in tokenizer(texts, truncation=False, verbose=False).input_ids]

    return TextTower(embed=embed, lengths=lengths, limit=limit)


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(224, "stretch"), gpus=0.25, batch_size=64, dtype="float16"
    ),
    complete=complete,
    load=load,
    text_tower=text_tower,
    library="transformers",
    recognises=lambda config: config.get("model_type") == "flava",
)
