"""The worker of edits: a direction's pictures by the space's own generator, judged elsewhere."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

import numpy as np
import torch
from PIL import Image

from une_ray.lake.layout import Lake
from une_ray.pictures.tensors import to_uint8
from une_ray.run.placement import Demand
from une_ray.spaces.ddim import Invert
from une_ray.spaces.space import Space
from une_ray.studies.edits.images import latents_of
from une_ray.studies.edits.judge import Judge
from une_ray.studies.edits.measures import cosine
from une_ray.studies.edits.move import move_each
from une_ray.studies.edits.registries import PATHS, STEERINGS
from une_ray.studies.edits.steerings import Lead
from une_ray.studies.edits.tasks import EditFacts, EditOptions, EditTask

# Standard deviations of the train latents' norm beyond which a latent is no datum's and its picture anything.
FAR = 5.0


@dataclass(frozen=True, eq=False)
class Edited:
    """What became of a task's moves: a picture and the norm of its latent for each."""

    pictures: Sequence[Image.Image]
    norms: Sequence[float]


@dataclass(kw_only=True, eq=False)
class Models:
    """The generators and judges of a lake on one device, each loaded once however many edits use it."""

    lake: Lake
    device: str
    generators: dict[str, Invert] = field(default_factory=dict)
    judges: dict[str, Judge] = field(default_factory=dict)

    def generator(self, space: str) -> Invert:
        if space not in self.generators:
            fingerprint = self.lake.fingerprints()[space]
            self.generators[space] = Invert(Space.from_fingerprint(space, fingerprint), self.device)
        return self.generators[space]

    def judge(self, space: str) -> Judge:
        if space not in self.judges:
            self.judges[space] = Judge(self.lake, space, self.device)
        return self.judges[space]


