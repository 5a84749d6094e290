"""Pictures for people: inside HTML, on a contact sheet, and what a notebook shows of a lake."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from une_ray.report.tables import NOTHING, counted

CAPTION_PIXELS, CAPTION_LINES = 11, 6
# A notebook's own colours, light or dark, shine through: nothing here but greys that are half transparent.
CARD = (
    "font:14px/1.45 system-ui,'Segoe UI','DejaVu Sans',sans-serif;color:inherit;"
    "background:rgba(128,136,150,.09);border:1px solid rgba(128,136,150,.35);border-radius:10px;"
    "padding:12px 16px;max-width:820px;box-sizing:border-box"
)
SMALL = "font-size:12px;opacity:.72"
CELL = (
    "text-align:left;padding:3px 18px 3px 0;background:none;color:inherit;"
    "border:0;border-bottom:1px solid rgba(128,136,150,.25)"
)


def square(image: Image.Image, side: int) -> Image.Image:
    """The centre square, at `side` pixels where it is larger."""
    short = min(image.size)
    left, top = (image.width - short) // 2, (image.height - short) // 2
    centre = image.convert("RGB").crop((left, top, left + short, top + short))
    return centre.resize((side, side), Image.Resampling.LANCZOS) if short > side else centre


def data_uri(image: Image.Image, side: int = 128) -> str:
    """The centre square as a `data:` address (PNG for small flat drawings, JPEG where that is smaller)."""
    centre = square(image, side)
    png = _encoded(centre, "PNG", optimize=True)
    jpeg = _encoded(centre, "JPEG", quality=88)
    kind, data = ("png", png) if len(png) <= len(jpeg) else ("jpeg", jpeg)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _encoded(image: Image.Image, kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def figure(image: Image.Image, caption: str = "", title: str = "", size: int = 72) -> str:
    """One picture with a small caption; `title` shows when the pointer rests on it."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    words = escape(title or caption)
    return (
        f'<figure><img src="{data_uri(image)}" width={size} height={size} alt="{words}" title="{words}">'
        f"{below}</figure>"
    )


def grid(figures: Iterable[str]) -> str:
    return f"<div class=grid>{''.join(figures)}</div>"


def strip_html(images: Sequence[Image.Image], captions: Sequence[str], size: int = 96) -> str:
    """Pictures side by side with captions, as HTML that stands alone: what a notebook shows of an edit.

    Raises ValueError for another number of captions than of images.
    """
    figures = (
        f'<figure style="margin:0;width:{size}px">'
        f'<img src="{data_uri(image, 2 * size)}" alt="{escape(caption)}" '
        f'style="display:block;width:{size}px;height:{size}px;border-radius:6px;margin:0">'
        f'<figcaption style="{SMALL};text-align:center;overflow-wrap:anywhere">'
        f"{escape(caption)}</figcaption></figure>"
        for image, caption in zip(images, captions, strict=True)
    )
    return f'<div style="display:flex;flex-wrap:wrap;gap:6px;color:inherit">{"".join(figures)}</div>'


@dataclass(frozen=True, kw_only=True)
class SpaceLine:
    """One space on a lake's card: `role` is 'model' or 'control', `dim` None where nothing is built yet."""

    space: str
    role: str
    dim: int | None
    images: int


def lake_card(
    *,
    url: str,
    corpus: str,
    items: int,
    rejects: int,
    spaces: Sequence[SpaceLine],
    studies: Sequence[str],
) -> str:
    """A lake in a notebook, as HTML that stands alone: what it holds, and what has been asked of it."""
    header = "".join(
        f'<th style="{CELL};font-weight:600;opacity:.72;{align}">{name}</th>'
        for name, align in (("space", ""), ("role", ""), ("dim", _RIGHT), ("images", _RIGHT))
    )
    lines = "".join(map(_space_line, spaces))
    table = (
        f'<div style="overflow-x:auto">'
        f'<table style="border-collapse:collapse;font-size:13px;margin:8px 0;color:inherit">'
        f'<tr style="background:none">{header}</tr>{lines}</table></div>'
        if spaces
        else ""
    )
    counts = " · ".join((counted(items, "item"), counted(rejects, "reject"), counted(len(spaces), "space")))
    asked = f"asked of it: {', '.join(studies)}" if studies else "nothing has been asked of it yet"
    return (
        f'<div style="{CARD}"><div><b>{escape(corpus)}</b> · {counts}</div>'
        f'<div style="{SMALL};overflow-wrap:anywhere">{escape(url)}</div>'
        f'{table}<div style="{SMALL}">{escape(asked)}</div></div>'
    )


_RIGHT = "text-align:right;font-variant-numeric:tabular-nums"


def _space_line(line: SpaceLine) -> str:
    faint = ";opacity:.72" if line.role == "control" else ""
    dim = NOTHING if line.dim is None else f"{line.dim:,}"
    return (
        f'<tr style="background:none"><td style="{CELL}{faint}">{escape(line.space)}</td>'
        f'<td style="{CELL}{faint}">{escape(line.role)}</td><td style="{CELL};{_RIGHT}">{dim}</td>'
        f'<td style="{CELL};{_RIGHT}">{line.images:,}</td></tr>'
    )


def contact_sheet(
    images: Sequence[Image.Image], captions: Sequence[str] | None = None, columns: int = 8, side: int = 128
) -> Image.Image:
    """Pictures in a grid of `columns`, each in a square of `side` pixels with its caption below, on white.

    A caption that is too long for CAPTION_LINES lines ends in …. Raises ValueError for no image, or another
    number of captions than of images.
    """
    if not images:
        raise ValueError("a contact sheet needs a picture; got none")
    captions = [""] * len(images) if captions is None else captions
    font = ImageFont.truetype(
        str(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"), CAPTION_PIXELS
    )
    wrapped = [_wrap(caption, font, side) for _, caption in zip(images, captions, strict=True)]
    line, gap = CAPTION_PIXELS + 3, 8
    height = side + line * max(map(len, wrapped)) + gap
    columns = min(columns, len(images))
    sheet = Image.new(
        "RGB",
        (columns * (side + gap) + gap, math.ceil(len(images) / columns) * height + gap),
        "white",
    )
    draw = ImageDraw.Draw(sheet)
    for place, (image, words) in enumerate(zip(images, wrapped)):
        row, column = divmod(place, columns)
        left, top = gap + column * (side + gap), gap + row * height
        thumbnail = square(image, side)
        sheet.paste(thumbnail.resize((side, side)) if thumbnail.width < side else thumbnail, (left, top))
        for number, text in enumerate(words):
            middle = (left + side / 2, top + side + 2 + number * line)
            draw.text(middle, text, fill="#3b414b", font=font, anchor="ma")
    return sheet


def _wrap(caption: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """At most CAPTION_LINES lines that are no wider than `width` pixels, broken between words where that
    can be."""
    lines: list[str] = []
    rest = " ".join(caption.split())
    while rest and len(lines) < CAPTION_LINES:
        end = len(rest)
        while end > 1 and font.getlength(rest[:end]) > width:
            end -= 1
        if end < len(rest):
            end = rest.rfind(" ", 1, end + 1) if " " in rest[1 : end + 1] else end
        lines.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    if rest:
        last = lines[-1]
        while last and font.getlength(f"{last}…") > width:
            last = last[:-1]
        lines[-1] = f"{last}…"
    return lines
