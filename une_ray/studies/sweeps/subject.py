"""What a sweep searches the settings of: something that takes settings and says, on more and more of its
material, how good they are.

A study's folder has one in its `sweep.py`, under the name `SUBJECT`, and beside it NAME.yaml, the search
that is shipped."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from typing import Any, ClassVar, Protocol

from une_ray.errors import unknown
from une_ray.lake.layout import Lake
from une_ray.registry import STUDIES
from une_ray.settings import Value


class Subject(Protocol):
    """One per worker, its models in memory for all trials; what does not change between trials is in
    `facts`, which JSON can hold."""

    name: ClassVar[str]
    """As in `une sweep NAME`."""
    goals: ClassVar[dict[str, str]]
    """Objective → "max" or "min"."""
    knobs: ClassVar[tuple[str, ...]]
    """Parameters that a study may search."""
    ranges: ClassVar[dict[str, tuple[float, float]]]
    """Objective → what is worst and best of it, in which the front's knee is sought."""
    unit: ClassVar[str]
    """What a trial is judged on, in the plural: "images"."""

    rows: list[list[dict[str, Any]]]
    """What was measured of the trial's units so far, task by task, as JSON can hold it: to give it back is
    to go on from there."""

    def __init__(self, lake: Lake, facts: dict[str, Any], most: int, device: str) -> None: ...

    def start(self, settings: dict[str, Value]) -> None:
        """Turn to a trial. Raises UneError for settings that can't be."""
        ...

    def judge(self, budget: int) -> dict[str, float]:
        """The objectives on the first `budget` units, which include those judged before, as far as they are
        to choose by."""
        ...

    def reported(self) -> dict[str, float]:
        """The same on the units that are not to choose by, once all were judged: the best of many trials is
        lucky on what it was chosen on."""
        ...

    @staticmethod
    def facts(lake: Lake, fixed: dict[str, Any]) -> dict[str, Any]:
        """All that decides a trial but its settings; `title` is for people. Raises UneError where the lake
        can't serve."""
        ...

    @staticmethod
    def command(facts: dict[str, Any], settings: Mapping[str, Value], budget: int) -> list[str]:
        """The `une` command, without `--lake`, that does the same again."""
        ...


@functools.cache
def subjects() -> dict[str, type[Subject]]:
    """By name, other packages' included."""
    modules = STUDIES.parts("sweep").values()
    return {module.SUBJECT.name: module.SUBJECT for module in modules if hasattr(module, "SUBJECT")}


def find_subject(kind: str) -> type[Subject]:
    """Raises UneError for an unknown name."""
    if kind not in subjects():
        raise unknown("subject of a sweep", kind, subjects())
    return subjects()[kind]


def shipped_yaml(kind: str) -> str:
    """The text of the search that comes with a subject."""
    folder = find_subject(kind).__module__.rpartition(".")[0]
    return resources.files(folder).joinpath(f"{kind}.yaml").read_text(encoding="utf-8")


def shipped_path(kind: str) -> str:
    """Where that text is, for messages: "une_ray/studies/edits/orthogonalization.yaml"."""
    folder = find_subject(kind).__module__.rpartition(".")[0]
    return f"{folder.replace('.', '/')}/{kind}.yaml"
