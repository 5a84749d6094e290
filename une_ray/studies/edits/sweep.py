"""Edits kept orthogonal, as the subject of a sweep: how much of the target, how little of the rest, in
spaces that the edit did not use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from une_ray.errors import UneError, unknown
from une_ray.lake import results
from une_ray.lake.latents import refuse_unknown_attributes
from une_ray.lake.layout import Lake
from une_ray.settings import Value
from une_ray.spaces.names import decodable
from une_ray.studies.edits.direction_set import ORTHOGONALISED, PROBE
from une_ray.studies.edits.edit import Edit
from une_ray.studies.edits.judge import judges, provenance
from une_ray.studies.edits.measures import changes, leakage, slopes
from une_ray.studies.edits.nuisances import CORRELATED, nuisances
from une_ray.studies.edits.tasks import IMAGES_PER_TASK, EditTask, editable, plan
from une_ray.studies.edits.train_rows import train_rows
from une_ray.studies.edits.worker import EditImages

FIXED = ("space", "attribute", "judges", "correlated")
OF_AN_EDIT = ("method", "penalty", "rank", "erasure", "rounds", "inner_product", "shrinkage", "path")
MEASURED = ("judge", "image_id", "alpha", "scores", "scales", "identity")  # what the objectives are made of


class Orthogonalization:
    """A trial is one edit to both sides, −α and +α; every objective is a mean over judges, and effect and
    leakage are those of the dose α.

    No picture is left in the lake: a sweep's trials are too many to look at.
    """

    name: ClassVar[str] = "orthogonalization"
    goals: ClassVar[dict[str, str]] = {"effect": "max", "leakage": "min", "identity": "max"}
    knobs: ClassVar[tuple[str, ...]] = (
        "method",
        "penalty",
        "rank",
        "keep",
        "erasure",
        "rounds",
        "inner_product",
        "shrinkage",
        "path",
        "alpha",
    )
    ranges: ClassVar[dict[str, tuple[float, float]]] = {
        "effect": (0.0, 2.0),  # standard deviations
        "leakage": (0.5, 0.0),
        "identity": (0.0, 1.0),
    }
    unit: ClassVar[str] = "images"

    def __init__(self, lake: Lake, facts: dict[str, Any], most: int, device: str) -> None:
        self.lake, self.decided, self.most, self.device = lake, facts, most, device
        self.worker: EditImages | None = None

    def start(self, settings: dict[str, Value]) -> None:
        self.edit = edit_of(self.decided, settings)
        tasks, options = plan(self.lake, self.edit, self.most, list(self.decided["judges"]))
        direction = ORTHOGONALISED if self.edit.keep else PROBE
        self.tasks = [task for task in tasks if task.edit.direction == direction]
        self.worker = self.worker or EditImages(self.lake.url, options, self.device)
        self.worker.directions = options.directions
        self.rows: list[list[dict[str, Any]]] = []
        self.images = options.images

    def judge(self, budget: int) -> dict[str, float]:
        parts = math.ceil(min(budget, len(self.images)) / IMAGES_PER_TASK)
        for task in self.tasks[len(self.rows) : parts]:
            self.rows.append(self._measured(task))
        return self._of(self.images[: min(budget, self.choosing)])

    @property
    def choosing(self) -> int:
        """How many of the images choose; as many others report, and are judged only in full."""
        return (len(self.images) + 1) // 2

    def reported(self) -> dict[str, float]:
        others = self.images[self.choosing :]
        return self._of(others) if len(others) > 1 else {}

    def _of(self, images: Sequence[str]) -> dict[str, float]:
        wanted = set(images)
        return objectives([row for rows in self.rows for row in rows if row["image_id"] in wanted], self.edit)

    def _measured(self, task: EditTask) -> list[dict[str, Any]]:
        if self.worker is None:
            raise RuntimeError("a subject judges what it has started")
        rows = self.worker.measure(task, self.worker.make(task))
        return [{name: row[name] for name in MEASURED} for row in rows]

    @staticmethod
    def facts(lake: Lake, fixed: Mapping[str, Any]) -> dict[str, Any]:
        for name in fixed:
            if name not in FIXED:
                raise unknown("fixed part of an orthogonalization study", name, FIXED)
        attribute, space = fixed.get("attribute", ""), fixed.get("space") or first_editable(lake)
        fingerprint = editable(lake, space)
        refuse_unknown_attributes(lake, [attribute])
        judging = judges(lake, space, attribute, fixed.get("judges"))
        train = train_rows(lake, space, attribute)
        return {
            "title": f"{attribute} in {space}",
            "space": space,
            "attribute": attribute,
            "fingerprint": results.config_hash(fingerprint),
            "train": len(train.z),
            "judges": provenance(lake, judging),
            "unit": "train",
            "keep": nuisances(lake, train, attribute, fixed.get("correlated", CORRELATED)),
        }

    @staticmethod
    def command(facts: Mapping[str, Any], settings: Mapping[str, Value], budget: int) -> list[str]:
        edit = edit_of(facts, settings)
        dose = max(edit.alphas)
        options = {
            "space": edit.space,
            "attribute": edit.attribute,
            "keep": ",".join(edit.keep),
            "alphas": f"{-dose},{dose}",
            "images": budget,
            "method": edit.method,
            "fit": True,
            "penalty": edit.penalty,
            "rank": edit.rank,
            "inner": edit.inner_product,
            "shrinkage": edit.shrinkage or None,
            "erasure": edit.erasure if edit.keep else None,
            "rounds": edit.rounds if edit.erasure == "iterative" else None,
            "path": edit.path,
            "judges": ",".join(facts["judges"]),
        }
        words = ["edit"]
        for name, value in options.items():
            if value not in (None, ""):
                words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        return [*words, "--baselines", ""]


def edit_of(facts: Mapping[str, Any], settings: Mapping[str, Value]) -> Edit:
    """The edit of a trial. Raises UneError for a set of nuisances that is not known."""
    keep, alpha = settings.get("keep", "none"), float(settings.get("alpha", 2.0))
    if keep not in facts["keep"]:
        raise unknown("set of nuisances", str(keep), facts["keep"])
    chosen: dict[str, Any] = {name: settings[name] for name in OF_AN_EDIT if name in settings}
    return Edit(
        space=facts["space"],
        attribute=facts["attribute"],
        keep=tuple(facts["keep"][keep]),
        alphas=(-alpha, alpha),
        baselines=(),
        fit=True,
        **chosen,
    )


def objectives(rows: Sequence[Mapping[str, Any]], edit: Edit) -> dict[str, float]:
    """effect: judged standard deviations of the target from one side of the dose to the other, halved;
    leakage: root mean square of the same over the other attributes; identity: cosine with the original at
    either dose. Of rows of `edits`; means over judges."""
    by_judge, alphas, dose = [], list(edit.alphas), max(edit.alphas)
    for judge in dict.fromkeys(row["judge"] for row in rows):
        own = [row for row in rows if row["judge"] == judge]
        names = [name for name, _ in own[0]["scores"]]
        scores = np.array([[score for _, score in row["scores"]] for row in own])
        scores = scores.reshape(-1, len(alphas), len(names)).swapaxes(1, 2)
        target, scales = names.index(edit.attribute), np.array([scale for _, scale in own[0]["scales"]])
        slope = slopes(changes(scores[:, :, alphas.index(0)], scores, scales), alphas)
        identity = np.mean([row["identity"] for row in own if row["alpha"] != 0])
        by_judge.append((dose * slope[:, target].mean(), dose * leakage(slope, target), identity))
    return dict(zip(Orthogonalization.goals, np.mean(by_judge, 0).tolist()))


def first_editable(lake: Lake) -> str:
    """Raises UneError where the lake has no inverted noise."""
    able = list(decodable(lake.fingerprints()))
    if not able:
        raise UneError(
            f"{lake.url} has no inverted noise to edit; build some: "
            f"une build --lake {lake.url} --spaces mini-sd-a/ddim50 …"
        )
    return able[0]


SUBJECT = Orthogonalization
