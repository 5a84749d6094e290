"""What could not be used, and why."""

from __future__ import annotations

from une_ray.report.section import Section, Source
from une_ray.report.tables import table

ORDER = 140
SHOWN = 100


def section(source: Source) -> Section | None:
    ((count,),) = source.rows("SELECT count(*) FROM rejects")
    if not count:
        return Section("Rejects", "Every image was read, and every model gave finite latents.", "")
    rows = source.rows(
        "SELECT coalesce(space, '(image)'), image_id, source, error FROM rejects ORDER BY ALL LIMIT ?", SHOWN
    )
    shown = f", the first {SHOWN} shown." if count > SHOWN else "."
    note = f"{count:,} rejected{shown} Each is a row with a reason; its neighbours are not touched."
    header = ["space", "image", "source", "reason"]
    return Section("Rejects", note, table(header, rows, numeric=len(header)))
