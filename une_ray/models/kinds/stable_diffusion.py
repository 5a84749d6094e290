"""Stable Diffusion 1.x and 2.x, their LCM distillations and mini-sd, in diffusers' folder layout."""

from __future__ import annotations

from dataclasses import replace

from une_ray.models.configuration import read_json
from une_ray.models.kind import ModelKind
from une_ray.models.spec import HALF, ModelSpec, Preprocessing


def complete(spec: ModelSpec) -> ModelSpec:
    """The latent's length, and the size of the pictures that the autoencoder makes of it."""
    unet, vae = read_json(spec, "unet/config.json"), read_json(spec, "vae/config.json")
    side = unet["sample_size"]
    size = side * 2 ** (len(vae["block_out_channels"]) - 1)
    preprocessing = replace(spec.preprocessing, size=size)
    return replace(spec, dim=unet["in_channels"] * side * side, preprocessing=preprocessing)


KIND = ModelKind(
    defaults=ModelSpec(
        preprocessing=Preprocessing(512, "crop", mean=HALF, std=HALF), batch_size=16, dtype="float16"
    ),
    complete=complete,
    library="diffusers",
    generates=True,
)
