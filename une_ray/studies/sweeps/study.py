"""A study as data: what is fixed, what is searched, what is wanted, and scales by name. Read from YAML."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import yaml

from une_ray.errors import UneError, unknown

SHIPPED = {"orthogonalization": "une_ray.studies.edits", "mitigation": "une_ray.studies.memorization"}
DIGITS = 3  # significant ones of a searched number, so that a command can name it exactly
Value = str | int | float


class Asks(Protocol):
    """What a search algorithm hands to `suggested`: Optuna's trial, or a test's."""

    def suggest_categorical(self, name: str, choices: tuple) -> Value: ...
    def suggest_int(self, name: str, low: int, high: int) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, log: bool) -> float: ...


@dataclass(frozen=True)
class Parameter:
    """One dimension of the search: `choices`, or a range `low` to `high` of a kind. With `when`, it exists where for one of these the other
    parameters all have the values named."""

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
    """How many `trials`, and on how much each may be judged: `first` units at first, `factor` times as many at each rung, and at the last
    `most`, in place of the largest of these that is not above it."""

    trials: int
    first: int
    most: int
    factor: int = 2

    @property
    def rungs(self) -> list[int]:
        """[8, 16, 32] of first 8, most 32 and factor 2."""
        found = [self.first]
        while found[-1] * self.factor <= self.most:
            found.append(found[-1] * self.factor)
        return [*found[:-1], self.most]


@dataclass(frozen=True)
class Study:
    """`fixed` is told to every trial; `space` is searched; `points` are settings to try first, by name; `weights` make the one number
    by which asynchronous halving stops trials: the sum of weight × objective, more is better. `resources` are those of one trial."""

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
        found: dict[str, Value] = {}
        for name, parameter in self.space.items():
            if parameter.applies(found):
                found[name] = parameter.suggest(asks, prefix + name)
        return found

    def point(self, settings: Mapping[str, Value]) -> str | None:
        """The name of the point that these settings are."""
        return next((name for name, values in self.points.items() if values == settings), None)


def shipped(name: str) -> Study:
    """A study that comes with the package: "orthogonalization" or "mitigation"."""
    return parse(
        name, resources.files(SHIPPED[name]).joinpath(f"{name}.yaml").read_text(encoding="utf-8"), name
    )


def read(path: str | Path, like: str) -> Study:
    """A study from a file of the user's, of the same form as the shipped ones. Raises UneError for what is wrong in it."""
    try:
        return parse(Path(path).stem, Path(path).expanduser().read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UneError(
            f"can't read the study {path}: {error}; the shipped one is {SHIPPED[like].replace('.', '/')}/{like}.yaml"
        ) from error


def parse(name: str, text: str, where: str) -> Study:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UneError(f"{where} is not YAML: {error}") from error
    known = [field.name for field in fields(Study)]
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
        if (
            isinstance(value, bool)
            or not isinstance(value, int if key == "seed" else (int, float))
            or not math.isfinite(value)
        ):
            raise UneError(f"{where}: {key} is {value!r}; it is a {'whole ' * (key == 'seed')}number")
    space = {key: _parameter(key, told, where) for key, told in data["space"].items()}
    study = Study(
        name=str(data.get("name", name)),
        fixed=data.get("fixed") or {},
        space=space,
        points=data.get("points") or {},
        weights={key: float(value) for key, value in data["weights"].items()},
        seed=data.get("seed", 0),
        scales={key: _scale(key, told, where) for key, told in data["scales"].items()},
        resources=data.get("resources"),
    )
    for name, settings in study.points.items():
        _check_point(study, name, settings, where)
    return study


def _parameter(name: str, told: Any, where: str) -> Parameter:
    """`{choices: […]}`, `{uniform: [low, high]}`, `{log: [low, high]}` or `{integers: [low, high]}`, with `when: {other: [values]}` or a list of such."""
    kinds = ("choices", "uniform", "log", "integers")
    told = dict(told) if isinstance(told, dict) else {}
    when = told.pop("when", None) or {}
    when = tuple(when) if isinstance(when, list) else (when,)
    if (
        len(told) != 1
        or (kind := next(iter(told))) not in kinds
        or not isinstance(values := told[kind], list)
        or not values
    ):
        raise UneError(
            f"{where}: parameter {name!r} needs one of {', '.join(kinds)} with a list, and maybe a `when`"
        )
    if kind == "choices":
        return Parameter(kind, tuple(values), when=when)
    if (
        len(values) != 2
        or not all(isinstance(value, int | float) and math.isfinite(value) for value in values)
        or values[0] > values[1]
    ):
        raise UneError(f"{where}: {kind} of {name!r} is {values}; it is [low, high]")
    if kind == "log" and values[0] <= 0:
        raise UneError(f"{where}: log of {name!r} begins at {values[0]}; a logarithmic range begins above 0")
    return Parameter(kind, low=values[0], high=values[1], when=when)


def _scale(name: str, told: Any, where: str) -> Scale:
    try:
        scale = Scale(**told)
        good = scale.trials > 0 and 0 < scale.first <= scale.most and scale.factor > 1
    except TypeError as error:
        raise UneError(
            f"{where}: scale {name!r} is {told!r}; it has trials, first, most and maybe factor ({error})"
        ) from error
    if not good:
        raise UneError(f"{where}: scale {name!r} is {told!r}; trials > 0, 0 < first ≤ most and factor > 1")
    return scale


def _check_point(study: Study, name: str, settings: Any, where: str) -> None:
    """A point is what the search itself could suggest: it names exactly the parameters that apply."""
    settings = settings if isinstance(settings, dict) else {}
    for key in settings:
        if key not in study.space:
            raise unknown(f"parameter of point {name!r} in {where}", str(key), study.space)
    applying: dict[str, Value] = {}
    for key, parameter in study.space.items():
        if parameter.applies(applying):
            if key not in settings:
                raise UneError(f"{where}: point {name!r} does not say {key!r}")
            applying[key] = settings[key]
    if surplus := settings.keys() - applying.keys():
        raise UneError(
            f"{where}: point {name!r} says {', '.join(sorted(surplus))}, which its other settings leave no room for"
        )
