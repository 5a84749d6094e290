"""A sweep's search as data: what is fixed, what is varied, what is wanted, and scales by name. Read from
YAML.

Words: a *sweep* searches the settings of a *study*, such as edits. What it varies and wants is a *search
space*, one YAML file, which the command line and the table `sweeps` call the sweep's study."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import yaml

from une_ray.errors import UneError, unknown
from une_ray.settings import Value

DIGITS = 3  # significant ones of a searched number, so that a command can name it exactly


class Asks(Protocol):
    """What a search algorithm hands to `suggested`: Optuna's trial, or a test's."""

    def suggest_categorical(self, name: str, choices: Any) -> Any: ...
    def suggest_int(self, name: str, low: int, high: int) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...


@dataclass(frozen=True)
class Parameter:
    """One dimension of the search: `choices`, or a range `low` to `high` of a kind. With `when`, it exists
    where for one of these the other parameters all have the values named."""

    kind: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    when: tuple[dict[str, list[Value]], ...] = ({},)

    def applies(self, settings: Mapping[str, Value]) -> bool:
        return any(
            all(settings.get(name) in values for name, values in alternative.items())
            for alternative in self.when
        )

    def suggest(self, asks: Asks, name: str) -> Value:
        if self.kind == "choices":
            return asks.suggest_categorical(name, self.choices)
        if self.kind == "integers":
            return asks.suggest_int(name, int(self.low), int(self.high))
        return float(f"{asks.suggest_float(name, self.low, self.high, log=self.kind == 'log'):.{DIGITS}g}")


@dataclass(frozen=True)
class Scale:
    """How many `trials`, and on how much each may be judged: `first` units at first, `factor` times as many
    at each rung, and at the last `most`, in place of the largest of these that is not above it."""

    trials: int
    first: int
    most: int
    factor: int = 2

    @property
    def rungs(self) -> list[int]:
        """[8, 16, 32] of first 8, most 32 and factor 2."""
        budgets = [self.first]
        while budgets[-1] * self.factor <= self.most:
            budgets.append(budgets[-1] * self.factor)
        return [*budgets[:-1], self.most]


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """`fixed` is told to every trial; `space` holds the parameters that are varied; `points` are settings
    to try first, by name; `weights` make the one number by which asynchronous halving stops trials: the sum
    of weight × objective, more is better. `resources` are those of one trial."""

    name: str
    fixed: dict[str, Any]
    space: dict[str, Parameter]
    points: dict[str, dict[str, Value]]
    weights: dict[str, float]
    scales: dict[str, Scale]
    seed: int = 0
    resources: dict[str, float] | None = None

    def scale(self, name: str) -> Scale:
        if name not in self.scales:
            raise unknown(f"scale of study {self.name}", name, self.scales)
        return self.scales[name]

    def suggested(self, asks: Asks, prefix: str = "") -> dict[str, Value]:
        """Settings of one trial: each parameter that applies, in the order of the study."""
        settings: dict[str, Value] = {}
        for name, parameter in self.space.items():
            if parameter.applies(settings):
                settings[name] = parameter.suggest(asks, prefix + name)
        return settings

    def point(self, settings: Mapping[str, Value]) -> str | None:
        """The name of the point that these settings are."""
        return next((name for name, values in self.points.items() if values == settings), None)


def read(path: str | Path, shipped_path: str) -> SearchSpace:
    """From a file of the user's, of the same form as the one at `shipped_path`. Raises UneError for what is
    wrong in it."""
    try:
        return parse(Path(path).stem, Path(os.path.expanduser(path)).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UneError(f"can't read the study {path}: {error}; the shipped one is {shipped_path}") from error


def parse(name: str, text: str, where: str) -> SearchSpace:
    """Of YAML; `where` names it in messages. Raises UneError for what is wrong in it."""
    data = _checked(text, where)
    search = SearchSpace(
        name=str(data.get("name", name)),
        fixed=data.get("fixed") or {},
        space={key: _parameter(key, described, where) for key, described in data["space"].items()},
        points=data.get("points") or {},
        weights={key: float(value) for key, value in data["weights"].items()},
        seed=data.get("seed", 0),
        scales={key: _scale(key, described, where) for key, described in data["scales"].items()},
        resources=data.get("resources"),
    )
    for point, settings in search.points.items():
        _check_point(search, point, settings, where)
    return search


def _checked(text: str, where: str) -> dict[str, Any]:
    """The YAML's mapping, its parts of the right kinds."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UneError(f"{where} is not YAML: {error}") from error
    known = [field.name for field in fields(SearchSpace)]
    if not isinstance(data, dict):
        raise UneError(f"{where} holds no study; it is a mapping of {', '.join(known)}")
    for key in data:
        if key not in known:
            raise unknown(f"part of a study in {where}", str(key), known)
    for key in ("space", "weights", "scales"):
        if not isinstance(data.get(key), dict) or not data[key]:
            raise UneError(f"{where} says nothing of {key!r}, which every study needs")
    for key in ("fixed", "points", "resources"):
        if not isinstance(data.get(key) or {}, dict):
            raise UneError(f"{where}: {key} is {data[key]!r}; it is a mapping")
    for key, value in {**data["weights"], "seed": data.get("seed", 0)}.items():
        kinds = int if key == "seed" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            raise UneError(f"{where}: {key} is {value!r}; it is a {'whole ' * (key == 'seed')}number")
    return data


