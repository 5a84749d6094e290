"""What the corpus looks like."""

from __future__ import annotations

from html import escape

from une_ray.report.pictures import figure, grid
from une_ray.report.section import Section, Source
from une_ray.report.tables import counted

ORDER = 10
PICTURES = 48
COUNTS = "SELECT count(*) FILTER (status = 'ok'), count(*) FILTER (status = 'reject') FROM images"
SPACES = """SELECT if(role = 'control', 'control', if(kind = 'derived', 'derived space', 'space')) AS sort,
        list(space ORDER BY space)
    FROM spaces SEMI JOIN counts USING (space) GROUP BY sort ORDER BY sort DESC"""


def section(source: Source) -> Section | None:
    rows = source.rows(
        "SELECT image_id, caption FROM images WHERE status = 'ok' ORDER BY md5(image_id) LIMIT ?", PICTURES
    )
    if not rows:
        return None
    counts = source.rows(
        "SELECT split, count(*) FROM images WHERE status = 'ok' GROUP BY split ORDER BY split"
    )
    splits = [f"{count:,} {split}" for split, count in counts]
    note = f"{'; '.join(splits)}. A random handful; rest the pointer on one for its id and caption."
    if not source.has_pictures:
        texts = " · ".join(escape(caption or "") for _, caption in rows)
        note = f"{'; '.join(splits)}. A random handful of texts; this corpus has no pictures."
        return Section("Corpus", note, f"<p>{texts}</p>", _summary(source, splits, "text"))
    pictures = [
        figure(source.picture(image_id), title=f"{image_id}: {caption or '(no caption)'}")
        for image_id, caption in rows
    ]
    return Section("Corpus", note, grid(pictures), _summary(source, splits, "image"))


def _summary(source: Source, splits: list[str], item: str) -> str:
    """What the lake holds; an `item` is an image or a text."""
    ((images, rejects),) = source.rows(COUNTS)
    spaces = [f"{counted(len(names), sort)} ({', '.join(names)})" for sort, names in source.rows(SPACES)]
    seen_in = f", in {' beside '.join(spaces)}" if spaces else ""
    return (
        f"{source.lake.manifest['corpus']}: {counted(images, item)} ({', '.join(splits)}), "
        f"{counted(rejects, 'reject')}{seen_in}."
    )
