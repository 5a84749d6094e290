"""How a space is named: which kind it is of, by what stands after its model's id."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError, unknown
from une_ray.models.spec import ModelSpec
from une_ray.registry import MODEL_KINDS, SPACE_KINDS

if TYPE_CHECKING:
    from une_ray.spaces.kind import SpaceKind

GRAMMAR = re.compile(r"(?P<kind>[a-z]+)(?P<number>\d+)?(?:@(?P<timestep>\d+))?(?:-(?P<word>[a-z]+))?")
AT, FLAT, SEEDS = "-at", "flat", 16
EMBEDDING = "embedding"  # the kind of an encoder's space, whose name is the model's id alone


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How a model is read: a space kind, and what its name says besides. `steps` and `spacing` are its
    schedule, `timestep` the one that it looks at, `seeds` how many it averages over; `flat` keeps places
    apart."""

    kind: str
    steps: int | None = None
    spacing: str | None = None
    timestep: int | None = None
    seeds: int | None = None
    flat: bool = False


def parse_kind(text: str, model: ModelSpec) -> Reading:
    """Of `ddim50`, `leak50-trailing`, `latents`, `hspace@500-flat`; without a spacing the model's own.

    Raises UneError for an unknown kind or schedule, for a kind that does not read such a model, for numbers
    that are missing or too many, and for a kind that would not notice that the U-Net's weights are fresh
    ones.
    """
    if not text:
        if _is_read_by(EMBEDDING, model):
            return Reading(kind=EMBEDDING)
        raise UneError(
            f"{model.id!r} does not say how to invert; a generator's space is MODEL/ddimSTEPS, as in"
            f" {model.id}/ddim50"
        )
    match = GRAMMAR.fullmatch(text)
    name = "" if match is None else _name(match)
    if match is None or name == EMBEDDING or not _is_read_by(name, model):
        named = [kind for kind in kinds_of(model) if kind != EMBEDDING]
        if _is_read_by(EMBEDDING, model):
            others = "".join(f", and its captions' {model.id}/{kind}" for kind in named)
            raise UneError(
                f"{model.id} is an encoder: its space is just {model.id!r}, without {text!r}{others}"
            )
        raise unknown("space kind", text, map(example, named))
    _refuse_fresh(text, model, SPACE_KINDS.find(name))
    return _reading(text, model, name, match)


def _name(match: re.Match[str]) -> str:
    """The kind's, by what is written."""
    return match["kind"] + (AT if match["timestep"] else "")


def _refuse_fresh(text: str, model: ModelSpec, kind: SpaceKind) -> None:
    if model.init_seed is None:
        return
    if "text tower" in kind.reads:
        raise UneError(
            f"{model.id} has fresh weights, whose texts say nothing of pictures; leave 'random-' away"
        )
    if model.is_generator and not kind.denoises:
        raise UneError(
            f"{text!r} of {model.id} runs no U-Net, and nothing else of it has fresh weights; leave 'random-'"
            " away"
        )


def _reading(text: str, model: ModelSpec, name: str, match: re.Match[str]) -> Reading:
    kind, number, word = SPACE_KINDS.find(name), match["number"], match["word"]
    if kind.scheduled:
        if number is None:
            raise UneError(
                f"{text!r} names no number of steps; the space is {model.id}/{form(name)}, as in"
                f" {model.id}/{example(name)}"
            )
        steps, spacing = int(number), word or model.spacing
        timesteps(steps, spacing)  # refuses what is no schedule
        return Reading(kind=name, steps=steps, spacing=spacing)
    if (number and not kind.seeded) or (word and not (kind.has_places and word == FLAT)):
        what = f"takes no steps; the space is {model.id}/{example(name)}"
        raise UneError(f"{text!r}: {name.removesuffix(AT)} {what}")
    if kind.seeded:
        from une_ray.spaces.drawing import STEPS

        if number and int(number) < 1:
            raise UneError(f"{text!r}: a mean over at least one seed")
        return Reading(
            kind=name,
            steps=STEPS,
            spacing=model.spacing,
            seeds=int(number or SEEDS),
            flat=word == FLAT,
        )
    timestep = int(match["timestep"]) if kind.timed else None
    return Reading(kind=name, timestep=timestep, flat=word == FLAT)


def refuse_repeated(names: Sequence[str]) -> None:
    """Raise UneError for spaces of which two have one name."""
    if repeated := [name for name, count in Counter(names).items() if count > 1]:
        raise UneError(f"a space is named twice in {', '.join(names)}: {', '.join(repeated)}")


def kinds_of(model: ModelSpec) -> list[str]:
    """Names of the kinds that read such a model."""
    return [name for name in SPACE_KINDS.names() if _is_read_by(name, model)]


def _is_read_by(name: str, model: ModelSpec) -> bool:
    """Whether there is such a kind, and it reads such a model; no other kind is imported for it."""
    sorts = {"generator" if model.is_generator else "encoder"}
    if MODEL_KINDS.find(model.kind).text_tower is not None:
        sorts.add("text tower")
    return name in SPACE_KINDS and bool(sorts & {*SPACE_KINDS.find(name).reads})


def is_kind(text: str) -> bool:
    """Whether the last part of a path is a space kind, not a folder."""
    match = GRAMMAR.fullmatch(text)
    return match is not None and _name(match) in SPACE_KINDS


def form(name: str) -> str:
    """How a space of a kind is written after its model's id."""
    kind, stem = SPACE_KINDS.find(name), name.removesuffix(AT)
    if kind.scheduled:
        return f"{name}STEPS[-SPACING]"
    middle = "@TIMESTEP" if kind.timed else "[SEEDS]" if kind.seeded else ""
    return f"{stem}{middle}{f'[-{FLAT}]' if kind.has_places else ''}"


def example(name: str) -> str:
    kind = SPACE_KINDS.find(name)
    if kind.timed:
        return f"{name.removesuffix(AT)}@500"
    return f"{name}50" if kind.scheduled else name


def decodable(spaces: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Those of a lake's fingerprints by space from whose latents their generator makes pictures again."""
    methods = {kind.method for _, kind in SPACE_KINDS.items() if kind.decodes}
    return {name: fingerprint for name, fingerprint in spaces.items() if fingerprint.get("method") in methods}
