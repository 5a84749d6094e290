"""Settings of a function, read off its signature: kind, default, range and what they mean, for help,
sweeps, parsing and checks alike.

    def zero_pads(rows, *, fraction: Annotated[float, Range(0, 1), "share of the pads"] = 0.7): ...

says all that `une --help`, a study's YAML and the documentation need to know of `fraction`.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from une_ray.errors import UneError, unknown

Value = bool | int | float | str


@dataclass(frozen=True)
class Range:
    """The least and the largest value of a number."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting: `kind` is bool, int, float or str; `choices` are all values that a text may have, if it
    is one of a few."""

    name: str
    kind: type
    default: Value
    range: Range = Range()
    choices: tuple[str, ...] = ()
    about: str = ""

    def check(self, value: object, of: str) -> None:
        """Raise UneError where `value` can't be this setting of `of`."""
        if self.choices and value not in self.choices:
            raise unknown(f"{self.name} of {of}", str(value), self.choices)
        if self.kind in (int, float):
            numbers = int if self.kind is int else (int, float)
            if isinstance(value, bool) or not isinstance(value, numbers) or not math.isfinite(value):
                raise UneError(
                    f"{self.name} of {of} is {value!r}; it is a {'whole ' * (self.kind is int)}number"
                )
            if not self.range.low <= value <= self.range.high:
                low, high = self.range.low, self.range.high
                bounds = f"between {low} and {high}" if high < math.inf else f"at least {low}"
                raise UneError(f"{self.name} of {of} is {value!r}; it is {bounds}")
        elif not isinstance(value, self.kind):
            raise UneError(f"{self.name} of {of} is {value!r}; it is {_KINDS[self.kind]}")

    def parse(self, text: str, of: str) -> Value:
        """The value that a text stands for. Raises UneError for a text of another kind."""
        if self.kind is bool:
            if text not in ("true", "false"):
                raise UneError(f"{of}:{self.name}={text}; it is true or false")
            return text == "true"
        try:
            return self.kind(text)
        except ValueError:
            raise UneError(f"{of}:{self.name}={text}; it is {_KINDS[self.kind]}") from None

    def __str__(self) -> str:
        """`fraction=0.7`, as a command line writes it."""
        return f"{self.name}={str(self.default).lower() if self.kind is bool else self.default}"


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def settings_of(function: Callable[..., Any]) -> dict[str, Setting]:
    """Those parameters of a function that have defaults, by name. Raises TypeError for a default of no
    known kind."""
    hints = get_type_hints(function, include_extras=True)
    settings = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.default is not inspect.Parameter.empty:
            settings[name] = _setting(name, hints.get(name, type(parameter.default)), parameter.default)
    return settings


def check_settings(known: Mapping[str, Setting], values: Mapping[str, object], of: str) -> None:
    """Raise UneError for a value that no setting of `of` is, with the known ones, and for a value that
    can't be."""
    for name, value in values.items():
        if not known:
            raise UneError(f"{of} has no settings; got {name!r}")
        if name not in known:
            raise unknown(f"setting of {of}", name, known)
        known[name].check(value, of)


def parse_settings(known: Mapping[str, Setting], assignments: list[str], of: str) -> dict[str, Value]:
    """`["fraction=0.5", "end=last"]` as values, checked. Raises UneError for what is no assignment,
    unknown or of the wrong kind."""
    values: dict[str, Value] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            what = "has no value" if name in known else "is no setting"
            raise UneError(
                f"{name!r} of {of!r} {what}; write {of}:{name if name in known else 'SETTING'}=VALUE"
            )
        value = known[name].parse(text, of) if name in known else text
        check_settings(known, {name: value}, of)
        values[name] = value
    return values


def _setting(name: str, hint: Any, default: Value) -> Setting:
    extras: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        extras = tuple(rest)
    choices = tuple(get_args(hint)) if get_origin(hint) is Literal else ()
    kind = str if choices else hint
    if kind not in _KINDS:
        raise TypeError(
            f"setting {name!r} is annotated {hint!r}; a setting is bool, int, float, str or a Literal of"
            " texts"
        )
    ranges = [extra for extra in extras if isinstance(extra, Range)]
    abouts = [extra for extra in extras if isinstance(extra, str)]
    return Setting(
        name=name,
        kind=kind,
        default=default,
        range=ranges[0] if ranges else Range(),
        choices=choices,
        about=abouts[0] if abouts else "",
    )
