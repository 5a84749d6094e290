"""What a method's arguments may be, read off its annotations, so that a slip is named before anything is
done; and what notebooks hold, NumPy's numbers and arrays, as Python's own."""

from __future__ import annotations

import functools
import inspect
import os
import reprlib
from collections.abc import Callable, Collection, Iterable
from numbers import Integral, Real
from typing import Any, TypeVar

from une_ray.errors import UneError


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are(fits: Callable[[Any], bool], values: Any) -> bool:
    """Whether all of a list are so; what can be read only once is not read."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        return False
    return not isinstance(values, Collection) or all(map(fits, values))


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


Owner = TypeVar("Owner")
Call = TypeVar("Call", bound=Callable[..., Any])
NUMBERS = "numbers, as in [.1, 1]"
NAMES = "a name or a list of names"
KINDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "int": (_is_whole, "a whole number, as in 3"),
    "float": (_is_number, "a number"),
    "str": (_is_text, "one text"),
    "str | Path": (_is_path, "a path, as in 'demo/lake'"),
    "Names": (lambda value: _is_text(value) or _are(_is_text, value), NAMES),
    "str | Sequence[str]": (lambda value: _is_text(value) or _are(_is_text, value), NAMES),
    "Sequence[str]": (lambda value: _are(_is_text, value), "a list of texts"),
    "Sequence[float]": (lambda value: _are(_is_number, value), f"a list of {NUMBERS}"),
    "float | Sequence[float]": (
        lambda value: _is_number(value) or _are(_is_number, value),
        f"a number or a list of {NUMBERS}",
    ),
}  # by an annotation's text; others are not looked at


def of_their_kinds(owner: type[Owner]) -> type[Owner]:
    """The class, whose public methods raise UneError for an argument that is not as its annotation says."""
    for name, method in list(vars(owner).items()):
        if inspect.isfunction(method) and not name.startswith("_"):
            setattr(owner, name, checked(method))
    return owner


def checked(function: Call) -> Call:
    """The same function or method, alone."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*values: Any, **named: Any) -> Any:
        values, named = tuple(map(_plain, values)), {name: _plain(value) for name, value in named.items()}
        try:
            given = signature.bind(*values, **named).arguments
        except TypeError:  # Python says better what is missing or not known
            return function(*values, **named)
        for name, value in given.items():
            parameter = signature.parameters[name]
            several: Iterable[tuple[str, Any]] = [(name, value)]
            if parameter.kind is parameter.VAR_POSITIONAL:
                several = [(name, each) for each in value]
            elif parameter.kind is parameter.VAR_KEYWORD:
                several = value.items()
            for shown, each in several:
                _refuse_another(shown, each, str(parameter.annotation))
        return function(*values, **named)

    return call  # type: ignore[return-value]


def _refuse_another(name: str, value: Any, annotation: str) -> None:
    kind = annotation.removesuffix(" | None")
    may_be_none = kind != annotation or kind == "Names"
    if kind in KINDS and not (value is None and may_be_none) and not KINDS[kind][0](value):
        shown = " ".join(reprlib.repr(value).split())
        raise UneError(f"{name} is {shown}; it must be {KINDS[kind][1]}")


def _plain(value: Any) -> Any:
    """Numbers and arrays of NumPy, pandas or torch, by themselves or in a list or dict, as Python's, which
    JSON and DuckDB know."""
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return value.tolist()
    if type(value) is dict:
        return {name: _plain(each) for name, each in value.items()}
    return type(value)(map(_plain, value)) if type(value) in (list, tuple, set, frozenset) else value
