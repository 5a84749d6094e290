"""Pictures of one colour that grows brighter to one side."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from une_ray.corpora.base import Item


@dataclass(frozen=True)
class Gradients:
    """`gradients:N`: N pictures; `Red` and `Rightwards` are coin flips by the number."""

    count: int

    FORM = "gradients:N"
    OPTIONS = {}

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Gradients:
        return cls(int(argument))

    @property
    def name(self) -> str:
        return f"gradients:{self.count}"

    def items(self) -> Iterator[Item]:
        for number in range(self.count):
            image_id = f"gradient-{number:04d}"
            labels = {"Red": number % 2 == 0, "Rightwards": number % 3 == 0}
            yield Item(image_id, str(number), None, f"gradient {number}", labels)

    def read(self, source: str) -> bytes:
        number = int(source)
        ramp = np.linspace(40 + number, 255, 32).astype(np.uint8)
        pixels = np.zeros((32, 32, 3), np.uint8)
        pixels[..., 0 if number % 2 == 0 else 2] = ramp if number % 3 == 0 else ramp[::-1]
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "PNG")
        return out.getvalue()


CORPUS = Gradients
