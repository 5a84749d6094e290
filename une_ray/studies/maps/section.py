"""Are two spaces a rotation apart? The maps beside their peers, against anchors, and as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from matplotlib.axes import Axes

from une_ray.geometry.pairing import nearest
from une_ray.lake.stored_maps import StoredMap
from une_ray.report.pictures import figure, grid
from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import NOTHING, table
from une_ray.report.theme import Colour
from une_ray.studies.maps.figures import (
    IMAGES,
    SAID,
    TEXTS,
    ZERO_SHOT,
    Figure,
    alone,
    by_map,
    find,
    largest,
)

ORDER = 82
QUERIES, GALLERY = 8, 4000
NOTE = (
    "Maps fitted on pairs of train images and asked of test images: the orthogonal one beside none, the means"
    " alone, a random rotation, and maps of more freedom. The cosine without the target's mean (centred) and"
    " retrieval of the very image are about the image. ± is half a 95 % interval over random draws of anchors"
    " from the same images (Student's t): how far the choice of anchors matters, not what other images would"
    " give. The dotted line is how alike two maps are that were fitted on two halves of the anchors:"
    " no map is known more exactly. * would be the same of any orthogonal matrix."
)
LATEST = """SELECT * FROM map_figures QUALIFY config = first(config) OVER (
    PARTITION BY source, target ORDER BY split_seed, draws DESC, config) ORDER BY source, target"""
STORED = """SELECT * FROM maps WHERE source = ? AND target = ? AND map = 'orthogonal' AND centred
    ORDER BY split_seed, config LIMIT 1"""


def section(source: Source) -> Section | None:
    by_pair: dict[tuple[str, str], list[Figure]] = {}
    for row in source.sql.sql(LATEST).to_arrow_table().to_pylist():
        by_pair.setdefault((row["source"], row["target"]), []).append(Figure.from_row(row))
    parts = [_pair(source, *pair, figures) for pair, figures in by_pair.items()]
    return Section("Orthogonal maps", NOTE, "".join(parts), _summary(by_pair)) if parts else None


def _pair(source: Source, origin: str, target: str, figures: Sequence[Figure]) -> str:
    most = largest(figures)
    title = f"<h3>{escape(origin)} → {escape(target)}, {most[0].anchors:,} anchors</h3>"
    picture = svg(lambda axes: draw(axes, figures), panels=2, width=4.3, height=3.0)
    return title + numbers(most) + texts(most) + picture + _pictures(source, origin, target)


def numbers(most: Sequence[Figure]) -> str:
    """A line per map at the largest number of anchors."""
    rows = [(caption, *cells) for caption, cells in by_map(most, IMAGES, NOTHING)]
    return table(["map", *(metric for _, metric in IMAGES)], rows)


def texts(most: Sequence[Figure]) -> str:
    """What each map makes of class prompts and of captions, of which it was not told; nothing without."""
    parts = []
    for columns, of, metric, what in (
        (TEXTS, "zero-shot", "AUC", "class prompts"),
        (SAID, "captions", "retrieval", "the test images' own captions"),
    ):
        by_themselves = alone(most, of, metric)
        if by_themselves:
            shown = ", ".join(f"{side} {figure.value:.3f}" for side, figure in by_themselves.items())
            heads = [f"{columns[0][0]}: cosine", f"{columns[0][0]}: retrieval"]
            heads += [f"{metric}: {name}" for name in ZERO_SHOT]
            rows = [(caption, *cells) for caption, cells in by_map(most, columns, NOTHING)]
            note = f"<p class=note>Asked of {what}; {metric} of either model alone: {shown}.</p>"
            parts.append(note + table(["map", *heads], rows))
    return "".join(parts)


def draw(axes: list[Axes], figures: Sequence[Figure]) -> None:
    """Centred cosine and retrieval of test images against anchors."""
    looks = {
        ("orthogonal", True): (Colour.BLUE, "o"),
        ("ridge", True): (Colour.ORANGE, "s"),
        ("affine", True): (Colour.GREEN, "^"),
        ("random", True): (Colour.GREY, "x"),
    }
    for axis, metric in zip(axes, ("centred cosine", "retrieval")):
        for (name, centred), (colour, marker) in looks.items():
            curve = _curve(figures, "images", name, centred, metric)
            x, y, half = ([point[i] for point in curve] for i in range(3))
            axis.errorbar(x, y, half, color=colour, marker=marker, markersize=4, linewidth=1.2, label=name)
        axis.set(xscale="log", xlabel="anchors", title=metric)
        counts = sorted({figure.anchors for figure in figures if figure.classes_fitted is None})
        axis.set_xticks(counts, [f"{count:,}" for count in counts])
        axis.minorticks_off()
    bound = _curve(figures, "maps", "orthogonal", True, "half cosine")
    axes[0].plot(
        [x for x, _, _ in bound], [y for _, y, _ in bound], ":", color=Colour.BLUE, label="two halves' maps"
    )
    axes[0].legend(fontsize=7)


def _curve(
    figures: Sequence[Figure], of: str, name: str, centred: bool, metric: str
) -> list[tuple[int, float, float]]:
    """(anchors, value, half interval), by anchors."""
    wanted = (of, name, centred, metric)
    return sorted(
        (figure.anchors, figure.value, figure.half or 0.0)
        for figure in figures
        if (figure.of, figure.map, figure.centred, figure.metric) == wanted and figure.classes_fitted is None
    )


def _pictures(source: Source, origin: str, target: str) -> str:
    """Test images asked of the target's space: what they find as they are, and through the map."""
    row = next(iter(source.sql.sql(STORED, params=[origin, target]).to_arrow_table().to_pylist()), None)
    ids_a, a = source.latents(origin, GALLERY, "test")
    ids_b, b = source.latents(target, GALLERY, "test")
    if row is None or len(ids_a) < QUERIES or len(ids_b) < QUERIES:
        return ""
    stored = StoredMap.from_row(row)
    queries = a[:QUERIES]
    width = max(a.shape[1], b.shape[1])
    before = nearest(_padded(queries, width), _padded(b, width))
    after = nearest(stored(queries), b)
    lines = []
    for caption, found in (("asked", None), ("before", before), ("mapped", after)):
        places = [ids_a[i] if found is None else ids_b[found[i]] for i in range(QUERIES)]
        labels = [
            caption if found is None else f"{caption}{' ✓' if ids_b[found[i]] == ids_a[i] else ''}"
            for i in range(QUERIES)
        ]
        lines.append(grid([figure(source.picture(name), label, name) for name, label in zip(places, labels)]))
    return "".join(lines)


def _padded(z: np.ndarray, width: int) -> np.ndarray:
    return np.pad(z, ((0, 0), (0, width - z.shape[1])))


def _summary(by_pair: dict[tuple[str, str], list[Figure]]) -> str:
    """The pair whose orthogonal map is nearest, beside a random rotation and ridge."""

    def value(figures: Sequence[Figure], name: str) -> float:
        found = find(
            largest(figures), of="images", map=name, centred=True, metric="centred cosine", subset="all"
        )
        return found.value if found else float("nan")

    (origin, target), figures = max(by_pair.items(), key=lambda item: value(item[1], "orthogonal"))
    return (
        f"Nearest to a rotation is {origin} → {target}: centred cosine {value(figures, 'orthogonal'):.3f}"
        f" (ridge {value(figures, 'ridge'):.3f}, random rotation {value(figures, 'random'):.3f})."
    )
