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
from une_ray.report.section import Source
from une_ray.report.sections import corpus, neighbours, rejects, round_trips, settings, throughput
from une_ray.studies.edits import section as edits
from une_ray.studies.gaussianity import quantiles as gaussian
from une_ray.studies.gaussianity import section as gaussianity
from une_ray.studies.memorization import section as memorization
from une_ray.studies.probes import agreement, entanglement
from une_ray.studies.probes import section as probes
from une_ray.studies.sweeps import section as sweeps
from une_ray.studies.transfer import section as transfers

SECTIONS = (
    corpus,
    round_trips,
    gaussian,
    gaussianity,
    probes,
    agreement,
    entanglement,
    transfers,
    edits,
    memorization,
    sweeps,
    neighbours,
    throughput,
    rejects,
    settings,
)


def write(lake: Lake, out: Path | None = None) -> Path:
    """Write the report of `lake` to `out` (default: `report.html` beside a local lake's files) and return its path."""
    source = Source(lake)
    ((spaces, images, rejected),) = source.rows(
        "SELECT (SELECT count(DISTINCT space) FROM readings), count(*), count(*) FILTER (status = 'reject') FROM images"
    )
    if not images and not source.rows("SELECT 1 FROM memorization LIMIT 1"):  # which needs no shard
        raise UneError(f"{lake.url} holds no finished shard yet; run its une build first")
    sections = [found for module in SECTIONS if (found := module.section(source)) is not None]
    template = jinja2.Template(
        resources.files("une_ray.report").joinpath("page.html").read_text(), autoescape=False
    )
    text = template.render(
        sections=sections,
        version=__version__,
        url=lake.url,
        corpus=lake.manifest["corpus"],
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        figures=[
            (f"{images:,}", "images"),
            (f"{rejected:,}", "rejects"),
            (spaces, "spaces"),
            (lake.shards, "shards"),
        ],
    )
    path = out or (Path(lake.store.root) if lake.store.is_local else Path()) / "report.html"
    Store(str(path.resolve().parent)).commit(path.name, text.encode())
    return path.resolve()
