"""How a space is named: which kind it is of, by what stands after its model's id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError, unknown
from une_ray.models.spec import ModelSpec
from une_ray.registry import MODEL_KINDS, SPACE_KINDS

GRAMMAR = re.compile(r"(?P<kind>[a-z]+)(?P<steps>\d+)?(?:-(?P<spacing>[a-z]+))?")
EMBEDDING = "embedding"  # the kind of an encoder's space, whose name is the model's id alone


def parse_kind(text: str, model: ModelSpec) -> tuple[str, int | None, str | None]:
    """(kind, steps, spacing) of `ddim50`, `leak50-trailing`, `latents`; without a spacing the model's own.

    Raises UneError for an unknown kind or schedule, for a kind that does not read such a model, for steps
    that are missing or too many, and for a kind that would not notice that the U-Net's weights are fresh
    ones.
    """
    known = kinds_of(model)
    if not text:
        if EMBEDDING in known:
            return EMBEDDING, None, None
        raise UneError(
            f"{model.id!r} does not say how to invert; a generator's space is MODEL/ddimSTEPS, as in"
            f" {model.id}/ddim50"
        )
    match = GRAMMAR.fullmatch(text)
    named = [kind for kind in known if kind != EMBEDDING]
    if match is None or match["kind"] not in named:
        if EMBEDDING in known:
            others = "".join(f", and its captions' {model.id}/{kind}" for kind in named)
            raise UneError(
                f"{model.id} is an encoder: its space is just {model.id!r}, without {text!r}{others}"
            )
        raise unknown("space kind", text, map(example, named))
    name = match["kind"]
    kind = SPACE_KINDS.find(name)
    if model.init_seed is not None and "text tower" in kind.reads:
        raise UneError(
            f"{model.id} has fresh weights, whose texts say nothing of pictures; leave 'random-' away"
        )
    if model.init_seed is not None and model.is_generator and not kind.denoises:
        raise UneError(
            f"{text!r} of {model.id} runs no U-Net, and nothing else of it has fresh weights; leave 'random-'"
            " away"
        )
    if not kind.scheduled:
        if text != name:
            raise UneError(f"{text!r}: {name} takes no steps; the space is {model.id}/{name}")
        return name, None, None
    if match["steps"] is None:
        raise UneError(
            f"{text!r} names no number of steps; the space is {model.id}/{form(name)}, as in"
            f" {model.id}/{name}50"
        )
    steps, spacing = int(match["steps"]), match["spacing"] or model.spacing
    timesteps(steps, spacing)  # refuses what is no schedule
    return name, steps, spacing


def kinds_of(model: ModelSpec) -> list[str]:
    """Names of the kinds that read such a model."""
    sorts = {"generator" if model.is_generator else "encoder"}
    if MODEL_KINDS.find(model.kind).text_tower is not None:
        sorts.add("text tower")
    return [name for name, kind in SPACE_KINDS.items() if sorts & {*kind.reads}]


def is_kind(text: str) -> bool:
    """Whether the last part of a path is a space kind, not a folder."""
    match = GRAMMAR.fullmatch(text)
    return match is not None and match["kind"] in SPACE_KINDS


def form(name: str) -> str:
    """How a space of a kind is written after its model's id."""
    return f"{name}STEPS[-SPACING]" if SPACE_KINDS.find(name).scheduled else name


def example(name: str) -> str:
    return f"{name}50" if SPACE_KINDS.find(name).scheduled else name


def decodable(spaces: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of a lake's fingerprints by space from whose latents their generator makes pictures again."""
    methods = {kind.method for _, kind in SPACE_KINDS.items() if kind.decodes}
    return {name: fingerprint for name, fingerprint in spaces.items() if fingerprint.get("method") in methods}
