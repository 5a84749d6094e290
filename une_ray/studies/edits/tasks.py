"""Edits as independent tasks: one direction, a few images, every dose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from une_ray.errors import UneError, unknown
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.run.progress import say
from une_ray.spaces.names import decodable
from une_ray.spaces.space import Space
from une_ray.studies.edits.direction_set import directions
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.edit import DEFAULTS, QUERY, Edit
from une_ray.studies.edits.images import named, selected
from une_ray.studies.edits.judge import doubts, judges, provenance
from une_ray.studies.edits.probe_row import ProbeRow, probe_row
from une_ray.studies.edits.probes_of_edit import probes_of_edit
from une_ray.studies.edits.registries import STEERINGS
from une_ray.studies.edits.shared_steps import RANDOM_SHARED, SHARED
from une_ray.studies.edits.steerings import prompt_of
from une_ray.studies.edits.train_rows import targets_of, train_rows

IMAGES_PER_TASK = 8
DRAWN = "by image"  # in configs: steps that images shared are others
BY_NUMBERS = (QUERY, SHARED, RANDOM_SHARED)  # directions that no probe of the space decides


@dataclass(frozen=True, kw_only=True)
class EditFacts:
    """All that decides an edit along one direction, whatever the images; its hash is the column `edit`.

    `fingerprint` is the space's hash, `judges` what decides each judge's verdict (see `provenance`),
    `knobs` what departs from an edit's defaults, `unit` over which images a judge's standard deviations are.
    One of `probes` (config hashes of the probes), `w` (the
    hash of a query's or a shared space's direction) and `prompt` says where the direction comes from, and
    `steering` what else decides how a prompt leads, `draws` what a control's steps are drawn by."""

    space: str
    fingerprint: str
    attribute: str
    method: str
    inner_product: str
    alphas: tuple[float, ...]
    train: int
    judges: Mapping[str, list[Any]]
    knobs: Mapping[str, Any] | None = None
    direction: str
    keep: tuple[str, ...] = ()
    probes: tuple[str, ...] | None = None
    w: str | None = None
    prompt: str | None = None
    steering: Mapping[str, Any] | None = None
    unit: str = "train"
    draws: str | None = None

    @property
    def path(self) -> str:
        return (self.knobs or {}).get("path", DEFAULTS["path"])

    @property
    def config(self) -> str:
        return results.config_hash(self.to_row())

    def to_row(self) -> dict[str, Any]:
        """As JSON can hold it, without what does not apply."""
        row = {name: getattr(self, name) for name in self.__dataclass_fields__}
        row = {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
        return {name: value for name, value in row.items() if value is not None}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> EditFacts:
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in row.items()
        }
        return cls(**fields)


