"""The ways to read a generator: what a space's name says after the model's id. A new one is a step in a file of its own and a row here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError, unknown
from une_ray.models.adhoc import train_timesteps
from une_ray.models.spec import ModelSpec

GRAMMAR = re.compile(r"(?P<reading>[a-z]+)(?P<steps>\d+)?(?:-(?P<spacing>[a-z]+))?")
INVERSION = "ddim-inversion"


@dataclass(frozen=True)
class Reading:
    """One way to read a generator. `step` is where its class is, imported only when a space is loaded: diffusers takes seconds.
    `facts(model, steps, spacing)` is what a fingerprint must say of it."""

    about: str
    step: str
    facts: Callable[[ModelSpec, int | None, str | None], dict]
    scheduled: bool = (
        True  # walks or ends on a schedule: its name has a number of steps, and may have a spacing
    )
    denoises: bool = True  # runs the U-Net


def parse_reading(text: str, model: ModelSpec) -> tuple[str, int | None, str | None]:
    """(reading, steps, spacing) of `ddim50`, `leak50-trailing`, `latents`; without a spacing the model's own.

    Raises UneError for an unknown reading or schedule, steps that are missing or too many, and for a reading that would
    not notice that the U-Net's weights are fresh ones.
    """
    if not text:
        raise UneError(
            f"{model.id!r} does not say how to invert; a generator's space is MODEL/ddimSTEPS, as in {model.id}/ddim50"
        )
    match = GRAMMAR.fullmatch(text)
    if match is None or match["reading"] not in READINGS:
        raise unknown(
            "reading", text, [f"{name}50" if known.scheduled else name for name, known in READINGS.items()]
        )
    name, reading = match["reading"], READINGS[match["reading"]]
    if model.init_seed is not None and not reading.denoises:
        raise UneError(
            f"{text!r} of {model.id} runs no U-Net, and nothing else of it has fresh weights; leave 'random-' away"
        )
    if not reading.scheduled:
        if text != name:
            raise UneError(f"{text!r}: {name} takes no steps; the space is {model.id}/{name}")
        return name, None, None
    if match["steps"] is None:
        raise UneError(
            f"{text!r} names no number of steps; the space is {model.id}/{form(name)}, as in {model.id}/{name}50"
        )
    steps, spacing = int(match["steps"]), match["spacing"] or model.spacing
    timesteps(steps, spacing)  # refuses what is no schedule
    return name, steps, spacing


def is_reading(text: str) -> bool:
    """Whether the last part of a path is a reading, not a folder."""
    match = GRAMMAR.fullmatch(text)
    return match is not None and match["reading"] in READINGS


def form(name: str) -> str:
    """How a reading is written."""
    return f"{name}STEPS[-SPACING]" if READINGS[name].scheduled else name


def decodable(spaces: dict[str, dict]) -> dict[str, dict]:
    """Those of a lake's fingerprints by space that are of inverted noise, from which their generator makes pictures again."""
    return {
        name: fingerprint for name, fingerprint in spaces.items() if fingerprint.get("method") == INVERSION
    }


def noise_key(model: ModelSpec, steps: int, spacing: str) -> str:
    """What the signal leak's noise is seeded from beside the image id. Spaces that shared noise would seem to be maps of one another."""
    return f"{model.id}/leak{steps}-{spacing}"


def _ddim(model: ModelSpec, steps: int, spacing: str) -> dict:
    return {
        "method": INVERSION,
        "steps": steps,
        "spacing": spacing,
        "prompt": model.prompt,
        "guidance_scale": 1.0,
    }


def _leak(model: ModelSpec, steps: int, spacing: str) -> dict:
    return {
        "method": "signal-leak",
        "steps": steps,
        "spacing": spacing,
        "dtype": "float32",
        "final_timestep": timesteps(steps, spacing, train_timesteps(model))[-1],
        "noise": f"numpy {np.__version__.split('.')[0]} PCG64, seed sha256({noise_key(model, steps, spacing)}/IMAGE_ID)",
    }


def _latents(model: ModelSpec, steps: None, spacing: None) -> dict:
    return {"method": "autoencoder-latents", "dtype": "float32"}


READINGS = {
    "ddim": Reading("inverted noise", "une_ray.spaces.ddim:Invert", _ddim),
    "leak": Reading(
        "what of a picture is left beside fresh noise at the last timestep",
        "une_ray.spaces.leak:Leak",
        _leak,
        denoises=False,
    ),
    "latents": Reading(
        "autoencoder latents", "une_ray.spaces.latents:Latents", _latents, scheduled=False, denoises=False
    ),
}
