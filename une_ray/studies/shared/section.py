"""What several spaces share: agreement of the views, and attributes against the number of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import counted, figure_or_dash, table
from une_ray.report.theme import GREYS, SERIES, Colour

ORDER = 86
NOTE = (
    "Generalised CCA fitted on train images. Left: how well the views agree about each dimension on test "
    "images (mean correlation over pairs of views), and the same on mixed-up pairs. Right: mean accuracy of "
    "ridge probes of attributes that both folds have two sides of, on the first k dimensions, beside the "
    "first k principal components of each view and a space that was fitted on views of different images; "
    "the dotted line always answers the commoner label. Of two shared spaces that une similarity has "
    "compared: do they find the same images alike, against the number of images and beside mixed-up pairs "
    "(dotted)?"
)
OF_SPACES = """SELECT space, measure, "of", k, value, majority FROM shared_scores
    SEMI JOIN kept_shared_maps USING (space, config) ORDER BY space, measure, "of", k"""
BETWEEN = (
    """SELECT one, other, views_in_common, measure, n, value, "null", deviations FROM shared_neighbourhoods"""
)
MEASURES = ("mutual-neighbours", "rank-correlation")
VIEWS = "SELECT source FROM kept_shared_maps WHERE space = ? ORDER BY source"

Rows = Sequence[tuple[str, str, int, float, float | None]]
"""(measure, of, k, value, majority)"""


def section(source: Source) -> Section | None:
    by_space: dict[str, list[tuple[str, str, int, float, float | None]]] = {}
    for space, *row in source.rows(OF_SPACES):
        by_space.setdefault(space, []).append((row[0], row[1], row[2], row[3], row[4]))
    parts = []
    for space, rows in by_space.items():
        views = ", ".join(name for (name,) in source.rows(VIEWS, space))
        picture = svg(partial(draw, rows=rows), panels=2, width=4.3, height=3.2)
        parts.append(f"<h3>{escape(space)}</h3><p>{escape(views)}</p>{picture}")
    parts.append(between(source.rows(BETWEEN)))
    return Section("Shared spaces", NOTE, "".join(parts), _summary(by_space)) if by_space else None


def between(rows: Sequence[tuple]) -> str:
    """How well shared spaces agree about which images are alike: curves, and figures at the largest n."""
    if not rows:
        return ""
    most: dict[tuple[str, str, str], tuple] = {}
    for row in rows:
        most[row[0], row[1], row[3]] = row  # by n, so the last is of the most images
    header = ["shared space", "and", "views in common", "measure", "images", "value", "null", "σ beyond it"]
    lines = [
        (one, other, ", ".join(common) or "none", measure, f"{n:,}", f"{value:.3f}", f"{null:.3f}")
        + (figure_or_dash(deviations, ".0f"),)
        for one, other, common, measure, n, value, null, deviations in most.values()
    ]
    picture = svg(partial(draw_between, rows=rows), panels=2, width=4.3, height=2.8)
    return f"<h3>Between shared spaces</h3>{picture}{table(header, lines, 4)}"


def draw_between(axes: list[Axes], rows: Sequence[tuple]) -> None:
    """A line per pair of shared spaces against n, and its null dotted."""
    pairs = list(dict.fromkeys(row[:2] for row in rows))
    for axis, measure in zip(axes, MEASURES):
        for number, pair in enumerate(pairs):
            points = [row[4:7] for row in rows if row[:2] == pair and row[3] == measure]
            x, y, null = zip(*points)
            colour = SERIES[number % len(SERIES)]
            axis.plot(x, y, "-o", color=colour, markersize=3, linewidth=1.2, label=" and ".join(pair))
            axis.plot(x, null, ":", color=colour, linewidth=1)
        axis.axhline(0, color=Colour.RULE, linewidth=0.8)
        axis.set(xscale="log", xlabel="images", title=measure)
        counts = sorted({row[4] for row in rows if row[3] == measure})
        axis.set_xticks(counts, [f"{count:,}" for count in counts])
        axis.minorticks_off()
    axes[0].legend(fontsize=7)


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
        majority = next((m for measure, *_, m in rows if measure == "accuracy" and m is not None), None)
        if majority is not None:
            beside.append(f"the commoner label {100 * majority:.1f} %")
        lines.append(
            f"{space} reads attributes {100 * at['shared']:.1f} % right in {counted(most, 'dimension')}"
            f" ({', '.join(beside)})"
        )
    return "; ".join(lines[:2]) + "." if lines else ""
