"""What a sweep found: its trials read back, the Pareto front among those that were judged in full, and the knee."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np

from une_ray.errors import UneError, unknown
from une_ray.studies.sweeps.front import efficient, knee, oriented

TRIALS = "SELECT * FROM sweeps ORDER BY study, title, sweep, promise DESC, config"


@dataclass(frozen=True, eq=False)
class Found:
    """One sweep: its `trials` are rows of `sweeps`, as dicts, the most promising first."""

    study: str
    title: str
    trials: list[dict]

    @property
    def goals(self) -> dict[str, str]:
        return dict(self.trials[0]["goals"])

    @property
    def unit(self) -> str:
        return self.trials[0]["unit"]

    @cached_property
    def full(self) -> list[dict]:
        """Trials that were judged on all of the material: only these are compared."""
        return [trial for trial in self.trials if trial["status"] == "finished"]

    @cached_property
    def values(self) -> np.ndarray:
        """(n, k) objectives of `full`, in the order of `goals`."""
        return np.array(
            [[dict(trial["objectives"])[name] for name in self.goals] for trial in self.full], float
        ).reshape(-1, len(self.goals))

    @cached_property
    def front(self) -> list[dict]:
        """The Pareto set, by the first objective."""
        turned = oriented(self.values, [*self.goals.values()])
        chosen = np.flatnonzero(efficient(turned))
        return [self.full[i] for i in chosen[np.argsort(-turned[chosen, 0], kind="stable")]]

    @cached_property
    def knee(self) -> dict | None:
        found = knee(oriented(self.values, [*self.goals.values()]))
        return None if found is None else self.full[found]


def sweeps(connection: duckdb.DuckDBPyConnection, study: str | None = None) -> list[Found]:
    """Every sweep of a lake, or those of one study. Raises UneError where there is none."""
    groups: dict[str, list[dict]] = {}
    for trial in connection.sql(TRIALS).to_arrow_table().to_pylist():
        groups.setdefault(trial["sweep"], []).append(trial)
    found = [Found(trials[0]["study"], trials[0]["title"], trials) for trials in groups.values()]
    if not found:
        raise UneError("the lake has no sweep yet; run one with: une sweep orthogonalization --lake …")
    if study is not None and study not in (names := [sweep.study for sweep in found]):
        raise unknown("study", study, dict.fromkeys(names))
    return [sweep for sweep in found if study in (None, sweep.study)]


def command(trial: dict, lake: str) -> str:
    """The `une` command that does a trial again, as a shell takes it."""
    name, *words = trial["command"]
    return shlex.join(["une", name, "--lake", lake, *words])
