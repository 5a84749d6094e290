"""Edited pictures side by side, as a notebook shows them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
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
    pictures = {place: _picture(lake, name) for place, name in names.items()}
    width, height = next(iter(pictures.values())).size
    size = len(doses) * (width + GAP) - GAP, len(lines) * (height + GAP) - GAP
    sheet = Image.new("RGB", size, "white")
    for (image_id, direction, alpha), picture in pictures.items():
        column, line = doses.index(alpha), lines.index((image_id, direction))
        sheet.paste(picture, (column * (width + GAP), line * (height + GAP)))
    return sheet


def html(lake: Lake, rows: Sequence[Mapping[str, Any]], heading: str) -> str:
    """As `strip`, in HTML that stands alone: every line with its image and direction, every picture with its
    dose."""
    from une_ray.report.pictures import strip_html

    lines: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["alpha"]):
        lines.setdefault((row["image_id"], row["direction"]), []).append(row)
    parts = [f"<div><b>{escape(heading)}</b></div>"]
    for (image_id, direction), doses in lines.items():
        pictures = [_picture(lake, row["picture"]) for row in doses]
        parts.append(f"<div>{escape(f'{image_id}, {direction}')}</div>")
        parts.append(strip_html(pictures, [_dose(row["alpha"]) for row in doses]))
    return "".join(parts)


def _dose(alpha: float) -> str:
    return f"α = {alpha:+g}".replace("-", "−") if alpha else "α = 0, the round trip"


def _picture(lake: Lake, name: str) -> Image.Image:
    return Image.open(io.BytesIO(lake.store.read(name)))
