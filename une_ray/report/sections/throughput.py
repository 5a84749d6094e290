"""How fast every stage ran, and where."""

from __future__ import annotations

from une_ray.report.section import Section, Source, table


def section(source: Source) -> Section | None:
    rows = source.rows(
        """SELECT stage, sum(images), count(*), sum(seconds), sum(images) / sum(seconds), string_agg(DISTINCT host || ' ' || device, ', ')
        FROM runs GROUP BY stage ORDER BY sum(seconds) DESC"""
    )
    if not rows:
        return None
    header = ["stage", "where", "images", "shards", "actor seconds", "images/s per actor"]
    shown = [
        (stage, where, f"{images:,}", shards, f"{seconds:.1f}", f"{rate:.1f}")
        for stage, images, shards, seconds, rate, where in rows
    ]
    total = source.rows(
        """SELECT run_id, sum(images) FILTER (stage = 'read') / max(epoch(started) + seconds - first)
        FROM (SELECT *, min(epoch(started)) OVER (PARTITION BY run_id) AS first FROM runs) GROUP BY run_id ORDER BY run_id"""
    )
    rates = ", ".join(f"{rate:.1f}" for _, rate in total if rate)
    note = (
        "All builds of this lake together; stages run at once. "
        f"Whole pipeline from the first read to the last commit, loading models included, per build: {rates} images/s."
    )
    return Section("Throughput", note, table(header, shown, numeric=2))
