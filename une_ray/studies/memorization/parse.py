"""Methods and their settings as a line of text:
`pad-swap,zero-pads:fraction=0.5:end=last,wen:iterations=20`."""

from __future__ import annotations

from une_ray.errors import UneError
from une_ray.registry import MITIGATIONS
from une_ray.settings import parse_settings
from une_ray.studies.memorization.task import MethodChoice


def parse(text: str) -> list[MethodChoice]:
    """Every method and its settings, in their order, once each.

    Raises UneError for what there is not, and for a value of the wrong kind.
    """
    choices = [_method(part.strip()) for part in text.split(",") if part.strip()]
    if not choices:
        raise UneError(f"{text!r} names no method; write NAME or NAME:SETTING=VALUE, separated by commas")
    return [choice for i, choice in enumerate(choices) if choice not in choices[:i]]


def _method(text: str) -> MethodChoice:
    name, *assignments = text.split(":")
    method = MITIGATIONS.find(name)
    settings = parse_settings(method.settings, assignments, name)
    method.check(name, settings)
    return MethodChoice(name=name, settings=settings)
