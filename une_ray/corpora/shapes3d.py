"""3DShapes (Burgess and Kim 2018): one of four bodies in a room, cast from six factors as published.

480,000 RGB pictures of 64 × 64 pixels: 10 floor × 10 wall × 10 object hues × 8 scales × 4 shapes × 15
orientations of the room, in the published order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from une_ray.corpora import shapes3d_drawings
from une_ray.corpora.factored import Drawings, Factored


@dataclass(frozen=True, kw_only=True)
class Shapes3D(Factored):
    """`shapes3d:all`, `shapes3d:20000?correlation=0.9`, `shapes3d:/data/3dshapes.h5`."""

    FORM: ClassVar[str] = "shapes3d:N"
    KIND: ClassVar[str] = "shapes3d"
    DRAWINGS: ClassVar[Drawings] = shapes3d_drawings
    PAIR = ("scale", "orientation")


CORPUS = Shapes3D
