"""Pictures inside HTML: data URIs, captions, grids."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL import Image


def data_uri(image: Image.Image, side: int = 128) -> str:
    """The centre square at `side` pixels as a `data:` address (PNG for small flat drawings, JPEG where that is smaller)."""
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    square = image.convert("RGB").crop((left, top, left + short, top + short))
    if short > side:
        square = square.resize((side, side), Image.Resampling.LANCZOS)
    found = []
    for format, options in (("PNG", {"optimize": True}), ("JPEG", {"quality": 88})):
        out = io.BytesIO()
        square.save(out, format, **options)
        found.append((len(out.getvalue()), format.lower(), out.getvalue()))
    _, kind, data = min(found)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def figure(image: Image.Image, caption: str = "", title: str = "", size: int = 72) -> str:
    """One picture with a small caption; `title` shows when the pointer rests on it."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    said = escape(title or caption)
    return f'<figure><img src="{data_uri(image)}" width={size} height={size} alt="{said}" title="{said}">{below}</figure>'


def grid(figures: list[str]) -> str:
    return f"<div class=grid>{''.join(figures)}</div>"
