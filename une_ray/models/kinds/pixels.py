"""The picture itself, small and flattened: no model, the baseline of every probe."""

from __future__ import annotations

from dataclasses import replace

from une_ray.models.kind import Embed, ModelKind
from une_ray.models.spec import HALF, ModelSpec, Preprocessing


def complete(spec: ModelSpec) -> ModelSpec:
    """Three channels of the preprocessing's size."""
    return replace(spec, dim=3 * spec.preprocessing.size**2)


def load(spec: ModelSpec, device: str) -> Embed:
    """The picture at the size of its preprocessing, flattened as (3, h, w)."""
    return lambda pixels: pixels.flatten(1)


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(16, "crop", resample="box", mean=HALF, std=HALF),
        gflops=0.0,
        parameters=0.0,
        gpus=0.25,
        batch_size=256,
        pooling="none",
    ),
    complete=complete,
    load=load,
    weights=False,
    role="control",
)
