"""What a sweep gave: its trials read back, the Pareto front among those that were judged in full, and the
knee."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cached_property
from typing import TypedDict

import duckdb
import numpy as np
import pyarrow as pa

from une_ray.errors import UneError, unknown
from une_ray.studies.sweeps.columns import TABLE
from une_ray.studies.sweeps.front import efficient, knee, oriented
from une_ray.studies.sweeps.subject import subjects

TRIALS = "SELECT * FROM sweeps ORDER BY study, title, sweep, promise DESC, config"
STATUSES = ("finished", "stopped", "refused")


class TrialRow(TypedDict):
    """A row of `sweeps`, as `columns` describes it."""

    study: str
    sweep: str
    title: str
    status: str
    error: str | None
    settings: list[tuple[str, str]]
    objectives: list[tuple[str, float | None]]
    reported: list[tuple[str, float]] | None
    goals: list[tuple[str, str]]
    promise: float | None
    budget: int
    unit: str
    point: str | None
    command: list[str]
    seconds: float
    config: str


@dataclass(frozen=True, eq=False)
class SweepResult:
    """One sweep: its `trials` are rows of `sweeps`, the most promising first."""

    study: str
    title: str
    trials: list[TrialRow]

    def __repr__(self) -> str:
        return f"SweepResult({self.title}: {len(self.trials)} trials)"

    @property
    def sweep(self) -> str:
        """The hash of all that decides it."""
        return self.trials[0]["sweep"]

    @property
    def goals(self) -> dict[str, str]:
        return dict(self.trials[0]["goals"])

    @property
    def unit(self) -> str:
        return self.trials[0]["unit"]

    @property
    def table(self) -> pa.Table:
        """The trials, with the columns of `sweeps`."""
        return pa.Table.from_pylist(self.trials, schema=TABLE.schema)

    @property
    def counts(self) -> dict[str, int]:
        """Trials by status."""
        return {status: sum(trial["status"] == status for trial in self.trials) for status in STATUSES}

    @cached_property
    def full(self) -> list[TrialRow]:
        """Trials that were judged on all of the material: only these are compared."""
        return [trial for trial in self.trials if trial["status"] == "finished"]

    @cached_property
    def values(self) -> np.ndarray:
        """(n, k) objectives of `full`, in the order of `goals`."""
        return np.array(
            [[dict(trial["objectives"])[name] for name in self.goals] for trial in self.full], float
        ).reshape(-1, len(self.goals))

    @cached_property
    def front(self) -> list[TrialRow]:
        """The Pareto set, by the first objective."""
        turned = oriented(self.values, [*self.goals.values()])
        best = np.flatnonzero(efficient(turned))
        return [self.full[i] for i in best[np.argsort(-turned[best, 0], kind="stable")]]

    @cached_property
    def knee(self) -> TrialRow | None:
        """The trial of the front nearest to the ideal point; None of no front."""
        goals = [*self.goals.values()]
        turned, ends = oriented(self.values, goals), oriented(self.ranges, goals)
        place = knee(turned, ends[0], ends[1])
        return None if place is None else self.full[place]

    @property
    def ranges(self) -> np.ndarray:
        """(2, k) worst and best of each objective: the subject's own, or those of the front where no subject
        here has these objectives."""
        for subject in subjects().values():
            if subject.goals == self.goals:
                return np.array([subject.ranges[name] for name in self.goals]).T
        front = np.array([[dict(trial["objectives"])[name] for name in self.goals] for trial in self.front])
        turned = oriented(front.reshape(-1, len(self.goals)), [*self.goals.values()])
        ends = np.stack([turned.min(0), turned.max(0)]) if len(turned) else np.zeros((2, len(self.goals)))
        ends[1] = np.where(ends[1] > ends[0], ends[1], ends[0] + 1)
        return oriented(ends, [*self.goals.values()])


def sweeps(connection: duckdb.DuckDBPyConnection, study: str | None = None) -> list[SweepResult]:
    """Every sweep of a lake, or those of one study. Raises UneError where there is none."""
    groups: dict[str, list[TrialRow]] = {}
    for trial in connection.sql(TRIALS).to_arrow_table().to_pylist():
        groups.setdefault(trial["sweep"], []).append(trial)
    results = [SweepResult(trials[0]["study"], trials[0]["title"], trials) for trials in groups.values()]
    if not results:
        raise UneError("the lake has no sweep yet; run one with: une sweep orthogonalization --lake …")
    names = list(dict.fromkeys(result.study for result in results))
    if study is not None and study not in names:
        raise unknown("study", study, names)
    return [result for result in results if study in (None, result.study)]


def command(trial: TrialRow, lake: str) -> str:
    """The `une` command that does a trial again, as a shell takes it."""
    name, *words = trial["command"]
    return shlex.join(["une", name, "--lake", lake, *words])