class EditEach:
    """The worker of several edits, whose options it is given by the edit's hash."""

    demand: ClassVar[Demand] = Demand()

    def __init__(self, lake_url: str, options: Mapping[str, EditOptions], device: str = "cpu") -> None:
        self.options, self.models = options, Models(lake=Lake(lake_url), device=device)
        self.workers: dict[int, EditImages] = {}

    def __call__(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        options = self.options[EditTask.from_row(task).edit.config]
        if id(options) not in self.workers:
            lake = self.models.lake
            self.workers[id(options)] = EditImages(lake.url, options, self.models.device, self.models)
        return self.workers[id(options)](task)


class EditImages:
    """A generator, its judges, and the latents of the images of one edit, in memory; called with a task's
    row for its rows of `edits`."""

    def __init__(
        self, lake_url: str, options: EditOptions, device: str = "cpu", models: Models | None = None
    ) -> None:
        self.lake, self.device = Lake(lake_url), device
        models = models or Models(lake=self.lake, device=device)
        self.generator = models.generator(options.space)
        self.space = Space.from_fingerprint(options.space, self.lake.fingerprints()[options.space])
        self.judges = [models.judge(name) for name in options.judges]
        self.directions, self.leads = options.directions, dict[str, Lead]()
        self.norm, self.spread = options.norms
        self.z = latents_of(self.lake, options.space, options.images)
        self.originals = {name: latents_of(self.lake, name, options.images) for name in options.judges}

    def __call__(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        """One row per image × α × judge; the pictures are in the lake before the rows are."""
        record = EditTask.from_row(task)
        edited = self.make(record)
        names = dict(zip(record.moves, self.save(record, edited), strict=True))
        rows = self.measure(record, edited)
        return [row | {"picture": names[row["image_id"], row["alpha"]]} for row in rows]

    def make(self, task: EditTask) -> Edited:
        """Move the latents and decode them."""
        direction, moves = self.directions.get(task.edit.direction), task.moves
        z = torch.from_numpy(np.stack([self.z[image_id] for image_id, _ in moves]))
        alphas = torch.tensor([alpha for _, alpha in moves], dtype=torch.float64)
        if direction is not None:
            if direction.draws is not None:  # they lead to no score, and go straight on whatever the path
                z = move_each(z, direction.drawn([image_id for image_id, _ in moves]), alphas)
            else:
                z = PATHS.find(task.edit.path).go(z, direction, alphas)
        pictures = self.decode(z, alphas, [image_id for image_id, _ in moves], self.lead(task.edit))
        return Edited(pictures, z.double().norm(dim=1).tolist())

    def measure(self, task: EditTask, edited: Edited) -> list[dict[str, Any]]:
        """What every judge says of each picture, with what decides it; but for the picture's name."""
        direction, facts = self.directions.get(task.edit.direction), task.edit.to_row()
        columns = ("space", "attribute", "method", "direction", "keep", "inner_product")
        shared = {name: facts[name] for name in columns} | {
            "edit": task.edit.config,
            "space_fingerprint": task.edit.fingerprint,
            "remaining_norm": direction.remaining_norm if direction else None,
        }
        moved = [
            shared | {"image_id": image_id, "alpha": alpha} | self.quality(norm)
            for (image_id, alpha), norm in zip(task.moves, edited.norms, strict=True)
        ]
        return [
            row | verdict
            for judge in self.judges
            for row, verdict in zip(moved, self.judged(judge, task, edited.pictures), strict=True)
        ]

    def save(self, task: EditTask, edited: Edited) -> list[str]:
        """Write the pictures into the lake; their names there."""
        names = []
        for (image_id, alpha), picture in zip(task.moves, edited.pictures, strict=True):
            data, name = io.BytesIO(), f"{folder_of(task)}/{quote(image_id, safe='')}{alpha:+g}.png"
            picture.save(data, "PNG")
            self.lake.store.commit(name, data.getvalue())
            names.append(name)
        return names

    def lead(self, edit: EditFacts) -> Lead:
        """How the noise is led to pictures: plainly, or by the edit's steering, made once."""
        if edit.prompt is None:
            return lambda noise, alphas, image_ids: self.generator.image(noise)
        if edit.config not in self.leads:
            self.leads[edit.config] = STEERINGS.find(edit.direction).towards(self.generator, edit.prompt)
        return self.leads[edit.config]

    @torch.no_grad()
    def decode(
        self, z: torch.Tensor, alphas: torch.Tensor, image_ids: Sequence[str], lead: Lead
    ) -> list[Image.Image]:
        """The pictures of latents z (b, d), as they are stored and judged, 8 bits a channel."""
        shape, parts = self.generator.generator.latent_shape, []
        for rows in torch.arange(len(z)).split(self.space.model.batch_size):
            noise = z[rows].view(-1, *shape).to(self.device)
            parts.append(to_uint8(lead(noise, alphas[rows], [image_ids[row] for row in rows])))
        return [Image.fromarray(picture) for picture in np.concatenate(parts)]

    def judged(self, judge: Judge, task: EditTask, pictures: Sequence[Image.Image]) -> list[dict[str, Any]]:
        """What one judge says of each picture: scores, and how like the original image it is."""
        z, scores = judge(pictures)
        originals, scales = self.originals[judge.space.name], judge.scales(task.edit.attribute)
        identity = cosine(np.stack([originals[image_id] for image_id, _ in task.moves]), z)
        return [
            {"judge": judge.space.name, "scores": pairs, "scales": scales, "identity": cos}
            | {"z": embedding.astype(np.float16)}
            for pairs, cos, embedding in zip(judge.named(scores, task.edit.attribute), identity.tolist(), z)
        ]

    def quality(self, norm: float) -> dict[str, Any]:
        """The latent's norm, and whether the data has such norms at all."""
        off = (norm - self.norm) / self.spread
        if abs(off) <= FAR:
            return {"norm": norm, "status": "ok", "error": None}
        reason = (
            f"‖z‖ = {norm:.4g} is {off:+.1f} standard deviations from the train latents' "
            f"{self.norm:.4g} ± {self.spread:.2g}; take a smaller α"
        )
        return {"norm": norm, "status": "off-data", "error": reason}


def folder_of(task: EditTask) -> str:
    """Where in the lake a task's pictures are."""
    return f"edits/{task.config}"
