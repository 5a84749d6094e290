"""What a study is about: something that takes settings and says, on more and more of its material, how good they are."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import ClassVar, Protocol

from une_ray.lake.layout import Lake
from une_ray.studies.sweeps.study import Value


class Subject(Protocol):
    """One per worker, its models in memory for all trials; what does not change between trials is in `facts`, which JSON can hold."""

    goals: ClassVar[dict[str, str]]
    """Objective → "max" or "min"."""
    knobs: ClassVar[tuple[str, ...]]
    """Parameters that a study may search."""
    unit: ClassVar[str]
    """What a trial is judged on, in the plural: "images"."""

    rows: list[list[dict]]
    """What was found of the trial's units so far, task by task, as JSON can hold it: to give it back is to go on from there."""

    def __init__(self, lake: Lake, facts: dict, most: int, device: str) -> None: ...

    def start(self, settings: dict[str, Value]) -> None:
        """Turn to a trial. Raises UneError for settings that can't be."""
        ...

    def judge(self, budget: int) -> dict[str, float]:
        """The objectives on the first `budget` units, which include those judged before."""
        ...

    @staticmethod
    def facts(lake: Lake, fixed: dict) -> dict:
        """All that decides a trial but its settings; `title` is for people. Raises UneError where the lake can't serve."""
        ...

    @staticmethod
    def command(facts: dict, settings: dict[str, Value], budget: int) -> list[str]:
        """The `une` command, without `--lake`, that does the same again."""
        ...


SUBJECTS = {
    "orthogonalization": "une_ray.studies.edits.sweep:Orthogonalization",
    "mitigation": "une_ray.studies.memorization.sweep:Mitigation",
}


def subject(kind: str) -> type[Subject]:
    return resolve_name(SUBJECTS[kind])
