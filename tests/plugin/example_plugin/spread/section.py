"""The spread of every space, in the report."""

from __future__ import annotations

from une_ray.report.section import Section, Source
from une_ray.report.tables import table

ORDER = 900


def section(source: Source) -> Section | None:
    rows = source.rows("FROM widest")
    if not rows:
        return None
    cells = [(space, f"{value:.4f}") for space, value in rows]
    return Section("Spread", "Mean standard deviation over coordinates.", table(["space", "spread"], cells))
