"""Mitigations of memorisation as the subject of a sweep: copies gone, ordinary prompts answered as before, pictures still real."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, zip_longest
from typing import ClassVar

import numpy as np

from une_ray.errors import UneError, unknown
from une_ray.lake.layout import Lake
from une_ray.studies.memorization.bench import PLAIN, Bench, tasks
from une_ray.studies.memorization.copy_metric import DEFAULT, find_metric, metric_facts
from une_ray.studies.memorization.measures import Realness, copies
from une_ray.studies.memorization.methods import check
from une_ray.studies.memorization.prompts import Prompt, doses, duplicated, held_out, trained
from une_ray.studies.sweeps.search_space import Value

FIXED = {"model": "mini-sd-dup", "doses": [250, 1000], "seeds": 2, "steps": 20}
METRIC = "copy_metric"  # may be fixed as well
TITLES = 8  # of each dose there are no more


class Mitigation:
    """A trial is one method with its settings, at one guidance scale. Titles of the largest doses are what is memorised."""

    name: ClassVar[str] = "mitigation"
    goals: ClassVar[dict[str, str]] = {"similarity": "min", "alignment": "max", "distance": "min"}
    knobs: ClassVar[tuple[str, ...]] = (
        "method",
        "guidance",
        "fraction",
        "end",
        "by",
        "scale",
        "sot_scale",
        "both_halves",
        "learning_rate",
        "iterations",
        "target",
        "count",
        "transition",
        "before",
        "padding",
        "window_from",
        "window_to",
    )
    unit: ClassVar[str] = "prompts"

    def __init__(self, lake: Lake, facts: dict, most: int, device: str) -> None:
        self.facts, self.most, self.worker = facts, most, Judged(lake.url, {}, device)

    def start(self, settings: dict[str, Value]) -> None:
        method, guidance, own = method_of(settings)
        told = self.facts
        asked, metric = prompts(told, self.most), told.get(METRIC, DEFAULT)
        self.tasks = mixed(
            tasks(
                told["model"],
                [(method, own)],
                asked,
                told["seeds"],
                told["steps"],
                guidance,
                copy_metric=metric,
            )
        )
        self.rows: list[list[dict]] = []

    def judge(self, budget: int) -> dict[str, float]:
        """Prompts come in blocks; the last one is done whole, and at last all of them."""
        for task in self.tasks[len(self.rows) :]:
            if budget < self.most and sum(map(len, self.rows)) >= budget * self.facts["seeds"]:
                break
            self.rows.append(self.worker(task))
        return objectives([row for rows in self.rows for row in rows])

    @staticmethod
    def facts(lake: Lake, fixed: dict) -> dict:
        for name in fixed:
            if name not in (*FIXED, METRIC):
                raise unknown("fixed part of a mitigation study", name, (*FIXED, METRIC))
        told = FIXED | fixed
        if not isinstance(told["doses"], list):
            raise UneError(
                f"doses of a mitigation study, {told['doses']!r}: they are a list, such as {FIXED['doses']}"
            )
        told["doses"] = doses(",".join(map(str, told["doses"])))
        for name in ("seeds", "steps"):
            if not isinstance(told[name], int) or isinstance(told[name], bool) or told[name] < 1:
                raise UneError(f"{name} of a mitigation study, {told[name]!r}: a whole number, at least 1")
        metric = metric_facts(told.pop(METRIC, DEFAULT))
        (task,) = tasks(
            told["model"], [(PLAIN, {})], duplicated(1, told["doses"][:1]), told["seeds"], told["steps"]
        )
        surely = {
            key: task[key]
            for key in ("weights", "judge", "judge_weights", "encoder", "encoder_weights", "spacing")
        }
        often = " and ".join(map(str, told["doses"]))
        return told | surely | metric | {"title": f"{told['model']}, titles seen {often} times"}

    @staticmethod
    def command(facts: dict, settings: dict[str, Value], budget: int) -> list[str]:
        method, guidance, own = method_of(settings)
        told = ":".join(
            [
                method,
                *(
                    f"{name}={str(value).lower() if isinstance(value, bool) else value}"
                    for name, value in own.items()
                ),
            ]
        )
        per_dose, ordinary = sizes(facts, budget)
        words = {
            "model": facts["model"],
            "methods": told,
            "seeds": facts["seeds"],
            "prompts-per-dose": per_dose,
            "doses": ",".join(map(str, facts["doses"])),
            "ordinary": ordinary,
            "steps": facts["steps"],
            "guidance": guidance,
        } | ({"copy-metric": facts[METRIC]} if METRIC in facts else {})
        return [
            "memorization",
            *(str(word) for name, value in words.items() for word in (f"--{name}", value)),
        ]


class Judged(Bench):
    """A worker that makes a task's pictures and measures what the objectives are made of, and leaves nothing in the lake."""

    def __call__(self, task: dict) -> list[dict]:
        asked, pictures = [Prompt(**facts) for facts in task["prompts"]], self._pictures(task)
        columns = (
            copies(asked, pictures, find_metric(task.get(METRIC, DEFAULT), self.device)),
            self.alignment(task["judge"])(asked, pictures),
            Realness.load(task["encoder"], self.device)(asked, pictures),
        )
        kinds = [{"kind": prompt.kind} for prompt in asked for _ in task["seeds"]]
        return [
            {key: value for part in row for key, value in part.items()}
            for row in zip(kinds, *columns, strict=True)
        ]


def method_of(settings: dict[str, Value]) -> tuple[str, float, dict]:
    """Method, guidance scale and the method's own settings. Raises UneError for a setting that the method has not."""
    own = {name: value for name, value in settings.items() if name not in ("method", "guidance")}
    check(method := settings["method"], own)
    return method, float(settings.get("guidance", 7.5)), own


def objectives(rows: Sequence[dict]) -> dict[str, float]:
    """similarity: of the titles' pictures to their training picture; alignment: of ordinary captions' pictures with their caption, since titles
    say nothing of theirs; distance: of all pictures to real ones."""
    titled, ordinary = (
        [row for row in rows if (row["kind"] == "duplicated") == wanted] for wanted in (True, False)
    )
    if not titled or not ordinary:
        raise UneError(
            "a trial needs both titles and ordinary captions from its first rung on; take first ≥ 8 in the study's scale"
        )
    values = (titled, "similarity"), (ordinary, "alignment"), (rows, "distance_to_real")
    return dict(
        zip(Mitigation.goals, (float(np.mean([row[column] for row in part])) for part, column in values))
    )


def prompts(facts: dict, most: int) -> list[Prompt]:
    """As `une memorization` asks them: the titles, captions never seen, captions trained on once; about `most` in all."""
    per_dose, ordinary = sizes(facts, most)
    return duplicated(per_dose, facts["doses"]) + held_out(ordinary) + trained(ordinary)


def sizes(facts: dict, most: int) -> tuple[int, int]:
    """Titles per dose, half of all prompts while there are enough, and of the rest the ordinary captions of either kind."""
    per_dose = min(TITLES, max(1, most // (2 * len(facts["doses"]))))
    return per_dose, max(1, (most - per_dose * len(facts["doses"])) // 2)


def mixed(todo: list[dict]) -> list[dict]:
    """The same tasks, kinds of prompts by turns, so that the first few tell something of each."""
    kinds: dict[str, list[dict]] = {}
    for task in todo:
        kinds.setdefault(task["prompts"][0]["kind"], []).append(task)
    return [task for turn in zip_longest(*kinds.values()) for task in chain(turn) if task]


SUBJECT = Mitigation
