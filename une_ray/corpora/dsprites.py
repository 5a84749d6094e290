"""dSprites (Matthey et al. 2017): squares, ellipses and hearts, drawn from five factors as published.

737,280 pictures of 64 × 64 pixels, black and white: 3 shapes × 6 scales × 40 orientations × 32 × 32 positions
in the published order. The published colour has one value and is left out. Orientations 0 and 39 are the same
picture, as published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from une_ray.corpora import dsprites_drawings
from une_ray.corpora.factored import Drawings, Factored


@dataclass(frozen=True, kw_only=True)
class DSprites(Factored):
    """`dsprites:all`, `dsprites:20000?correlation=0.9`, `dsprites:/data/dsprites.npz`."""

    FORM: ClassVar[str] = "dsprites:N"
    KIND: ClassVar[str] = "dsprites"
    DRAWINGS: ClassVar[Drawings] = dsprites_drawings
    PAIR = ("scale", "position_x")


CORPUS = DSprites
