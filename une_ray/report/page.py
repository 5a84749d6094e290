"""`une report`: the page, written whole to one file."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import jinja2

from une_ray import __version__
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.lake.store import Store
from une_ray.report import theme
from une_ray.report.collect import sections
from une_ray.report.section import Source

COUNTS = """SELECT (SELECT count(DISTINCT space) FROM readings), count(*), count(*) FILTER (status = 'reject')
    FROM images"""


def write(lake: Lake, out: Path | None = None) -> Path:
    """Write the report of `lake` to `out` (default: `report.html` beside a local lake's files) and return
    its path.

    Raises UneError where there is no lake, where it holds nothing yet, and where `out` can't be written.
    """
    path = out or (Path(lake.store.root) if lake.store.is_local else Path()) / "report.html"
    folder = Store(str(path.resolve().parent))
    try:
        folder.refuse_read_only(path.name)
    except UneError as error:
        raise UneError(
            f"no permission to write {path}; name another file by --out (out= in Python)"
        ) from error
    folder.commit(path.name, page(Source(lake)).encode())
    return path.resolve()


def page(source: Source) -> str:
    """The page as HTML: a summary, a table of contents, and every section that the lake has something for."""
    lake = source.lake
    ((spaces, images, rejects),) = source.rows(COUNTS)
    if not images and not source.rows("SELECT 1 FROM memorization LIMIT 1"):  # which needs no shard
        raise UneError(f"{lake.url} holds no finished shard yet; run its une build first")
    parts = [part for part in (section(source) for _, section in sections()) if part is not None]
    template = jinja2.Template(
        resources.files("une_ray.report").joinpath("page.html").read_text(encoding="utf-8"), autoescape=True
    )
    return template.render(
        sections=parts,
        by_day=theme.by_day(),
        by_night=theme.by_night(),
        version=__version__,
        url=lake.url,
        corpus=lake.manifest["corpus"],
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        figures=[
            (f"{count:,}", f"{what}s" if count != 1 else what)
            for count, what in (
                (images, "image"),
                (rejects, "reject"),
                (spaces, "space"),
                (lake.shards, "shard"),
            )
        ],
    )
