"""What directions say, in the report: a card for each, with what lies at its two ends."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from une_ray.report.pictures import figure, grid
from une_ray.report.section import Section, Source
from une_ray.report.tables import table

SAID = "FROM directions_said WHERE is_first_split"
ENDS, ITEMS = 6, 4000  # pictures of an end, items that are looked through
SHORT = 120  # letters of a query that a card is headed by
NAMED = (
    (re.compile(r"FROM direction\('[^']*', *'([^']*)'\)"), "probe of {}"),
    (re.compile(r"FROM prompt_direction\('[^']*', *'([^']*)', *'([^']*)'\)"), "{}, from {}"),
)
NOTE = (
    "Phrases of captions by the correlation of their presence with the projection on a direction: of the"
    " captions of its own space's items, or of texts where a stored map leads them. The strongest phrase of"
    " random directions stays below the number beside them in 95 of 100. A direction of which several splits"
    " were asked is shown of test items, which no probe was fitted on. Below each: what lies at its two ends."
)
HEADER = ("led there by", "head", "foot", "captions", "random", "p", "")


def says_section(source: Source) -> Section | None:
    """A card per direction that was explained, with a line per bridge that led captions to it."""
    source.define("prompts.sql")
    cards: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in source.sql.sql(SAID).to_arrow_table().to_pylist():
        cards[row["space"], row["direction"]].append(row)
    html = "".join(_card(source, rows) for rows in cards.values())
    return Section("What directions say", NOTE, html, _said(list(cards.values()))) if cards else None


def _card(source: Source, rows: Sequence[dict[str, Any]]) -> str:
    first = rows[0]
    return (
        f"<h3 title='{escape(first['direction'])}'>{escape(_name(first['direction']))}</h3>"
        f"<p class=note>in {escape(first['space'])}</p>"
        + table(HEADER, [_line(row) for row in sorted(rows, key=lambda row: row["map"] or "")], numeric=3)
        + _pictures_of_ends(source, rows)
    )


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    """Of one bridge: both ends, each with its strongest correlation, beside random directions'."""
    led = "their own items" if row["captions"] == row["space"] else row["captions"]
    led += f", {row['map']} map" if row["map"] else ""
    ends = [
        ", ".join([f"{phrases[0]} {row[f'{end}_correlation']:+.2f}", *phrases[1:]]) if phrases else "none"
        for end in ("head", "foot")
        for phrases in [row[end]]
    ]
    count = f"{row['images']:,} {row['split']}"
    verdict = "explained" if row["is_explained"] else "explains nothing"
    return led, *ends, count, f"{row['random']:.2f}", f"{row['p']:.3f}", verdict


def _name(direction: str) -> str:
    """What a direction's SQL asks for, in words where it is one of the usual queries."""
    for query, words in NAMED:
        found = query.fullmatch(direction.strip().rstrip(";"))
        if found:
            return words.format(*found.groups())
    return direction if len(direction) <= SHORT else f"{direction[:SHORT]} …"


def _pictures_of_ends(source: Source, rows: Sequence[dict[str, Any]]) -> str:
    """What lies furthest on either side of a direction, of the items that explained it: pictures, or of
    prompts their texts."""
    first, splits = rows[0], {row["split"] for row in rows}
    w, split = np.array(first["w"], np.float32), "test" if "test" in splits else first["split"]
    image_ids, z = source.latents(first["space"], ITEMS, None if split == "all" else split)
    if z.shape[1] != len(w):  # the space is no longer there
        return ""
    order = np.argsort(z @ w, kind="stable")
    captions = dict(source.rows("SELECT image_id, caption FROM images"))
    strips = []
    for end, places in (("head", order[::-1][:ENDS]), ("foot", order[:ENDS])):
        names = [image_ids[place] for place in places]
        if source.has_pictures:
            inside = grid(
                [figure(source.picture(name), title=captions[name] or name, size=64) for name in names]
            )
        else:
            inside = f"<p>{escape('; '.join(captions[name] or '' for name in names))}</p>"
        strips.append(f"<div><p class=note>{end}</p>{inside}</div>")
    return f"<div class=ends>{''.join(strips)}</div>"


def _said(cards: Sequence[Sequence[dict[str, Any]]]) -> str:
    explained = sum(any(row["is_explained"] for row in rows) for rows in cards)
    return f"Captions explain {explained} of the {len(cards)} directions that were asked, beyond random ones."
