"""One memorised and one ordinary prompt under every method: the training picture, the plain one, and what
each makes of the same noise."""

from __future__ import annotations

import io
import itertools
import json
from html import escape

from PIL import Image

from une_ray.report.pictures import figure, grid
from une_ray.report.section import Source
from une_ray.studies.memorization.prompts import duplicated, held_out, trained

SIDE, CAPTIONS = 76, 1000
# Of each group the prompt that most methods have a picture of.
PROMPT = """SELECT prompt FROM grouped
    WHERE (model, steps, guidance_scale) = (?, ?, ?) AND "group" = ? AND picture IS NOT NULL
    GROUP BY prompt ORDER BY count(*) DESC, any_value(kind) <> 'held-out', prompt LIMIT 1"""
PICTURES = """SELECT method, settings, similarity, is_copy, picture FROM grouped
    WHERE (model, steps, guidance_scale) = (?, ?, ?) AND prompt = ? AND picture IS NOT NULL
    ORDER BY method <> 'none', method LIKE 'ablation%',
        list_position(['pad-swap', 'pad-swap-keeping-eot', 'zero-pads'], method), method, settings"""


def strips(source: Source, study: tuple[str, int, float]) -> str:
    """A strip for each group that has pictures; `study` is (model, steps, guidance scale)."""
    return "".join(
        _strip(source, study, group, prompt)
        for group in ("memorised", "ordinary")
        for (prompt,) in source.rows(PROMPT, *study, group)
    )


def _strip(source: Source, study: tuple[str, int, float], group: str, prompt: str) -> str:
    figures = _own(prompt)
    for method, settings, similarity, is_copy, picture in source.rows(PICTURES, *study, prompt):
        image = Image.open(io.BytesIO(source.lake.store.read(picture)))
        name = label(method, settings)
        caption = ("plain" if method == "none" else name) + ("*" if is_copy else "")
        title = name if similarity is None else f"{name}: similarity {similarity:.2f}"
        figures.append(figure(image, caption, title, SIDE))
    note = (
        f"{group}: “{prompt}”, all from the same noise. * counts as a copy of the first picture, "
        f"which is the prompt's own."
    )
    return f"<p class=note>{escape(note)}</p><div class=strip>{grid(figures)}</div>"


def _own(prompt: str) -> list[str]:
    """The picture that belongs to the prompt, at the size of the others; none where it is not the bench's
    but somebody's own."""
    known = itertools.chain(duplicated(), held_out(CAPTIONS), trained(CAPTIONS))
    pictures = (one.picture() for one in known if one.text == prompt)
    return [
        figure(Image.open(io.BytesIO(data)), "its picture", prompt, SIDE)
        for data in itertools.islice(pictures, 1)
        if data is not None
    ]


def label(method: str, settings: str) -> str:
    """`zero-pads end=last`."""
    return " ".join([method, *(f"{name}={value}" for name, value in json.loads(settings).items())])
