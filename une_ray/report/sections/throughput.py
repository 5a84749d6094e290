"""How fast every stage ran, and where."""

from __future__ import annotations

from une_ray.report.section import Section, Source
from une_ray.report.tables import table

ORDER = 130
STAGES = """SELECT stage, string_agg(DISTINCT host || ' ' || device, ', '), sum(images), count(*),
        sum(seconds),
        sum(images) / sum(seconds)
    FROM runs GROUP BY stage ORDER BY sum(seconds) DESC"""
BUILDS = """SELECT run_id, sum(images) FILTER (stage = 'read') / max(epoch(started) + seconds - first)
    FROM (SELECT *, min(epoch(started)) OVER (PARTITION BY run_id) AS first FROM runs)
    GROUP BY run_id ORDER BY run_id"""


def section(source: Source) -> Section | None:
    stages = source.rows(STAGES)
    if not stages:
        return None
    header = ["stage", "where", "images", "shards", "actor seconds", "images/s per actor"]
    rows = [
        (stage, where, f"{images:,}", shards, f"{seconds:.1f}", f"{rate:.1f}")
        for stage, where, images, shards, seconds, rate in stages
    ]
    rates = ", ".join(f"{rate:.1f}" for _, rate in source.rows(BUILDS) if rate)
    note = (
        "All builds of this lake together; stages run at once. Whole pipeline from the first read to "
        "the last "
        f"commit, loading models included, per build: {rates} images/s."
    )
    return Section("Throughput", note, table(header, rows, numeric=2))
