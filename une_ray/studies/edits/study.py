"""Edits of a lake: plan, make, judge, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import pyarrow as pa
from PIL import Image

from une_ray.errors import unknown
from une_ray.geometry.kernel_distance import KernelDistance
from une_ray.lake.layout import Lake
from une_ray.lake.tables import REAL, TEXT, WHOLE
from une_ray.run import tasks as pipeline
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.studies.edits.direction_set import ORTHOGONALISED, PROBE
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.edit import DEFAULTS, Edit
from une_ray.studies.edits.images import splits_of
from une_ray.studies.edits.nuisances import SETS, nuisances
from une_ray.studies.edits.outcome import Outcome, outcomes
from une_ray.studies.edits.strips import html, strip
from une_ray.studies.edits.tasks import EditOptions, EditTask, plan
from une_ray.studies.edits.train_rows import train_rows
from une_ray.studies.edits.worker import EditEach, folder_of

SUMMARIES = pa.schema(
    [
        ("edit", TEXT),
        ("space", TEXT),
        ("attribute", TEXT),
        ("method", TEXT),
        ("direction", TEXT),
        ("keep", pa.list_(TEXT)),
        ("inner_product", TEXT),
        ("judge", TEXT),
        ("images", WHOLE),
        ("effect", REAL),
        ("effect_margin", REAL),
        ("flips_down", REAL),
        ("flips_up", REAL),
        ("flips_down_of", WHOLE),
        ("flips_up_of", WHOLE),
        ("leakage", REAL),
        ("leakage_of_one", REAL),
        ("kept", REAL),
        ("order", REAL),
        ("identity_down", REAL),
        ("identity_round_trip", REAL),
        ("identity_up", REAL),
        ("kid_down", REAL),
        ("kid_down_margin", REAL),
        ("kid_round_trip", REAL),
        ("kid_round_trip_margin", REAL),
        ("kid_up", REAL),
        ("kid_up_margin", REAL),
        ("kid_real", REAL),
        ("kid_real_margin", REAL),
        ("off_data", pa.map_(REAL, REAL)),
    ]
)

DRAWN, DRAWN_ALONG = 4, (PROBE, ORTHOGONALISED)  # images of a strip, and its directions

PICTURES = """
    SELECT judge, direction, image_id, alpha, scores[attribute] AS score,
        identity, status, picture
    FROM edits WHERE edit IN (SELECT unnest($edits)) AND image_id IN (SELECT unnest($images))
    ORDER BY list_position($images, image_id), judge, list_position($edits, edit), alpha"""


@dataclass(frozen=True, kw_only=True, eq=False)
class DoneEdit:
    """One attribute's edit: its directions by name, what every judge says of each, and the images that were
    edited.

    `outcomes` are of all images that the lake has of this very edit, or where images were named of those;
    they need two at least."""

    lake: Lake
    edit: Edit
    directions: Mapping[str, Direction]
    outcomes: Sequence[Outcome]
    tasks: Sequence[EditTask]
    image_ids: Sequence[str]

    def __repr__(self) -> str:
        what = f"{self.edit.attribute} in {self.edit.space}"
        return f"{what}: {len(self.folders)} directions × {len(self.image_ids)} images"

    @property
    def folders(self) -> dict[str, list[str]]:
        """Where in the lake the pictures of each direction are."""
        folders: dict[str, list[str]] = {}
        for task in self.tasks:
            folders.setdefault(task.edit.direction, []).append(folder_of(task))
        return folders

    @cached_property
    def pictures(self) -> pa.Table:
        """One row per image, judge, direction and dose: the judged score of the attribute, identity,
        status, and the picture's name."""
        edits = list(dict.fromkeys(task.edit.config for task in self.tasks))
        params = {"edits": edits, "images": list(self.image_ids)}
        return self.lake.session.sql(PICTURES, params=params).to_arrow_table()

    @cached_property
    def splits(self) -> dict[str, str]:
        """The corpus' split of each image: the probes were fitted with those of another than `test`."""
        return splits_of(self.lake, self.image_ids)


@dataclass(frozen=True, eq=False)
class EditResult:
    """What `edit` gave: one `DoneEdit` for each edit."""

    done: Sequence[DoneEdit]

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for one in self.done for outcome in one.outcomes]

    @property
    def directions(self) -> list[Mapping[str, Direction]]:
        """By name, in the order of the edits."""
        return [one.directions for one in self.done]

    @property
    def pictures(self) -> pa.Table:
        """See `DoneEdit.pictures`."""
        return pa.concat_tables([one.pictures for one in self.done])

    def strip(self, images: int = DRAWN, directions: Sequence[str] = DRAWN_ALONG) -> Image.Image:
        """The first images of each edit, a line per direction that there is of these, a column per dose."""
        parts = [_rows_of_strip(one, images, directions) for one in self.done]
        return strip(self.done[0].lake, [row for rows in parts for row in rows])

    def _repr_html_(self) -> str:
        """What a notebook draws: a strip per edit."""
        return "".join(
            html(one.lake, _rows_of_strip(one), f"{one.edit.attribute} in {one.edit.space}")
            for one in self.done
        )

    def __repr__(self) -> str:
        return f"EditResult({'; '.join(map(repr, self.done))})"

    @cached_property
    def table(self) -> pa.Table:
        """One row per direction and judge; `down` is at the smallest dose and `up` at the largest."""
        return pa.Table.from_pylist([summary_row(outcome) for outcome in self.outcomes], schema=SUMMARIES)


