"""What a notebook shows of a lake."""

from __future__ import annotations

from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.report.pictures import SpaceLine, lake_card

SPACES = """
    SELECT space, role, dim, coalesce(images, 0) FROM spaces LEFT JOIN (FROM counts WHERE status = 'ok')
        USING (space)
    ORDER BY role DESC, space"""


def lake_html(lake: Lake) -> str:
    """Corpus, items, spaces with their roles, and which tables of results hold anything."""
    ((items, rejects),) = lake.rows("SELECT count(*), count(*) FILTER (status = 'reject') FROM images")
    spaces = [
        SpaceLine(space=space, role=role, dim=dim, images=images)
        for space, role, dim, images in lake.rows(SPACES)
    ]
    asked = [name for name in results.tables() if lake.rows(f'SELECT 1 FROM "{name}" LIMIT 1')]
    return lake_card(
        url=lake.url,
        corpus=lake.manifest["corpus"],
        items=items,
        rejects=rejects,
        spaces=spaces,
        studies=asked,
    )
