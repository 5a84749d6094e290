"""Methods and their settings as a line of text: `pad-swap,zero-pads:fraction=0.5:end=last,wen:iterations=20`."""

from __future__ import annotations

from une_ray.errors import UneError
from une_ray.studies.memorization.methods import check, defaults


def parse(text: str) -> list[tuple[str, dict]]:
    """(name, settings) of every method, in their order, once each. Raises UneError for what there is not, and for a value of the wrong kind."""
    found = [_method(part.strip()) for part in text.split(",") if part.strip()]
    if not found:
        raise UneError(f"{text!r} names no method; write NAME or NAME:SETTING=VALUE, separated by commas")
    return [method for i, method in enumerate(found) if method not in found[:i]]


def _method(text: str) -> tuple[str, dict]:
    name, *assignments = text.split(":")
    known = defaults(name)
    settings = {}
    for assignment in assignments:
        setting, equals, value = assignment.partition("=")
        if not equals:
            raise UneError(f"{assignment!r} in {text!r} is no setting; write {name}:SETTING=VALUE")
        settings[setting] = (
            _value(f"{name}:{setting}", value, type(known[setting])) if setting in known else value
        )
        check(name, {setting: settings[setting]})
    check(name, settings)
    return name, settings


def _value(setting: str, text: str, kind: type) -> bool | int | float | str:
    """As the setting's default is: `kind` is bool, int, float or str."""
    if kind is bool:
        if text not in ("true", "false"):
            raise UneError(f"{setting}={text}; it is true or false")
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        raise UneError(f"{setting}={text}; it is {'a whole number' if kind is int else 'a number'}") from None
