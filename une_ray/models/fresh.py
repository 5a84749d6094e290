"""Weights drawn anew: an architecture before any training, the control for what training added (random-ID in the table of models)."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import torch

from une_ray.models.spec import ModelSpec

LIBRARY = {
    "stable-diffusion": "diffusers",
    "clip": "transformers",
    "open-clip": "open_clip_torch",
    "dino": "transformers",
    "classifier": "transformers",
}


def fresh(spec: ModelSpec, build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """`build()` under the spec's seed, in its dtype. Drawn in float32 on the CPU, so that every worker has the same weights
    whatever its device; the process' own random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.init_seed)
        return build().to(getattr(torch, spec.dtype))


def initialisation(spec: ModelSpec) -> dict:
    """What decides the weights besides the configuration, for a fingerprint: the seed and the libraries that draw."""
    return {"seed": spec.init_seed} | {name: version(name) for name in ("torch", LIBRARY[spec.kind])}
