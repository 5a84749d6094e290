"""A space: what one model under one setting sees of an image. Its name, its fingerprint, and how to load it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Protocol

import numpy as np
import PIL

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.models.adhoc import complete
from une_ray.models.registry import find_model
from une_ray.models.resolve import pin
from une_ray.models.spec import ModelSpec

READING = re.compile(r"ddim(?P<steps>\d+)(?:-(?P<spacing>[a-z]+))?")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*(/[A-Za-z0-9][A-Za-z0-9._@+-]*)*")


class Step(Protocol):
    """What a loaded space does with one batch. `shape` is that of one z before it was flattened, None for vectors."""

    shape: tuple[int, ...] | None

    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, np.ndarray]:
        """(b, size, size, 3) uint8 → columns of the space's table, `z` (b, dim) float32 among them."""


@dataclass(frozen=True)
class Space:
    """One column of the lake. `steps` and `spacing` are None for encoders."""

    name: str
    model: ModelSpec
    steps: int | None = None
    spacing: str | None = None

    @classmethod
    def parse(cls, text: str) -> Space:
        """`mini-sd-a/ddim50`, `sd15/ddim50-trailing`, `mini-dino`, `faces=stable-diffusion:/data/model/ddim100`.

        Raises UneError for an unknown model or reading, or a name that can't be a folder's.
        """
        given, equals, rest = text.rpartition("=")
        head, _, last = rest.rpartition("/")
        match = READING.fullmatch(last) if head else None
        model = find_model(head if match else rest)
        if ":" in rest and not equals:
            raise UneError(f"a model that is not in the table needs a name for its space: NAME={text}")
        name = given if equals else rest
        if not NAME.fullmatch(name):
            raise UneError(f"{name!r} can't name a space; letters, digits, . _ @ + - and single slashes can")
        if not model.is_generator:
            if match:
                raise UneError(f"{model.id} is an encoder: its space is just {model.id!r}, without {last!r}")
            return cls(name, model)
        if not match:
            raise UneError(f"{rest!r} does not say how to invert; a generator's space is MODEL/ddimSTEPS, as in {model.id}/ddim50")
        spacing = match["spacing"] or "leading"
        timesteps(int(match["steps"]), spacing)  # refuses what is no schedule
        return cls(name, model, int(match["steps"]), spacing)

    def as_in(self, fingerprint: dict | None) -> Space:
        """A hub model without a pinned revision, at the commit that a lake's fingerprint names: `main` may have moved on."""
        if (
            fingerprint is None
            or self.model.revision
            or fingerprint["source"] != self.model.source
            or not self.model.source.startswith("hub:")
        ):
            return self
        return replace(self, model=replace(self.model, revision=fingerprint["weights"].rpartition("@")[2]))

    def with_dtype(self, dtype: str | None) -> Space:
        return self if dtype is None else replace(self, model=replace(self.model, dtype=dtype))

    def pinned(self) -> tuple[Space, dict]:
        """The space with its model's revision fixed, and its full fingerprint: everything that decides its numbers."""
        model, weights = pin(self.model)
        model = model if model.dim else complete(model)
        fingerprint = {
            "model": model.id, "kind": model.kind, "source": model.source, "weights": weights, "pooling": model.pooling,
            "preprocessing": _plain(asdict(model.preprocessing)), "backend": f"pillow {PIL.__version__.split('.')[0]}", "dtype": model.dtype,
        }  # fmt: skip
        if model.is_generator:
            fingerprint |= {
                "method": "ddim-inversion",
                "steps": self.steps,
                "spacing": self.spacing,
                "prompt": model.prompt,
                "guidance_scale": 1.0,
            }
            del fingerprint["pooling"]
        return replace(self, model=model), fingerprint

    def load(self, device: str = "cpu") -> Step:
        """The model on `device`, ready to read batches."""
        if self.model.is_generator:
            from une_ray.steps.invert import Invert

            return Invert(self, device)
        from une_ray.steps.embed import Embed

        return Embed(self, device)


def _plain(value: dict) -> dict:
    """As JSON gives it back: tuples become lists."""
    return {key: list(item) if isinstance(item, tuple) else item for key, item in value.items()}


def pixels(pictures: np.ndarray, preprocessing, device: str):
    """(b, h, w, 3) uint8 → (b, 3, h, w) float32 on `device`, (x/255 − mean)/std, channels last in memory."""
    import torch

    x = torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float() / 255
    mean = torch.tensor(preprocessing.mean, device=device).view(3, 1, 1)
    std = torch.tensor(preprocessing.std, device=device).view(3, 1, 1)
    return (x - mean) / std
