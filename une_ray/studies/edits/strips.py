"""Edited pictures side by side, as a notebook shows them."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from une_ray.lake.layout import Lake

GAP = 2  # pixels between pictures


def strip(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> Image.Image:
    """One line per image and direction, one column per dose: of rows with image_id, direction, alpha and
    picture.

    All pictures are of one size, since one generator made them.
    """
    names = {(row["image_id"], row["direction"], row["alpha"]): row["picture"] for row in rows}
    lines = list(dict.fromkeys((image_id, direction) for image_id, direction, _ in names))
    doses = sorted({alpha for *_, alpha in names})
    pictures = {place: Image.open(io.BytesIO(lake.store.read(name))) for place, name in names.items()}
    width, height = next(iter(pictures.values())).size
    size = len(doses) * (width + GAP) - GAP, len(lines) * (height + GAP) - GAP
    sheet = Image.new("RGB", size, "white")
    for (image_id, direction, alpha), picture in pictures.items():
        column, line = doses.index(alpha), lines.index((image_id, direction))
        sheet.paste(picture, (column * (width + GAP), line * (height + GAP)))
    return sheet


def html(picture: Image.Image, caption: str) -> str:
    """The picture with its caption, in a page that needs no other file."""
    data = io.BytesIO()
    picture.save(data, "PNG")
    return (
        f'<figure><img src="data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
