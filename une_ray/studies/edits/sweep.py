"""Edits kept orthogonal, as the subject of a sweep: how much of the target, how little of the rest, in spaces that the edit did not use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from une_ray.errors import UneError, unknown
from une_ray.lake import results
from une_ray.lake.latents import attributes_of
from une_ray.lake.layout import Lake
from une_ray.spaces.names import decodable
from une_ray.studies.edits.edit import Edit, train_rows
from une_ray.studies.edits.job import IMAGES_PER_TASK, EditImages, editable, plan
from une_ray.studies.edits.judge import judges, provenance
from une_ray.studies.edits.measures import changes, leakage, slopes
from une_ray.studies.edits.nuisances import CORRELATED, nuisances
from une_ray.studies.sweeps.study import Value

FIXED = ("space", "attribute", "judges", "correlated")


class Orthogonalization:
    """A trial is one edit to both sides, −α and +α; every objective is a mean over judges, and effect and leakage are those of the dose α."""

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
    unit: ClassVar[str] = "images"

    def __init__(self, lake: Lake, facts: dict, most: int, device: str) -> None:
        self.lake, self.facts, self.most, self.device = lake, facts, most, device
        self.worker: EditImages | None = None

    def start(self, settings: dict[str, Value]) -> None:
        self.edit = edit_of(self.facts, settings)
        tasks, options = plan(self.lake, self.edit, self.most, list(self.facts["judges"]))
        direction = "orthogonalised" if self.edit.keep else "probe"
        self.tasks = [task for task in tasks if task["edit"]["direction"] == direction]
        self.worker = self.worker or Unkept(self.lake.url, options, self.device)
        self.worker.directions = options["directions"]
        self.rows: list[list[dict]] = []
        self.images = options["images"]

    def judge(self, budget: int) -> dict[str, float]:
        parts = math.ceil(min(budget, len(self.images)) / IMAGES_PER_TASK)
        for task in self.tasks[len(self.rows) : parts]:
            self.rows.append(self.worker(task))
        chosen = set(self.images[:budget])
        return objectives([row for rows in self.rows for row in rows if row["image_id"] in chosen], self.edit)

    @staticmethod
    def facts(lake: Lake, fixed: dict) -> dict:
        for name in fixed:
            if name not in FIXED:
                raise unknown("fixed part of an orthogonalization study", name, FIXED)
        attribute, space = fixed.get("attribute", ""), fixed.get("space") or first_editable(lake)
        fingerprint = editable(lake, space)
        if attribute not in (known := attributes_of(lake)):
            raise unknown("attribute", attribute, known)
        named = judges(lake, space, attribute, fixed.get("judges"))
        train = train_rows(lake, space, attribute)
        return {
            "title": f"{attribute} in {space}",
            "space": space,
            "attribute": attribute,
            "fingerprint": results.config_hash(fingerprint),
            "train": len(train.z),
            "judges": provenance(lake, named),
            "keep": nuisances(lake, train, attribute, fixed.get("correlated", CORRELATED)),
        }

    @staticmethod
    def command(facts: dict, settings: dict[str, Value], budget: int) -> list[str]:
        edit = edit_of(facts, settings)
        dose = max(edit.alphas)
        told = {
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
        for name, value in told.items():
            if value not in (None, ""):
                words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        return [*words, "--baselines", ""]


class Unkept(EditImages):
    """A worker that leaves no pictures in the lake, as a sweep's trials are too many to look at, and tells only what objectives are made of."""

    def __call__(self, task: dict) -> list[dict]:
        return [
            {key: row[key] for key in ("judge", "image_id", "alpha", "scores")}
            | {"identity": float(row["identity"])}
            for row in super().__call__(task)
        ]

    def kept(self, *_) -> str:
        return ""


def edit_of(facts: dict, settings: dict[str, Value]) -> Edit:
    """The edit of a trial. Raises UneError for a set of nuisances that is not known."""
    keep, alpha = settings.get("keep", "none"), float(settings.get("alpha", 2.0))
    if keep not in facts["keep"]:
        raise unknown("set of nuisances", str(keep), facts["keep"])
    named = ("method", "penalty", "rank", "erasure", "rounds", "inner_product", "shrinkage", "path")
    told = {name: settings[name] for name in named if name in settings}
    return Edit(
        facts["space"],
        facts["attribute"],
        tuple(facts["keep"][keep]),
        (-alpha, alpha),
        baselines=(),
        fit=True,
        **told,
    )


def objectives(rows: Sequence[dict], edit: Edit) -> dict[str, float]:
    """effect: judged standard deviations of the target from one side of the dose to the other, halved; leakage: root mean square of the
    same over the other attributes; identity: cosine with the original at either dose. Of rows of `edits`; means over judges."""
    found, alphas, dose = [], list(edit.alphas), max(edit.alphas)
    for judge in dict.fromkeys(row["judge"] for row in rows):
        seen = [row for row in rows if row["judge"] == judge]
        names = [name for name, _ in seen[0]["scores"]]
        scores = (
            np.array([[score for _, score in row["scores"]] for row in seen])
            .reshape(-1, len(alphas), len(names))
            .swapaxes(1, 2)
        )
        target, slope = (
            names.index(edit.attribute),
            slopes(changes(scores[:, :, alphas.index(0)], scores), alphas),
        )
        identity = np.mean([row["identity"] for row in seen if row["alpha"] != 0])
        found.append((dose * slope[:, target].mean(), dose * leakage(slope, target), identity))
    return dict(zip(Orthogonalization.goals, np.mean(found, 0).tolist()))


def first_editable(lake: Lake) -> str:
    able = list(decodable(lake.fingerprints()))
    if not able:
        raise UneError(
            f"{lake.url} has no inverted noise to edit; build some: une build --lake {lake.url} --spaces mini-sd-a/ddim50 …"
        )
    return able[0]
