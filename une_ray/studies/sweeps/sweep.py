"""One sweep of a lake: a study at a scale, on facts of the lake; its trials are rows of `sweeps`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from une_ray.errors import unknown
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.studies.sweeps.study import Scale, Study, Value
from une_ray.studies.sweeps.subject import Subject, subject

KIND = "sweeps"


@dataclass(frozen=True)
class Sweep:
    kind: str  # a key of subject.SUBJECTS
    study: Study
    scale: Scale
    facts: dict

    @property
    def subject(self) -> type[Subject]:
        return subject(self.kind)

    @property
    def config(self) -> str:
        """The hash of everything that decides the sweep."""
        told = {key: value for key, value in asdict(self.study).items() if key not in ("scales", "resources")}
        return results.config_hash(
            {"kind": self.kind, "study": told, "scale": asdict(self.scale), "facts": self.facts}
        )

    def record(self, lake: Lake, settings: Mapping[str, Value], result: Mapping) -> None:
        """Commit a trial that has ended: `result` has the objectives, `budget`, `promise`, `error` and `seconds`.

        Twice is once, and of two trials of the same settings of which one was stopped the other stays.
        """
        refused, full = bool(result["error"]), result["budget"] >= self.scale.most
        row = {
            "study": self.study.name,
            "sweep": self.config,
            "title": self.facts["title"],
            "status": "refused" if refused else "finished" if full else "stopped",
            "error": result["error"] or None,
            "settings": [(name, str(value)) for name, value in settings.items()],
            "objectives": [(name, None if refused else result[name]) for name in self.subject.goals],
            "goals": [*self.subject.goals.items()],
            "promise": None if refused else result["promise"],
            "budget": result["budget"],
            "unit": self.subject.unit,
            "point": self.study.point(settings),
            "command": [] if refused else self.subject.command(self.facts, settings, self.scale.most),
            "seconds": result["seconds"],
        }
        results.commit(
            lake,
            KIND,
            {"sweep": self.config, "settings": dict(settings)},
            [row],
            replace=full and not refused,
        )

    def close(self, lake: Lake) -> None:
        """Mark the sweep as done: a file without rows, since two trials of the same settings are one row, and rows can't be counted."""
        results.commit(lake, KIND, self._closed, [])

    def is_done(self, lake: Lake) -> bool:
        return results.is_done(lake, KIND, self._closed)

    @property
    def _closed(self) -> dict:
        return {"sweep": self.config, "trials": "all"}


def prepare(lake: Lake, kind: str, study: Study, scale: str, **fixed) -> Sweep:
    """The sweep of a study; `fixed` that is not None goes before the study's own. Raises UneError for what the lake can't serve."""
    known = subject(kind)
    for name in study.space:
        if name not in known.knobs:
            raise unknown(f"parameter of a study of {kind}", name, known.knobs)
    for name in study.weights:
        if name not in known.goals:
            raise unknown(f"objective of {kind}", name, known.goals)
    told = study.fixed | {name: value for name, value in fixed.items() if value is not None}
    return Sweep(kind, study, study.scale(scale), known.facts(lake, told))
