"""The pictures of factors' sweeps in docs/_static: a row per factor, the others held.

python docs/factor_sweeps.py
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from une_ray.corpora import dsprites_drawings, shapes3d_drawings

FOLDER = Path(__file__).resolve().parent / "_static"
HELD = {"dsprites": (2, 5, 5, 16, 16), "shapes3d": (4, 6, 1, 5, 0, 3)}
COLUMNS, GAP, LABEL = 10, 4, 92


def sweeps(kind: str) -> Image.Image:
    """One row per factor, up to ten of its values from the first to the last; the others as `HELD` says."""
    module = {"dsprites": dsprites_drawings, "shapes3d": shapes3d_drawings}[kind]
    sizes = list(module.FACTORS.values())
    sheet = Image.new("RGB", (LABEL + COLUMNS * (64 + GAP), len(sizes) * (64 + GAP) - GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for row, (name, size) in enumerate(module.FACTORS.items()):
        values = np.unique(np.linspace(0, size - 1, min(size, COLUMNS)).round().astype(int))
        factors = np.tile(HELD[kind], (len(values), 1))
        factors[:, row] = values
        top = row * (64 + GAP)
        pen.text((2, top + 26), name, "black", ImageFont.load_default(12))
        for column, picture in enumerate(module.render(factors)):
            sheet.paste(Image.fromarray(picture.squeeze()), (LABEL + column * (64 + GAP), top))
    return sheet


def png(picture: Image.Image) -> bytes:
    data = io.BytesIO()
    picture.save(data, "PNG", optimize=True)
    return data.getvalue()


if __name__ == "__main__":
    for kind in HELD:
        (FOLDER / f"{kind}.png").write_bytes(png(sweeps(kind)))
