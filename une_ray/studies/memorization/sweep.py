"""Mitigations of memorisation as the subject of a sweep: copies gone, ordinary prompts answered as before,
pictures still real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any, ClassVar

import numpy as np

from une_ray.errors import UneError, unknown
from une_ray.lake.layout import Lake
from une_ray.registry import MITIGATIONS
from une_ray.settings import Value
from une_ray.studies.memorization.bench import PLAIN_CHOICE, Bench, tasks
from une_ray.studies.memorization.copy_metric import metric_facts
from une_ray.studies.memorization.defaults import COPY_CRITERION, COPY_METRIC
from une_ray.studies.memorization.prompts import Prompt, doses, duplicated, held_out, trained
from une_ray.studies.memorization.task import MemorizationTask, MethodChoice

FIXED: dict[str, Any] = {"model": "mini-sd-dup", "doses": [250, 1000], "seeds": 2, "steps": 20}
METRIC = "copy_metric"  # may be fixed as well
TITLES = 8  # of each dose there are no more
OWN_KNOBS = ("method", "guidance")  # beside the settings of the methods


def knobs() -> tuple[str, ...]:
    """What a study may search: the method, the guidance scale, and every setting of every method."""
    settings = (name for _, method in MITIGATIONS.items() for name in method.settings)
    return tuple(dict.fromkeys([*OWN_KNOBS, *settings]))


class Mitigation:
    """A trial is one method with its settings, at one guidance scale. Titles of the largest doses are what is
    memorised."""

    name: ClassVar[str] = "mitigation"
    goals: ClassVar[dict[str, str]] = {"similarity": "min", "alignment": "max", "distance": "min"}
    knobs: ClassVar[tuple[str, ...]] = knobs()
    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        "similarity": (1.0, 0.0),
        "alignment": (0.0, 0.5),
        "distance": (2.3, 1.6),  # of two avatars laid over each other, and of a real one
    }
    unit: ClassVar[str] = "prompts"

    def __init__(self, lake: Lake, facts: dict[str, Any], most: int, device: str) -> None:
        self.fixed, self.most, self.worker = facts, most, Bench(lake.url, {}, device)
        self.tasks: list[MemorizationTask] = []
        self.rows: list[list[dict[str, Any]]] = []

    def start(self, settings: dict[str, Value]) -> None:
        """Turn to a trial: its tasks, none of them done. Raises UneError for settings that can't be."""
        method, guidance = method_of(settings)
        todo = tasks(
            self.fixed["model"],
            [method],
            prompts(self.fixed, self.most),
            self.fixed["seeds"],
            self.fixed["steps"],
            guidance,
            copy_metric=self.fixed.get(METRIC, COPY_METRIC),
        )
        self.tasks, self.rows = mixed(todo), []

    def judge(self, budget: int) -> dict[str, float]:
        """Prompts come in blocks; the last one is done whole, and at last all of them."""
        for task in self.tasks[len(self.rows) :]:
            if budget < self.most and sum(map(len, self.rows)) >= budget * self.fixed["seeds"]:
                break
            self.rows.append(self.worker.measure(task, self.worker.make(task)))
        return self._of(choosing=True)

    def reported(self) -> dict[str, float]:
        return self._of(choosing=False)

    def _of(self, choosing: bool) -> dict[str, float]:
        """Of every second prompt of each kind, or of the others."""
        kinds: dict[str, list[str]] = {}
        for task in self.tasks:
            for prompt in task.prompts:
                kinds.setdefault(prompt.kind, []).append(prompt.text)
        wanted = {text for texts in kinds.values() for text in texts[0 if choosing else 1 :: 2]}
        return objectives([row for rows in self.rows for row in rows if row["prompt"] in wanted])

    @staticmethod
    def facts(lake: Lake, fixed: dict[str, Any]) -> dict[str, Any]:
        """All that decides a trial but its settings; what `fixed` leaves out is `FIXED`. Raises UneError for
        what makes no sense."""
        for name in fixed:
            if name not in (*FIXED, METRIC):
                raise unknown("fixed part of a mitigation study", name, (*FIXED, METRIC))
        facts = FIXED | fixed
        if not isinstance(facts["doses"], list):
            raise UneError(
                f"doses of a mitigation study, {facts['doses']!r}: they are a list, such as {FIXED['doses']}"
            )
        facts["doses"] = doses(",".join(map(str, facts["doses"])))
        for name in ("seeds", "steps"):
            if not isinstance(facts[name], int) or isinstance(facts[name], bool) or facts[name] < 1:
                raise UneError(f"{name} of a mitigation study, {facts[name]!r}: a whole number, at least 1")
        metric = metric_facts(facts.pop(METRIC, COPY_METRIC))
        one_title = duplicated(1, facts["doses"][:1])
        (task,) = tasks(facts["model"], [PLAIN_CHOICE], one_title, facts["seeds"], facts["steps"])
        often = " and ".join(map(str, facts["doses"]))
        return {
            **facts,
            "weights": task.weights,
            "judge": task.judge,
            "judge_weights": task.judge_weights,
            "encoder": task.encoder,
            "encoder_weights": task.encoder_weights,
            "spacing": task.spacing,
            **metric,
            "copy_criterion": COPY_CRITERION,
            "title": f"{facts['model']}, titles seen {often} times",
        }

    @staticmethod
    def command(facts: dict[str, Any], settings: Mapping[str, Value], budget: int) -> list[str]:
        """The `une` command, without `--lake`, that does a trial again."""
        method, guidance = method_of(settings)
        per_dose, ordinary = sizes(facts, budget)
        options = {
            "model": facts["model"],
            "methods": method,
            "seeds": facts["seeds"],
            "prompts-per-dose": per_dose,
            "doses": ",".join(map(str, facts["doses"])),
            "ordinary": ordinary,
            "steps": facts["steps"],
            "guidance": guidance,
        }
        if METRIC in facts:
            options["copy-metric"] = facts[METRIC]
        return [
            "memorization",
            *(str(word) for name, value in options.items() for word in (f"--{name}", value)),
        ]


