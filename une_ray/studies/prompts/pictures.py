"""Pictures of prompts by the generator of an h-space, under its own seeds, as an encoder sees them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from une_ray.diffusion.ddim import sample
from une_ray.diffusion.guidance import guided
from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.models.generators import Generator, load_generator
from une_ray.pictures.decode import fit
from une_ray.pictures.tensors import to_image
from une_ray.run.placement import Demand
from une_ray.spaces.drawing import drawing_of, noise_of
from une_ray.spaces.hspace import KIND
from une_ray.spaces.kind import Step
from une_ray.spaces.space import Space
from une_ray.studies.prompts.judge import Judge

KEPT = 4  # pictures of every prompt that stay in the lake, for people


@dataclass(frozen=True, kw_only=True)
class PictureTask:
    """Pictures of one prompt, one per seed, and the encoder whose embeddings of them are kept; all that
    decides its rows, so that no other prompt of the list does.

    `space_fingerprint` is the h-space's, of whose generator `weights` are; `judge_fingerprint` the encoder's.
    """

    space: str
    space_fingerprint: str
    weights: str
    judge: str
    judge_fingerprint: str
    steps: int
    guidance_scale: float
    seeds: int
    prompt: str

    @property
    def size(self) -> int:
        """Pictures."""
        return self.seeds

    def to_row(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> PictureTask:
        """What `to_row` was made of."""
        return cls(**row)


def tasks(
    lake: Lake,
    space: str,
    judge: Judge,
    prompts: Sequence[str],
    seeds: int,
    steps: int,
    guidance_scale: float,
) -> list[PictureTask]:
    """One per prompt. Raises UneError for a space that is no h-space of prompts, one whose model has changed
    since or takes few steps of its own, and a judge that is no encoder or has changed since."""
    fingerprint = lake.fingerprints()[space]
    if fingerprint.get("method") != KIND.method:
        raise UneError(f"{space} is no h-space of prompts: pictures are drawn by the generator of one")
    Space.refuse_changed(space, fingerprint)
    generator = Space.from_fingerprint(space, fingerprint)
    if drawing_of(generator.model, generator.schedule[1]).scaling is not None:
        raise UneError(
            f"{space}: pictures of votes are drawn by DDIM, which draws a few-step model badly; vote with its"
            " undistilled model"
        )
    facts = {
        "space": space,
        "space_fingerprint": results.config_hash(fingerprint),
        "weights": fingerprint["weights"],
        "judge": judge.model,
        "judge_fingerprint": results.config_hash(judge.fingerprint),
        "steps": steps,
        "guidance_scale": guidance_scale,
        "seeds": seeds,
    }
    return [PictureTask(**facts, prompt=prompt) for prompt in prompts]


class DrawPrompts:
    """The worker: a generator and an encoder in memory."""

    demand: ClassVar[Demand] = Demand()

    def __init__(self, lake_url: str, options: tuple[str, Judge], device: str) -> None:
        """`options`: the h-space and the judge."""
        self.lake, self.device = Lake(lake_url), device
        space, self.judge = options
        self.space = Space.from_fingerprint(space, self.lake.fingerprints()[space])

    @cached_property
    def generator(self) -> Generator:
        return load_generator(self.space.model, self.device)

    @cached_property
    def encoder(self) -> tuple[Space, Step[Any]]:
        space = Space.from_fingerprint(self.judge.model, self.judge.fingerprint)
        return space, space.load(self.device)

    def __call__(self, task: dict[str, Any]) -> list[dict[str, Any]]:
        """A row per seed of the table `prompt_pictures`; the pictures that are kept are in the lake
        before the rows are."""
        rows, pictures = [], self.draw(PictureTask.from_row(task))
        for seed, (picture, z) in enumerate(zip(pictures, self.embed(pictures), strict=True)):
            name = f"prompt_pictures/{results.config_hash(task)}/{seed}.png"
            if seed < KEPT:
                data = io.BytesIO()
                picture.save(data, "PNG")
                self.lake.store.commit(name, data.getvalue())
            rows.append(task | {"seed": seed, "z": z, "picture": name if seed < KEPT else None})
        return rows

    @torch.no_grad()
    def draw(self, task: PictureTask) -> list[Image.Image]:
        """The prompt's picture of every seed, from the noise that the h-space begins with."""
        generator = self.generator
        noise = noise_of(task.seeds, generator.latent_shape, self.device)
        conditional, unconditional = (
            generator.denoiser(generator.prompt_states([text])) for text in (task.prompt, "")
        )
        denoiser = guided(conditional, unconditional, task.guidance_scale)
        schedule = timesteps(task.steps, self.space.schedule[1], len(generator.alphas_cumprod))
        parts = [
            sample(
                denoiser,
                x,
                schedule,
                generator.alphas_cumprod,
                generator.prediction_type,
                clean=True,
            )
            for x in noise.split(self.space.model.batch_size)
        ]
        return [to_image(picture) for part in parts for picture in generator.decode(part).cpu()]

    def embed(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """(n, d) float32 in the encoder's space."""
        space, step = self.encoder
        batch = np.stack([fit(picture, space.model.preprocessing) for picture in pictures])
        size = space.model.batch_size
        parts = [
            step(batch[i : i + size], [""] * len(batch[i : i + size])) for i in range(0, len(batch), size)
        ]
        return np.concatenate([part["z"] for part in parts])