def edit(
    lake: Lake,
    edits: Edit | Sequence[Edit],
    *,
    images: int = 64,
    judges: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
    cluster: Cluster = DEFAULT,
) -> EditResult:
    """Edit up to so many test images, or these very `image_ids`, and have `judges` say what changed. What
    is in the lake is not done again.

    All edits are checked before any is made. Raises UneError for what can't be edited or judged.
    """
    return EditResult(
        list(each(lake, edits, images=images, judges=judges, image_ids=image_ids, cluster=cluster))
    )


def each(
    lake: Lake,
    edits: Edit | Sequence[Edit],
    *,
    images: int = 64,
    judges: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
    cluster: Cluster = DEFAULT,
) -> Iterator[DoneEdit]:
    """As `edit`, in the order of `edits`, each as soon as it is done. One pool of workers does them all."""
    edits = [edits] if isinstance(edits, Edit) else edits
    plans = [plan(lake, one, images, judges, image_ids) for one in edits]
    options = {task.edit.config: one for tasks, one in plans for task in tasks}
    left = [{task.config for task in tasks} for tasks, _ in plans]
    label = "editing " + ", ".join(dict.fromkeys(one.attribute for one in edits))
    every = [task for tasks, _ in plans for task in tasks]
    at = 0
    for config in pipeline.run(lake, "edits", every, EditEach, options, label, cluster, unit="pictures"):
        for configs in left:
            configs.discard(config)
        while at < len(edits) and not left[at]:
            yield _done(lake, edits[at], *plans[at], image_ids is not None)
            at += 1


def edit_of(
    lake: Lake,
    space: str,
    attribute: str,
    keep: Sequence[str] | str | None = None,
    alphas: Sequence[float] = DEFAULTS["alphas"],
    **settings: Any,
) -> Edit:
    """The edit whose `keep` is names of attributes, or a set of `nuisances`: none, correlated or all.
    `settings` are further fields of Edit.

    Raises UneError for settings that mean nothing, and for a lake without the train images that a set is
    chosen by."""
    known = [field.name for field in fields(Edit)]
    for name in settings:
        if name not in known:
            raise unknown("setting of an edit", name, known)
    names: Sequence[str] = [keep] if isinstance(keep, str) else keep or []
    if len(names) == 1 and names[0] in SETS:
        names = nuisances(lake, train_rows(lake, space, attribute), attribute)[names[0]]
    return Edit(space=space, attribute=attribute, keep=tuple(names), alphas=tuple(alphas), **settings)


def summary_row(outcome: Outcome) -> dict[str, Any]:
    """A row of SUMMARIES."""
    summary = outcome.summary()
    identity, quality = summary["round_trip"]
    row = {name: getattr(outcome, name) for name in ("edit", "space", "method", "keep", "inner_product")}
    same = (
        "attribute",
        "direction",
        "judge",
        "images",
        "effect",
        "effect_margin",
        "leakage",
        "leakage_of_one",
        "kept",
        "order",
    )
    return {
        **row,
        **{name: summary[name] for name in same},  # type: ignore[literal-required]
        "flips_down": summary["flips"][0],
        "flips_up": summary["flips"][1],
        "flips_down_of": summary["flips_of"][0],
        "flips_up_of": summary["flips_of"][1],
        "identity_down": summary["identity"][0],
        "identity_round_trip": identity,
        "identity_up": summary["identity"][1],
        **_of_distances(down=summary["quality"][0], round_trip=quality, up=summary["quality"][1]),
        **_of_distances(real=summary["real"]),
        "off_data": list(summary["off_data"].items()),
    }


def _of_distances(**distances: KernelDistance) -> dict[str, float]:
    values = {f"kid_{name}": distance.value for name, distance in distances.items()}
    return values | {f"kid_{name}_margin": distance.margin for name, distance in distances.items()}


def _rows_of_strip(
    done: DoneEdit, images: int = DRAWN, directions: Sequence[str] = DRAWN_ALONG
) -> list[dict[str, Any]]:
    first = set(done.image_ids[:images])
    rows = [row for row in done.pictures.to_pylist() if row["image_id"] in first]
    return [row for row in rows if row["judge"] == rows[0]["judge"] and row["direction"] in directions]


def _done(lake: Lake, edit: Edit, tasks: list[EditTask], options: EditOptions, are_named: bool) -> DoneEdit:
    configs = sorted({task.edit.config for task in tasks})
    return DoneEdit(
        lake=lake,
        edit=edit,
        directions=options.directions,
        outcomes=outcomes(lake.session, configs, options.images if are_named else None),
        tasks=tasks,
        image_ids=options.images,
    )