def method_of(settings: Mapping[str, Value]) -> tuple[MethodChoice, float]:
    """The method with its own settings, and the guidance scale. Raises UneError for a setting that the method
    has not."""
    name = str(settings["method"])
    own = {setting: value for setting, value in settings.items() if setting not in OWN_KNOBS}
    MITIGATIONS.find(name).check(name, own)
    return MethodChoice(name=name, settings=own), float(settings.get("guidance", 7.5))


def objectives(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means over pictures: similarity of the titles' to their training picture, alignment of ordinary
    captions' with their caption, since titles say nothing of theirs, and distance of all to real ones."""
    titled = [row for row in rows if row["kind"] == "duplicated"]
    ordinary = [row for row in rows if row["kind"] != "duplicated"]
    if not titled or not ordinary:
        raise UneError(
            "a trial needs both titles and ordinary captions from its first rung on; "
            "take first ≥ 8 in the study's scale"
        )
    return {
        "similarity": _mean(titled, "similarity"),
        "alignment": _mean(ordinary, "alignment"),
        "distance": _mean(rows, "distance_to_real"),
    }


def prompts(facts: dict[str, Any], most: int) -> list[Prompt]:
    """As `une memorization` asks them: the titles, captions never seen, captions trained on once; about
    `most` in all."""
    per_dose, ordinary = sizes(facts, most)
    return duplicated(per_dose, facts["doses"]) + held_out(ordinary) + trained(ordinary)


def sizes(facts: dict[str, Any], most: int) -> tuple[int, int]:
    """Titles per dose, half of all prompts while there are enough, and of the rest the ordinary captions of
    either kind."""
    per_dose = min(TITLES, max(1, most // (2 * len(facts["doses"]))))
    return per_dose, max(1, (most - per_dose * len(facts["doses"])) // 2)


def mixed(todo: list[MemorizationTask]) -> list[MemorizationTask]:
    """The same tasks, kinds of prompts by turns, so that the first few tell something of each."""
    kinds: dict[str, list[MemorizationTask]] = {}
    for task in todo:
        kinds.setdefault(task.prompts[0].kind, []).append(task)
    return [task for turn in zip_longest(*kinds.values()) for task in turn if task is not None]


def _mean(rows: Sequence[dict[str, Any]], column: str) -> float:
    return float(np.mean([row[column] for row in rows]))


SUBJECT = Mitigation
