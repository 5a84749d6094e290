"""3DShapes (Burgess and Kim 2018): one of four bodies in a room, cast from six factors as published.

480,000 RGB pictures of 64 × 64 pixels: 10 floor × 10 wall × 10 object hues × 8 scales × 4 shapes × 15
orientations of the room, in the published order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from une_ray.corpora import shapes3d_drawings
from une_ray.corpora.factored import Factored
from une_ray.corpora.shapes3d_drawings import FACTORS, render

__all__ = ["FACTORS", "Shapes3D", "render"]


@dataclass(frozen=True, kw_only=True)
class Shapes3D(Factored):
    """`shapes3d:all`, `shapes3d:20000?correlation=0.9`, `shapes3d:/data/3dshapes.h5`."""

    FORM: ClassVar[str] = "shapes3d:N"
    KIND: ClassVar[str] = "shapes3d"
    FACTORS = FACTORS
    SHAPES = shapes3d_drawings.SHAPES
    PAIR = ("scale", "orientation")

    @classmethod
    def draw(cls, factors: np.ndarray, size: int = 64) -> np.ndarray:
        return render(factors, size)


CORPUS = Shapes3D
