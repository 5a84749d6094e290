"""What each space finds alike: nearest neighbours by cosine, as pictures."""

from __future__ import annotations

from une_ray.report.pictures import figure
from une_ray.report.section import Section, Source

QUERIES, NEIGHBOURS, ROWS = 4, 6, 4000


def section(source: Source) -> Section | None:
    parts = []
    for name in source.fingerprints:
        ids, z = source.latents(name, ROWS)
        if len(ids) < 2:
            continue
        unit = z / (1e-12 + (z**2).sum(1, keepdims=True) ** 0.5)
        rows = []
        for query in range(min(QUERIES, len(ids))):
            cosine = unit @ unit[query]
            cosine[query] = -2
            order = cosine.argsort()[::-1][: min(NEIGHBOURS, len(ids) - 1)]
            shown = [figure(source.picture(ids[query]), "query", ids[query])]
            shown += [figure(source.picture(ids[i]), f"{cosine[i]:.3f}", ids[i]) for i in order]
            rows.append(f"<div class='grid query'>{''.join(shown)}</div>")
        parts.append(f"<div class=column><h3>{name}</h3>{''.join(rows)}</div>")
    note = (
        f"The same images asked of every space (among up to {ROWS:,}): the query first, then its nearest by cosine. "
        "In SQL: SELECT * FROM nearest(space, image_id, k)."
    )
    return (
        Section("Nearest neighbours", note, f"<div class=columns>{''.join(parts)}</div>") if parts else None
    )
