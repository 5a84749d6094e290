"""What the corpus looks like."""

from __future__ import annotations

from une_ray.report.pictures import figure, grid
from une_ray.report.section import Section, Source

PICTURES = 48


def section(source: Source) -> Section | None:
    rows = source.rows(
        "SELECT image_id, caption FROM images WHERE status = 'ok' ORDER BY md5(image_id) LIMIT ?", PICTURES
    )
    if not rows:
        return None
    splits = source.rows("SELECT split, count(*) FROM images GROUP BY split ORDER BY split")
    note = (
        "; ".join(f"{count:,} {split}" for split, count in splits)
        + ". A random handful; rest the pointer on one for its id and caption."
    )
    return Section(
        "Corpus",
        note,
        grid([figure(source.picture(i), title=f"{i}: {caption or '(no caption)'}") for i, caption in rows]),
    )
