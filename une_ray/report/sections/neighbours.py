"""What each space finds alike: nearest neighbours by cosine, as pictures or captions, and what they have in
common."""

from __future__ import annotations

from html import escape
from textwrap import shorten

import numpy as np
import pyarrow as pa

from une_ray.geometry.arrays import Floats, Integers
from une_ray.geometry.pairing import nearest_others
from une_ray.geometry.unit import unit_rows
from une_ray.lake.latents import attributes_of, labels_and_folds
from une_ray.report.pictures import figure
from une_ray.report.section import Section, Source
from une_ray.report.tables import NOTHING, table

ORDER = 120
QUERIES, NEIGHBOURS, ROWS = 4, 6, 4000
PERMUTATIONS = 20
SHOWN = 80  # letters of a caption
NOTE = (
    f"The same images asked of every space (among up to {ROWS:,}): the query first, then its nearest "
    f"by cosine. The table is of all of them: the mean cosine to the {NEIGHBOURS} nearest beside that to any"
    " image, and how many attributes an image has in common with its nearest beside the same of images that"
    f" were mixed up (null: mean ± standard deviation over {PERMUTATIONS} permutations). "
    "In SQL: SELECT * FROM nearest(space, image_id, k)."
)
HEADER = ["space", "images", "cosine to the nearest", "to any", "attributes in common", "null"]


def section(source: Source) -> Section | None:
    columns, rows = [], []
    for space in source.fingerprints:
        ids, z = source.latents(space, ROWS)
        if len(ids) < 2:
            continue
        unit = unit_rows(z)
        nearest = nearest_others(unit, unit, min(NEIGHBOURS, len(ids) - 1))
        columns.append(_column(source, space, ids, unit))
        rows.append((source.roles.label(space), f"{len(ids):,}", *_figures(source, ids, unit, nearest)))
    if not rows:
        return None
    return Section(
        "Nearest neighbours", NOTE, f"<div class=columns>{''.join(columns)}</div>{table(HEADER, rows)}"
    )


def in_common(labels: Floats, neighbours: Integers) -> float:
    """Mean share of the attributes in `labels` (n, k), 0, 1 or NaN, that an image has in common with its
    `neighbours` (n, m), where both are known; NaN where none is."""
    others = labels[neighbours]
    known = ~np.isnan(labels[:, None]) & ~np.isnan(others)
    return float((labels[:, None] == others)[known].mean()) if known.any() else np.nan


def against_mixed_up(labels: Floats, neighbours: Integers) -> tuple[float, float, float]:
    """`in_common`, and mean and standard deviation of the same where images have one another's labels."""
    random = np.random.default_rng(0)
    null = [in_common(labels, random.permutation(len(labels))[neighbours]) for _ in range(PERMUTATIONS)]
    return in_common(labels, neighbours), float(np.mean(null)), float(np.std(null, ddof=1))


def _figures(source: Source, ids: list[str], unit: Floats, nearest: Integers) -> tuple[str, ...]:
    near = np.einsum("nd,nmd->nm", unit, unit[nearest]).mean()
    count = len(unit)
    anyone = (np.square(unit.sum(0)).sum() - count) / (count * (count - 1))
    names = attributes_of(source.lake)
    if not names:
        return f"{near:.3f}", f"{anyone:.3f}", NOTHING, NOTHING
    labels, _ = labels_and_folds(source.lake, pa.array(ids), names, [0])
    value, mean, sd = against_mixed_up(labels, nearest)
    return f"{near:.3f}", f"{anyone:.3f}", f"{100 * value:.1f} %", f"{100 * mean:.1f} ± {100 * sd:.1f} %"


def _column(source: Source, space: str, ids: list[str], unit: Floats) -> str:
    """A row per query."""
    rows = "".join(_row(source, ids, unit, query) for query in range(min(QUERIES, len(ids))))
    return f"<div class=column><h3>{escape(space)}</h3>{rows}</div>"


def _row(source: Source, ids: list[str], unit: Floats, query: int) -> str:
    cosine = unit @ unit[query]
    cosine[query] = -2
    nearest = cosine.argsort()[::-1][: min(NEIGHBOURS, len(ids) - 1)]
    if not source.has_pictures:
        return _texts(source, [ids[query], *(ids[i] for i in nearest)], [1.0, *cosine[nearest].tolist()])
    figures = [figure(source.picture(ids[query]), "query", ids[query])]
    figures += [figure(source.picture(ids[i]), f"{cosine[i]:.3f}", ids[i]) for i in nearest]
    return f"<div class='grid query'>{''.join(figures)}</div>"


def _texts(source: Source, ids: list[str], cosines: list[float]) -> str:
    """The same of captions: the query, and below it what is nearest."""
    query = "SELECT image_id, caption FROM images WHERE image_id IN (SELECT unnest(?))"
    captions = dict(source.rows(query, ids))
    shown = [shorten(captions[image_id] or image_id, SHOWN, placeholder=" …") for image_id in ids]
    lines = [f"<li>{escape(text)} {cosine:.3f}</li>" for text, cosine in zip(shown[1:], cosines[1:])]
    return f"<p><b>{escape(shown[0])}</b></p><ul>{''.join(lines)}</ul>"