def _parameter(name: str, described: Any, where: str) -> Parameter:
    """`{choices: […]}`, `{uniform: [low, high]}`, `{log: [low, high]}` or `{integers: [low, high]}`, with
    `when: {other: [values]}` or a list of such."""
    kinds = ("choices", "uniform", "log", "integers")
    described = dict(described) if isinstance(described, dict) else {}
    when = described.pop("when", None) or {}
    when = tuple(when) if isinstance(when, list) else (when,)
    kind, values = next(iter(described.items()), ("", None))
    if len(described) != 1 or kind not in kinds or not isinstance(values, list) or not values:
        raise UneError(
            f"{where}: parameter {name!r} needs one of {', '.join(kinds)} with a list, and maybe a `when`"
        )
    if kind == "choices":
        return Parameter(kind, tuple(values), when=when)
    numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    if len(values) != 2 or not numbers or values[0] > values[1]:
        raise UneError(f"{where}: {kind} of {name!r} is {values}; it is [low, high]")
    if kind == "log" and values[0] <= 0:
        raise UneError(f"{where}: log of {name!r} begins at {values[0]}; a logarithmic range begins above 0")
    return Parameter(kind, low=values[0], high=values[1], when=when)


def _scale(name: str, described: Any, where: str) -> Scale:
    try:
        scale = Scale(**described)
        good = scale.trials > 0 and 0 < scale.first <= scale.most and scale.factor > 1
    except TypeError as error:
        raise UneError(
            f"{where}: scale {name!r} is {described!r}; it has trials, first, most and maybe factor ({error})"
        ) from error
    if not good:
        raise UneError(
            f"{where}: scale {name!r} is {described!r}; trials > 0, 0 < first ≤ most and factor > 1"
        )
    return scale


def _check_point(search: SearchSpace, name: str, settings: Any, where: str) -> None:
    """A point is what the search itself could suggest: it names exactly the parameters that apply."""
    settings = settings if isinstance(settings, dict) else {}
    for key in settings:
        if key not in search.space:
            raise unknown(f"parameter of point {name!r} in {where}", str(key), search.space)
    applying: dict[str, Value] = {}
    for key, parameter in search.space.items():
        if parameter.applies(applying):
            if key not in settings:
                raise UneError(f"{where}: point {name!r} does not say {key!r}")
            applying[key] = settings[key]
    surplus = settings.keys() - applying.keys()
    if surplus:
        raise UneError(
            f"{where}: point {name!r} says {', '.join(sorted(surplus))}, "
            "which its other settings leave no room for"
        )
