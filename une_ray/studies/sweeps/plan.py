"""One sweep of a lake: a search space at a scale, on facts of the lake; its trials are rows of `sweeps`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from une_ray.errors import unknown
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.settings import Value
from une_ray.studies.sweeps.search_space import Scale, SearchSpace, parse
from une_ray.studies.sweeps.subject import Subject, find_subject, shipped_yaml

TABLE = "sweeps"
UNDECIDING = ("scales", "resources")  # parts of a search that no trial depends on


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """`kind` is the subject's name, `search` what is varied and wanted, `facts` all of the lake that
    decides a trial."""

    kind: str
    search: SearchSpace
    scale: Scale
    facts: dict[str, Any]

    @property
    def subject(self) -> type[Subject]:
        return find_subject(self.kind)

    @property
    def config(self) -> str:
        """The hash of everything that decides the sweep."""
        study = {name: value for name, value in asdict(self.search).items() if name not in UNDECIDING}
        return results.config_hash(
            {"kind": self.kind, "study": study, "scale": asdict(self.scale), "facts": self.facts}
        )

    def record(self, lake: Lake, settings: Mapping[str, Value], result: Mapping[str, Any]) -> None:
        """Commit a trial that has ended: `result` has the objectives, `budget`, `promise`, `error` and
        `seconds`.

        Twice is once, and of two trials of the same settings of which one was stopped the other stays.
        """
        refused, full = bool(result["error"]), result["budget"] >= self.scale.most
        row = {
            "study": self.search.name,
            "sweep": self.config,
            "title": self.facts["title"],
            "status": "refused" if refused else "finished" if full else "stopped",
            "error": result["error"] or None,
            "settings": [(name, str(value)) for name, value in settings.items()],
            "objectives": [(name, None if refused else result[name]) for name in self.subject.goals],
            "reported": None if refused or not full else [*result["reported"].items()],
            "goals": [*self.subject.goals.items()],
            "promise": None if refused else result["promise"],
            "budget": result["budget"],
            "unit": self.subject.unit,
            "point": self.search.point(settings),
            "command": [] if refused else self.subject.command(self.facts, settings, self.scale.most),
            "seconds": result["seconds"],
        }
        results.commit(
            lake,
            TABLE,
            {"sweep": self.config, "settings": dict(settings)},
            [row],
            replace=full and not refused,
        )

    def close(self, lake: Lake) -> None:
        """Mark the sweep as done: a file without rows, since two trials of the same settings are one row,
        and rows can't be counted."""
        results.commit(lake, TABLE, self._closed, [])

    def is_done(self, lake: Lake) -> bool:
        return results.is_done(lake, TABLE, self._closed)

    @property
    def _closed(self) -> dict[str, Any]:
        return {"sweep": self.config, "trials": "all"}


def shipped(kind: str) -> SearchSpace:
    """The search space that comes with a subject. Raises UneError for an unknown one."""
    return parse(kind, shipped_yaml(kind), kind)


def prepare(lake: Lake, kind: str, search: SearchSpace, scale: str, **fixed: Any) -> Sweep:
    """The sweep of a search space; `fixed` that is not None goes before its own. Raises UneError for what
    the lake can't serve."""
    subject = find_subject(kind)
    for name in search.space:
        if name not in subject.knobs:
            raise unknown(f"parameter of a study of {kind}", name, subject.knobs)
    for name in search.weights:
        if name not in subject.goals:
            raise unknown(f"objective of {kind}", name, subject.goals)
    given = search.fixed | {name: value for name, value in fixed.items() if value is not None}
    return Sweep(kind=kind, search=search, scale=search.scale(scale), facts=subject.facts(lake, given))
