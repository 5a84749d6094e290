"""A space: what one model under one setting sees of an image. Its name, its fingerprint, and how to load it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pkgutil import resolve_name
from typing import Protocol

import numpy as np
import PIL

from une_ray.errors import UneError
from une_ray.models.adhoc import complete
from une_ray.models.fresh import initialisation
from une_ray.models.table import find_model, kind_defaults
from une_ray.models.resolve import pin
from une_ray.models.spec import ModelSpec, Preprocessing
from une_ray.spaces.kinds import READINGS, is_reading, parse_reading

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]*(/[A-Za-z0-9][A-Za-z0-9._@+-]*)*")


class Step(Protocol):
    """What a loaded space does with one batch. `shape` is that of one z before it was flattened, None for vectors."""

    shape: tuple[int, ...] | None

    def __call__(self, pictures: np.ndarray, image_ids: list[str]) -> dict[str, np.ndarray]:
        """(b, size, size, 3) uint8 → columns of the space's table, `z` (b, dim) float32 among them."""


@dataclass(frozen=True)
class Space:
    """One column of the lake. `reading` (a key of READINGS) and, where it has a schedule, `steps` and `spacing` say how a
    generator is read; an encoder has only one way."""

    name: str
    model: ModelSpec
    steps: int | None = None
    spacing: str | None = None
    reading: str = "ddim"

    @classmethod
    def parse(cls, text: str) -> Space:
        """`mini-sd-a/ddim50`, `sd15/leak50-trailing`, `mini-sd-a/latents`, `mini-dino`, `faces=stable-diffusion:/data/model/ddim100`.

        Raises UneError for an unknown model or reading, or a name that can't be a folder's.
        """
        given, equals, rest = text.rpartition("=")
        head, _, last = rest.rpartition("/")
        source, reading = (head, last) if head and (":" not in head or is_reading(last)) else (rest, "")
        model = find_model(source)
        if ":" in rest and not equals:
            raise UneError(f"a model that is not in the table needs a name for its space: NAME={text}")
        name = given if equals else rest
        if not NAME.fullmatch(name):
            raise UneError(f"{name!r} can't name a space; letters, digits, . _ @ + - and single slashes can")
        if not model.is_generator:
            if reading:
                raise UneError(
                    f"{model.id} is an encoder: its space is just {model.id!r}, without {reading!r}"
                )
            return cls(name, model)
        reading, steps, spacing = parse_reading(reading, model)
        return cls(name, model, steps, spacing, reading)

    @classmethod
    def from_fingerprint(cls, name: str, fingerprint: dict) -> Space:
        """A generator's inverted noise or an encoder's embedding as a lake has it, the network in float32 so that it runs anywhere."""
        preprocessing = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in fingerprint["preprocessing"].items()
        }
        model = replace(
            kind_defaults(fingerprint["kind"]),
            id=fingerprint["model"],
            source=fingerprint["source"],
            dtype="float32",
            preprocessing=Preprocessing(**preprocessing),
            prompt=fingerprint.get("prompt", ""),
            pooling=fingerprint.get("pooling", ""),
            revision=fingerprint["weights"].rpartition("@")[2]
            if fingerprint["source"].startswith("hub:")
            else None,
            init_seed=fingerprint.get("init", {}).get("seed"),
        )
        return cls(name, model, fingerprint.get("steps"), fingerprint.get("spacing"))

    @classmethod
    def refuse_changed(cls, name: str, fingerprint: dict) -> None:
        """Raise UneError where a model's folder no longer holds the weights that a lake's space was built with. A hub's revision is fixed."""
        model = cls.from_fingerprint(name, fingerprint).model
        if not model.source.startswith("hub:") and (weights := pin(model)[1]) != fingerprint["weights"]:
            raise UneError(
                f"space {name!r} was built with the weights {fingerprint['weights']}, but {model.source} now has {weights}; put those back, "
                "or build the space into another lake"
            )

    def as_in(self, fingerprint: dict | None) -> Space:
        """A hub model of no revision but `main`, at the commit that a lake's fingerprint names: `main` may have moved on."""
        if (
            fingerprint is None
            or self.model.revision not in (None, "main")
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
            "model": model.id,
            "kind": model.kind,
            "source": model.source,
            "weights": weights,
            "pooling": model.pooling,
            "preprocessing": _plain(asdict(model.preprocessing)),
            "backend": f"pillow {PIL.__version__.split('.')[0]}",
            "dtype": model.dtype,
        }
        if model.is_generator:
            fingerprint |= READINGS[self.reading].facts(model, self.steps, self.spacing)
            del fingerprint["pooling"]
        if model.init_seed is not None:
            fingerprint["init"] = initialisation(model)
        return replace(self, model=model), fingerprint

    def load(self, device: str = "cpu") -> Step:
        """The model on `device`, ready to read batches."""
        step = READINGS[self.reading].step if self.model.is_generator else "une_ray.spaces.embedding:Embed"
        return resolve_name(step)(self, device)


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
