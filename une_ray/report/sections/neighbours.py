"""What each space finds alike: nearest neighbours by cosine, as pictures."""

from __future__ import annotations

from html import escape

import numpy as np

from une_ray.report.pictures import figure
from une_ray.report.section import Section, Source

ORDER = 120
QUERIES, NEIGHBOURS, ROWS = 4, 6, 4000
NOTE = (
    f"The same images asked of every space (among up to {ROWS:,}): the query first, then its nearest "
    f"by cosine. "
    "In SQL: SELECT * FROM nearest(space, image_id, k)."
)


def section(source: Source) -> Section | None:
    columns = [column for name in source.fingerprints if (column := _column(source, name))]
    return (
        Section("Nearest neighbours", NOTE, f"<div class=columns>{''.join(columns)}</div>")
        if columns
        else None
    )


def _column(source: Source, space: str) -> str:
    """A row per query; nothing of a space with fewer than two images."""
    ids, z = source.latents(space, ROWS)
    if len(ids) < 2:
        return ""
    unit = z / (1e-12 + (z**2).sum(1, keepdims=True) ** 0.5)
    rows = "".join(_row(source, ids, unit, query) for query in range(min(QUERIES, len(ids))))
    return f"<div class=column><h3>{escape(space)}</h3>{rows}</div>"


def _row(source: Source, ids: list[str], unit: np.ndarray, query: int) -> str:
    cosine = unit @ unit[query]
    cosine[query] = -2
    nearest = cosine.argsort()[::-1][: min(NEIGHBOURS, len(ids) - 1)]
    figures = [figure(source.picture(ids[query]), "query", ids[query])]
    figures += [figure(source.picture(ids[i]), f"{cosine[i]:.3f}", ids[i]) for i in nearest]
    return f"<div class='grid query'>{''.join(figures)}</div>"
