"""Edits as independent tasks: one direction, a few images, every dose, decoded by the space's own generator and judged elsewhere."""

from __future__ import annotations

import io
from collections.abc import Sequence
from urllib.parse import quote

import numpy as np
import torch
from PIL import Image

from une_ray.errors import UneError, unknown
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.spaces.ddim import Invert
from une_ray.spaces.names import decodable
from une_ray.spaces.space import Space
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.edit import (
    PROMPT,
    QUERY,
    Edit,
    Train,
    directions,
    latents_of,
    row,
    selected,
    train_rows,
)
from une_ray.studies.edits.judge import Judge, judges, provenance
from une_ray.studies.edits.measures import cosine
from une_ray.studies.edits.move import PATHS, move
from une_ray.studies.edits.prompt import prompt_of, prompted
from une_ray.studies.edits.readings import readings

WORKER = "une_ray.studies.edits.job:EditImages"
IMAGES_PER_TASK = 8
FAR = 5.0  # standard deviations of the train latents' norm beyond which a latent is no datum's, and its picture anything


def plan(
    lake: Lake, edit: Edit, images: int, judged_by: Sequence[str] | None = None
) -> tuple[list[dict], dict]:
    """Tasks and the options that their worker needs. A task is all that decides its rows; options are what follows from it, done once.

    Tasks of fewer images are the first ones of more, but for the last. Raises UneError for all that an edit of this lake can't be.
    """
    fingerprint = editable(lake, edit.space)
    train = train_rows(lake, edit.space, edit.attribute)
    rows = readings(lake, edit, train)
    used = {name: row(rows, name)["config"] for name in (edit.attribute, *edit.keep)}
    found = directions(lake, edit, rows, train)
    named = judges(lake, edit.space, edit.attribute, judged_by)
    chosen = selected(lake, [edit.space, *named], images)
    made_from = {
        "space": edit.space,
        "fingerprint": results.config_hash(fingerprint),
        "attribute": edit.attribute,
        "method": edit.reading,
        "inner_product": edit.geometry,
        "alphas": list(edit.alphas),
        "train": len(train.z),
        "judges": provenance(lake, named),
    } | edit.knobs
    ways = [
        {
            "direction": name,
            "keep": (kept := sorted(direction.nuisances)),
            "probes": [used[a] for a in (edit.attribute, *kept)],
        }
        for name, direction in found.items()
        if name != QUERY
    ]
    if QUERY in found:
        ways.append(
            {
                "direction": QUERY,
                "keep": [],
                "w": results.config_hash([*found[QUERY].w.tolist(), found[QUERY].b]),
            }
        )
    if PROMPT in edit.baselines:
        ways.append(
            {"direction": PROMPT, "keep": [], "prompt": prompt_of(lake.manifest["corpus"], edit.attribute)}
        )
    parts = [chosen[begin : begin + IMAGES_PER_TASK] for begin in range(0, len(chosen), IMAGES_PER_TASK)]
    tasks = [{"edit": made_from | way, "images": part} for way in ways for part in parts]
    return tasks, {
        "space": edit.space,
        "judges": named,
        "images": chosen,
        "directions": found,
        "norms": norms(train),
    }


def editable(lake: Lake, space: str) -> dict:
    """The fingerprint of a space that can be decoded. Raises UneError for one that can't, or whose generator has changed since."""
    known = lake.fingerprints()
    able = list(decodable(known))
    if space not in known:
        raise unknown("space", space, able)
    if space not in able:
        raise UneError(
            f"{space} has no way back to pictures; what can be edited is inverted noise: {', '.join(able) or 'none in this lake'}"
        )
    Space.refuse_changed(space, known[space])
    return known[space]


def norms(train: Train) -> tuple[float, float]:
    """Mean and standard deviation of the train latents' norms."""
    found = np.linalg.norm(train.z, axis=1)
    return float(found.mean()), float(found.std())


