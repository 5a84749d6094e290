"""Image–text models with both towers: texts and pictures as unit vectors whose cosine says how well they fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import normalize
from transformers import CLIPModel, CLIPTokenizer

from une_ray.errors import UneError
from une_ray.models.quiet import quiet
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec


@dataclass(frozen=True)
class Contrastive:
    """`images`: (b, 3, h, w) pixels as the spec's preprocessing gives them → (b, dim); `texts`: b strings → (b, dim). Unit length."""

    images: Callable[[torch.Tensor], torch.Tensor]
    texts: Callable[[list[str]], torch.Tensor]


def load_contrastive(spec: ModelSpec, device: str = "cpu") -> Contrastive:
    """Both towers in float32. Raises UneError for a model without a text tower."""
    if spec.kind not in LOADERS:
        raise UneError(
            f"{spec.id} is a {spec.kind} model: it reads no text; {' and '.join(LOADERS)} models do"
        )
    if spec.init_seed is not None:
        raise UneError(
            f"{spec.id} has fresh weights, whose texts say nothing of pictures; leave 'random-' away"
        )
    quiet()
    return LOADERS[spec.kind](spec, device)


def _clip(spec: ModelSpec, device: str) -> Contrastive:
    at, options = location(spec), {"revision": spec.revision}
    model = (
        CLIPModel.from_pretrained(at, dtype=torch.float32, use_safetensors=True, **options).eval().to(device)
    )
    words = CLIPTokenizer.from_pretrained(at, **options)

    def texts(captions: list[str]) -> torch.Tensor:
        ids = words(captions, padding="max_length", truncation=True, return_tensors="pt").input_ids.to(device)
        return model.get_text_features(input_ids=ids).pooler_output

    return Contrastive(_unit(lambda x: model.get_image_features(pixel_values=x).pooler_output), _unit(texts))


def _open_clip(spec: ModelSpec, device: str) -> Contrastive:
    import open_clip

    from une_ray.models.encoders import open_clip_folder

    at = f"local-dir:{open_clip_folder(spec)}"
    model, words = open_clip.create_model(at).eval().to(device), open_clip.get_tokenizer(at)
    return Contrastive(
        _unit(model.encode_image), _unit(lambda captions: model.encode_text(words(captions).to(device)))
    )


def _unit(tower: Callable) -> Callable:
    @torch.no_grad()
    def embed(x) -> torch.Tensor:
        return normalize(tower(x), dim=-1)

    return embed


LOADERS = {"clip": _clip, "open-clip": _open_clip}
