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

    from une_ray.models.contrastive import Contrastive


def complete(spec: ModelSpec) -> ModelSpec:
    """The projection's width, and the preprocessing of the model's processor."""
    config = read_json(spec, "config.json")
    vision = config.get("vision_config", config)
    preprocessing = transformers_preprocessing(spec, vision["image_size"])
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


def contrastive(spec: ModelSpec, device: str) -> Contrastive:
    """Both towers with their projections, in float32."""
    import torch
    from transformers import CLIPModel, CLIPTokenizer

    from une_ray.models.contrastive import Contrastive, unit_length
    from une_ray.models.loading import pretrained, ready

    model: Any = ready(pretrained(spec, CLIPModel, dtype=torch.float32), device)
    tokenizer = CLIPTokenizer.from_pretrained(location(spec), revision=spec.revision)

    def images(pixels: torch.Tensor) -> torch.Tensor:
        return model.get_image_features(pixel_values=pixels).pooler_output

    def texts(captions: list[str]) -> torch.Tensor:
        tokens = tokenizer(captions, padding="max_length", truncation=True, return_tensors="pt")
        return model.get_text_features(input_ids=tokens.input_ids.to(device)).pooler_output

    return Contrastive(unit_length(images), unit_length(texts))


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(224, resize=224), gpus=0.25, batch_size=64, dtype="float16"
    ),
    complete=complete,
    load=load,
    contrastive=contrastive,
    library="transformers",
)
