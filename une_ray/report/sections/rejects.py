"""What could not be used, and why."""

from __future__ import annotations

from une_ray.report.section import Section, Source, table

SHOWN = 100


def section(source: Source) -> Section | None:
    ((count,),) = source.rows("SELECT count(*) FROM rejects")
    if not count:
        return Section("Rejects", "Every image was read, and every model gave finite latents.", "")
    rows = source.rows(
        "SELECT coalesce(space, '(image)'), image_id, source, error FROM rejects ORDER BY ALL LIMIT ?", SHOWN
    )
    note = (
        f"{count:,} rejected"
        + (f", the first {SHOWN} shown." if count > SHOWN else ".")
        + " Each is a row with a reason; its neighbours are not touched."
    )
    return Section("Rejects", note, table(["space", "image", "source", "reason"], rows, numeric=9))
