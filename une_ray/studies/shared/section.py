"""What several spaces share: agreement of the views, and attributes against the number of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.theme import GREYS, SERIES, Colour

ORDER = 86
NOTE = (
    "Generalised CCA fitted on train images. Left: how well the views agree about each dimension on test"
    " images (mean correlation over pairs of views), and the same on mixed-up pairs. Right: mean accuracy of"
    " ridge probes of all attributes on the first k dimensions, beside the first k principal components of"
    " each view and a space that was fitted on views of different images; the dotted line always answers the"
    " commoner label."
)
LATEST = """SELECT space, measure, "of", k, value, majority FROM shared_scores
    QUALIFY config = first(config) OVER (PARTITION BY space ORDER BY split_seed, config)
    ORDER BY space, measure, "of", k"""
VIEWS = "SELECT DISTINCT source FROM shared_maps WHERE space = ? ORDER BY source"

Rows = Sequence[tuple[str, str, int, float, float | None]]
"""(measure, of, k, value, majority)"""


def section(source: Source) -> Section | None:
    by_space: dict[str, list[tuple[str, str, int, float, float | None]]] = {}
    for space, *row in source.rows(LATEST):
        by_space.setdefault(space, []).append((row[0], row[1], row[2], row[3], row[4]))
    parts = []
    for space, rows in by_space.items():
        views = ", ".join(name for (name,) in source.rows(VIEWS, space))
        picture = svg(partial(draw, rows=rows), panels=2, width=4.3, height=3.2)
        parts.append(f"<h3>{escape(space)}</h3><p>{escape(views)}</p>{picture}")
    return Section("Shared spaces", NOTE, "".join(parts), _summary(by_space)) if parts else None


def draw(axes: list[Axes], rows: Rows) -> None:
    """Correlations against the dimension, and accuracies against their number."""
    for measure, colour, style in (
        ("held-out correlation", Colour.BLUE, "-o"),
        ("null correlation", Colour.GREY, "-x"),
    ):
        points = [(k, value) for name, _, k, value, _ in rows if name == measure]
        axes[0].plot(*zip(*points), style, color=colour, markersize=3, linewidth=1, label=measure)
    axes[0].axhline(0, color=Colour.RULE, linewidth=0.8)
    axes[0].set(xlabel="dimension", title="agreement of the views")
    axes[0].legend(fontsize=7)
    accurate = [(of, k, 100 * value) for name, of, k, value, _ in rows if name == "accuracy"]
    names = dict.fromkeys(of for of, _, _ in accurate)
    views = [name for name in names if name not in ("shared", "shuffled views")]
    colours = dict(zip(views, SERIES[1:] * len(views))) | {"shared": SERIES[0], "shuffled views": GREYS[0]}
    for name in names:
        points = [(k, value) for of, k, value in accurate if of == name]
        axes[1].plot(
            *zip(*points),
            "-o",
            color=colours[name],
            markersize=3,
            linewidth=2 if name == "shared" else 1,
            label=name,
        )
    if accurate:
        chance = next(m for name, *_, m in rows if name == "accuracy" and m is not None)
        axes[1].axhline(100 * chance, color=Colour.RULE, linestyle=":", linewidth=1)
        axes[1].legend(fontsize=7)
    axes[1].set(xscale="log", xlabel="dimensions", title="accuracy of attributes, %")


def _summary(by_space: dict[str, list[tuple[str, str, int, float, float | None]]]) -> str:
    """The shared space of the most accuracy at its largest k, beside its best view and the control."""
    lines = []
    for space, rows in by_space.items():
        accurate = [(of, k, value) for measure, of, k, value, _ in rows if measure == "accuracy"]
        if not accurate:
            continue
        most = max(k for of, k, _ in accurate if of == "shared")
        at = {of: value for of, k, value in accurate if k == most}
        views = {of: value for of, value in at.items() if of not in ("shared", "shuffled views")}
        beside = [f"{of} {100 * value:.1f} %" for of, value in sorted(views.items(), key=lambda i: -i[1])[:1]]
        if "shuffled views" in at:
            beside.append(f"shuffled views {100 * at['shuffled views']:.1f} %")
        lines.append(f"{space} reads {100 * at['shared']:.1f} % in {most} dimensions ({', '.join(beside)})")
    return "; ".join(lines[:2]) + "." if lines else ""