class EditImages:
    """A generator, its judges, and the latents of the images to edit, in memory; called with a task for its rows of `edits`."""

    def __init__(self, lake_url: str, options: dict, device: str = "cpu") -> None:
        self.lake, self.device = Lake(lake_url), device
        self.space = Space.from_fingerprint(options["space"], self.lake.fingerprints()[options["space"]])
        self.generator = Invert(self.space, device)
        self.judges = [Judge(self.lake, name, device) for name in options["judges"]]
        self.directions: dict[str, Direction] = options["directions"]
        self.norm, self.spread = options["norms"]
        self.z, *originals = (
            latents_of(self.lake, name, options["images"]) for name in (options["space"], *options["judges"])
        )
        self.originals = dict(zip(options["judges"], originals))

    def __call__(self, task: dict) -> list[dict]:
        """One row per image × α × judge; the pictures are in the lake before the rows are."""
        edit, direction = task["edit"], self.directions.get(task["edit"]["direction"])
        moves = [(image_id, alpha) for image_id in task["images"] for alpha in edit["alphas"]]
        z = torch.from_numpy(np.stack([self.z[image_id] for image_id, _ in moves]))
        alphas = torch.tensor([alpha for _, alpha in moves], dtype=torch.float64)
        scored = edit["direction"] != "random"  # whose steps lead to no score
        path = PATHS[edit.get("knobs", {}).get("path", "straight")] if scored else move
        edited = path(z, direction, alphas) if direction else z
        pictures = self.decoded(edited, None if direction else edit["prompt"], alphas)
        shared = {
            key: edit[key] for key in ("space", "attribute", "method", "direction", "keep", "inner_product")
        } | {
            "edit": results.config_hash(edit),
            "space_fingerprint": edit["fingerprint"],
            "remaining_norm": direction.remaining_norm if direction else None,
        }
        told = [
            shared
            | {"image_id": image_id, "alpha": alpha, "picture": self.kept(task, image_id, alpha, picture)}
            | self.quality(norm)
            for (image_id, alpha), picture, norm in zip(moves, pictures, edited.double().norm(dim=1).tolist())
        ]
        return [
            one | judged
            for judge in self.judges
            for one, judged in zip(told, self.judged(judge, moves, pictures))
        ]

    @torch.no_grad()
    def decoded(self, z: torch.Tensor, prompt: str | None, alphas: torch.Tensor) -> list[Image.Image]:
        """The pictures of latents z (b, d), as they are stored and judged, 8 bits a channel; with a `prompt` under its guidance."""
        shape, size, found = self.generator.generator.latent_shape, self.space.model.batch_size, []
        for batch, alpha in zip(z.split(size), alphas.split(size)):
            noise = batch.view(-1, *shape).to(self.device)
            x = (
                self.generator.image(noise)
                if prompt is None
                else prompted(self.generator, noise, prompt, alpha)
            )
            found.append(((x + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy())
        return [Image.fromarray(picture) for picture in np.concatenate(found)]

    def judged(self, judge: Judge, moves: list[tuple[str, float]], pictures: list[Image.Image]) -> list[dict]:
        """What one judge says of each picture: scores, and how like the original image it is."""
        z, scores = judge(pictures)
        identity = cosine(np.stack([self.originals[judge.space.name][image_id] for image_id, _ in moves]), z)
        return [
            {
                "judge": judge.space.name,
                "scores": list(zip(judge.attributes, s)),
                "identity": i,
                "z": e.astype(np.float16),
            }
            for s, i, e in zip(scores.tolist(), identity.tolist(), z)
        ]

    def kept(self, task: dict, image_id: str, alpha: float, picture: Image.Image) -> str:
        """Write the picture into the lake; its name there."""
        data, name = (
            io.BytesIO(),
            f"edits/{results.config_hash(task)}/{quote(image_id, safe='')}{alpha:+g}.png",
        )
        picture.save(data, "PNG")
        self.lake.store.commit(name, data.getvalue())
        return name

    def quality(self, norm: float) -> dict:
        """The latent's norm, and whether the data has such norms at all."""
        off = (norm - self.norm) / self.spread
        if abs(off) <= FAR:
            return {"norm": norm, "status": "ok", "error": None}
        reason = f"‖z‖ = {norm:.4g} is {off:+.1f} standard deviations from the train latents' {self.norm:.4g} ± {self.spread:.2g}; take a smaller α"
        return {"norm": norm, "status": "off-data", "error": reason}