@dataclass(frozen=True, kw_only=True)
class EditTask:
    """One edit of a few images."""

    edit: EditFacts
    images: tuple[str, ...]

    @property
    def moves(self) -> list[tuple[str, float]]:
        """(image, dose) of every picture."""
        return [(image_id, alpha) for image_id in self.images for alpha in self.edit.alphas]

    @property
    def size(self) -> int:
        return len(self.images) * len(self.edit.alphas)

    @property
    def config(self) -> str:
        return results.config_hash(self.to_row())

    def to_row(self) -> dict[str, Any]:
        return {"edit": self.edit.to_row(), "images": list(self.images)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> EditTask:
        return cls(edit=EditFacts.from_row(row["edit"]), images=tuple(row["images"]))


@dataclass(frozen=True, kw_only=True, eq=False)
class EditOptions:
    """What follows from the tasks, worked out once: the judges, all images, the directions by name, and
    mean and standard deviation of the train latents' norms."""

    space: str
    judges: tuple[str, ...]
    images: tuple[str, ...]
    directions: Mapping[str, Direction]
    norms: tuple[float, float]


def plan(
    lake: Lake,
    edit: Edit,
    images: int,
    judged_by: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
) -> tuple[list[EditTask], EditOptions]:
    """Tasks and the options that their worker needs, of up to so many test images, or of `image_ids`.

    Tasks of fewer images are the first ones of more, but for the last. Raises UneError for all that an edit
    of this lake can't be."""
    fingerprint = editable(lake, edit.space)
    train = train_rows(lake, edit.space, edit.attribute)
    rows = probes_of_edit(lake, edit, train)
    for name in (*targets_of(edit.attribute, rows), *edit.keep):
        probe_row(rows, name)
    by_name = directions(lake, edit, rows, train)
    learnt_from = {space for direction in by_name.values() for space in direction.learnt_from}
    judging = judges(lake, edit.space, edit.attribute, judged_by, learnt_from)
    for doubt in doubts(lake, edit.space, edit.attribute, judging):
        say(doubt)
    spaces = [edit.space, *judging]
    ids = selected(lake, spaces, images) if image_ids is None else named(lake, spaces, image_ids)
    shared = EditFacts(
        space=edit.space,
        fingerprint=results.config_hash(fingerprint),
        attribute=edit.attribute,
        method=edit.probe,
        inner_product=edit.geometry,
        alphas=edit.alphas,
        train=len(train.z),
        judges=provenance(lake, judging),
        knobs=edit.knobs or None,
        direction="",
    )
    parts = [tuple(ids[begin : begin + IMAGES_PER_TASK]) for begin in range(0, len(ids), IMAGES_PER_TASK)]
    tasks = [
        EditTask(edit=facts, images=part)
        for facts in _ways(lake, edit, shared, by_name, rows)
        for part in parts
    ]
    options = EditOptions(
        space=edit.space,
        judges=tuple(judging),
        images=tuple(ids),
        directions={name: direction.of_images(ids) for name, direction in by_name.items()},
        norms=train.norms,
    )
    return tasks, options


def editable(lake: Lake, space: str) -> dict[str, Any]:
    """The fingerprint of a space that can be decoded. Raises UneError for one that can't, or whose
    generator has changed since."""
    known = lake.fingerprints()
    able = list(decodable(known))
    if space not in known:
        raise unknown("space", space, able)
    if space not in able:
        raise UneError(
            f"{space} has no way back to pictures; what can be edited is inverted noise: "
            f"{', '.join(able) or 'none in this lake'}"
        )
    Space.refuse_changed(space, known[space])
    return known[space]


def _ways(
    lake: Lake,
    edit: Edit,
    shared: EditFacts,
    by_name: Mapping[str, Direction],
    rows: Mapping[str, ProbeRow],
) -> list[EditFacts]:
    """The edit along each of its directions: the probe's and the baselines, then the query's and the shared
    space's, then the steerings towards the attribute's prompt."""
    targets, ways = targets_of(edit.attribute, rows), []
    for name, direction in by_name.items():
        if name not in BY_NUMBERS:
            keep = tuple(sorted(direction.nuisances))
            probes = tuple(rows[attribute].config for attribute in (*targets, *keep))
            drawn = None if direction.draws is None else DRAWN
            ways.append(replace(shared, direction=name, keep=keep, probes=probes, draws=drawn))
    if QUERY in by_name:
        numbers = [*by_name[QUERY].w.tolist(), by_name[QUERY].b]
        ways.append(replace(shared, direction=QUERY, w=results.config_hash(numbers)))
    for name in (SHARED, RANDOM_SHARED):
        if name in by_name:
            found = by_name[name]
            numbers = [*found.w.tolist(), found.b, *found.step.tolist()]
            drawn = None if found.draws is None else DRAWN
            ways.append(replace(shared, direction=name, w=results.config_hash(numbers), draws=drawn))
    prompt = " and ".join(prompt_of(lake.manifest["corpus"], target) for target in targets)
    for name in edit.baselines:
        if name in STEERINGS:
            facts = STEERINGS.find(name).facts
            ways.append(replace(shared, direction=name, prompt=prompt, steering=facts))
    return ways
