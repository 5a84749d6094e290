"""What directions say, in the report: a card for each, with what lies at its two ends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from une_ray.corpora.base import has_pictures
from une_ray.report.pictures import figure, grid
from une_ray.report.section import Section, Source
from une_ray.report.tables import table
from une_ray.studies.prompts.lines import bridge

SAID = "FROM directions_said WHERE is_first_split"
ENDS, ITEMS = 6, 4000  # pictures of an end, items that are looked through
SHORT = 120  # letters of a query that a card is headed by
NAMED = (
    (re.compile(r"FROM direction\('[^']*', *'([^']*)'\)"), "probe of {}"),
    (re.compile(r"FROM prompt_direction\('[^']*', *'([^']*)', *'([^']*)'\)"), "{}, from {}"),
)
NOTE = (
    "Phrases of captions by the correlation of their presence with the projection on a direction; random"
    " directions' strongest phrase stays below the number beside them in 95 of 100. A direction of which"
    " several splits were asked is shown of test items, which no probe was fitted on. Below each: what lies"
    " at its two ends."
)


def says_section(source: Source) -> Section | None:
    """A card per direction that was explained."""
    source.define("prompts.sql")
    rows = source.sql.sql(SAID).to_arrow_table().to_pylist()
    cards = [_card(source, row) for row in rows]
    return Section("What directions say", NOTE, "".join(cards), _said(rows)) if cards else None


def _card(source: Source, row: dict[str, Any]) -> str:
    verdict = "" if row["is_explained"] else "; explains nothing"
    lines = [(end, ", ".join(row[end]), f"{row[f'{end}_correlation']:+.2f}") for end in ("head", "foot")]
    note = (
        f"in {row['space']}, by {bridge(row)}; random directions reach {row['random']:.2f}"
        f" (p = {row['p']:.3f}){verdict}"
    )
    return (
        f"<h3 title='{escape(row['direction'])}'>{escape(_name(row['direction']))}</h3>"
        f"<p class=note>{escape(note)}</p>"
        + table(("end", "phrases", "correlation"), lines, numeric=2)
        + _pictures_of_ends(source, row["space"], np.array(row["w"], np.float32))
    )


def _name(direction: str) -> str:
    """What a direction's SQL asks for, in words where it is one of the usual queries."""
    for query, words in NAMED:
        found = query.fullmatch(direction.strip().rstrip(";"))
        if found:
            return words.format(*found.groups())
    return direction if len(direction) <= SHORT else f"{direction[:SHORT]} …"


def _pictures_of_ends(source: Source, space: str, w: np.ndarray) -> str:
    """What lies furthest on either side of a direction w (d,): pictures, or of prompts their texts."""
    image_ids, z = source.latents(space, ITEMS)
    if z.shape[1] != len(w):  # the space is no longer there
        return ""
    order = np.argsort(z @ w, kind="stable")
    captions = dict(source.rows("SELECT image_id, caption FROM images"))
    strips = []
    for end, places in (("head", order[::-1][:ENDS]), ("foot", order[:ENDS])):
        names = [image_ids[place] for place in places]
        if has_pictures(source.corpus):
            inside = grid(
                [figure(source.picture(name), title=captions[name] or name, size=64) for name in names]
            )
        else:
            inside = f"<p>{escape('; '.join(captions[name] or '' for name in names))}</p>"
        strips.append(f"<div><p class=note>{end}</p>{inside}</div>")
    return grid(strips)


def _said(rows: Sequence[dict[str, Any]]) -> str:
    explained = sum(row["is_explained"] for row in rows)
    return f"Captions explain {explained} of the {len(rows)} directions that were asked, beyond random ones."
