"""Vision encoders of every kind under one call: pixels → embedding, never unit-normalised."""

from __future__ import annotations

from une_ray.errors import UneError
from une_ray.models.kind import Embed
from une_ray.models.spec import ModelSpec
from une_ray.registry import MODEL_KINDS


def load_encoder(spec: ModelSpec, device: str = "cpu") -> Embed:
    """The embedding function of an encoder. Raises UneError for a generator."""
    load = MODEL_KINDS.find(spec.kind).load
    if load is None:
        raise UneError(f"{spec.id} is a {spec.kind} model, not an encoder")
    return load(spec, device)
