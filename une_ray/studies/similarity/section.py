"""How alike are the spaces beyond chance, and which map relates each pair?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import figure_or_dash, table
from une_ray.report.theme import GREYS, SERIES, Colour

ORDER = 84
COLUMNS = 3  # of the legend
SHOWN = ("cka", "cca", "mutual-neighbours", "rank-correlation")
NOTE = (
    "Every measure drifts with the number of images and dimensions, so each stands beside the same measure "
    "of mixed-up pairs (dotted) and against the number of images; rank correlation ends at 512 of them. "
    "Heat maps: R² on held-out images of maps fitted on half of them, less that of maps fitted on mixed-up "
    "pairs where that, which stands small below, is above 0; less than 0 is shown as 0: of a rotation with "
    "one scale, and of ridge. Where both are alike the spaces are a rotation apart, where only ridge is "
    "large a general linear map relates them. Means over random draws of images."
)
PAIRS = """SELECT source, target, n, orthogonal, orthogonal_null, ridge, ridge_null, cca, cca_null, related_by
    FROM map_pairs"""
CURVES = """SELECT source, target, measure, n, value, "null" FROM similarity_curves
    WHERE measure IN (SELECT unnest(?)) ORDER BY ALL"""

Curve = list[tuple[int, float, float]]
"""(n, value, null), by n."""


def section(source: Source) -> Section | None:
    pairs = source.rows(PAIRS)
    if not pairs:
        return None
    curves: dict[str, dict[tuple[str, str], Curve]] = {}
    for a, b, measure, n, value, null in source.rows(CURVES, list(SHOWN)):
        curves.setdefault(measure, {}).setdefault((a, b), []).append((n, value, null))
    spaces = source.roles.in_order({name for pair in pairs for name in pair[:2]})
    height = 1.6 + 0.4 * len(spaces)
    heat = svg(
        partial(heats, pairs=pairs, spaces=spaces), panels=2, width=4.3, height=height, is_heat_map=True
    )
    controls = {name for name in spaces if source.roles.is_control(name)}
    named = min(len(pairs), len(SERIES)) + 2
    lines = svg(
        partial(draw, curves=curves, controls=controls),
        panels=len(SHOWN),
        width=2.7,
        height=2.8 + 0.2 * -(-named // COLUMNS),
    )
    header = [
        "from",
        "to",
        "related by",
        "images",
        "rotation R²",
        "null",
        "ridge R²",
        "null",
        "32 CCA R²",
        "null",
    ]
    rows = [
        (a, b, related, n, *(figure_or_dash(value, "z.3f") for value in values))
        for a, b, n, *values, related in pairs
    ]
    return Section("Similarity beyond chance", NOTE, heat + lines + table(header, rows, 3), _summary(pairs))


def heats(axes: list[Axes], pairs: Sequence[tuple], spaces: Sequence[str]) -> None:
    """R² beyond the null from row to column, of a rotation and of ridge, and small the null itself; below
    zero counts as zero."""
    for axis, title, column in ((axes[0], "a rotation: R² beyond its null", 3), (axes[1], "ridge", 5)):
        values = np.full((len(spaces), len(spaces)), np.nan)
        for pair in pairs:
            row, place = spaces.index(pair[0]), spaces.index(pair[1])
            values[row, place] = max(pair[column] - max(pair[column + 1], 0), 0)
            ink = Colour.PAPER if values[row, place] > 0.6 else Colour.INK
            axis.text(
                place, row, f"{values[row, place]:z.2f}", ha="center", va="bottom", fontsize=7, color=ink
            )
            null = f"{pair[column + 1]:z.2f}"
            axis.text(place, row + 0.06, null, ha="center", va="top", fontsize=5.5, color=ink)
        axis.imshow(values, aspect="auto", cmap="Blues", vmin=0, vmax=1)
        axis.set_xticks(range(len(spaces)), spaces, rotation=30, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(len(spaces)), spaces if axis is axes[0] else [])
        axis.set(title=title, xlabel="to")
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    axes[0].set_ylabel("from")


def draw(axes: list[Axes], curves: dict[str, dict[tuple[str, str], Curve]], controls: set[str]) -> None:
    """Every pair's measure against n, grey where a control is in it, and its null dotted; one legend."""
    colours = pair_colours(curves, controls)
    lines: dict[str, Line2D] = {}
    for axis, measure in zip(axes, SHOWN):
        for pair, points in sorted(curves.get(measure, {}).items()):
            x, y, null = zip(*points)
            (line,) = axis.plot(x, y, "-o", color=colours[pair], markersize=2.5, linewidth=1)
            axis.plot(x, null, ":", color=colours[pair], linewidth=1)
            is_named = colours[pair] in SERIES
            lines.setdefault(" – ".join(pair) if is_named else "others, or with a control", line)
        axis.axhline(0, color=Colour.RULE, linewidth=0.8)
        axis.set(xscale="log", xlabel="images", title=measure)
        counts = sorted({n for points in curves.get(measure, {}).values() for n, _, _ in points})
        axis.set_xticks(counts, [f"{n:,}" for n in counts])
        axis.minorticks_off()
    lines["mixed-up pairs"] = Line2D([], [], color=Colour.SOFT, linestyle=":", linewidth=1)
    axes[0].figure.legend(lines.values(), lines, loc="outside lower center", ncols=COLUMNS, fontsize=8)


def pair_colours(
    curves: dict[str, dict[tuple[str, str], Curve]], controls: Collection[str]
) -> dict[tuple[str, str], Colour]:
    """A colour in every panel for the pairs that are most alike by the first measure, while colours last.

    The others are grey, and so are pairs with a control.
    """
    pairs = {pair for measured in curves.values() for pair in measured}
    first = curves.get(SHOWN[0], {})
    plain = sorted(pair for pair in pairs if not set(controls) & set(pair))
    plain.sort(key=lambda pair: -first[pair][-1][1] if pair in first else 0)
    return dict.fromkeys(pairs, GREYS[1]) | dict(zip(plain, SERIES))


def _summary(pairs: Sequence[tuple]) -> str:
    """How many pairs are related by what, and how much of the target that map explains."""
    reached: dict[str, list[float]] = {}
    for *_, orthogonal, null, ridge, ridge_null, _, _, kind in sorted(pairs, key=lambda pair: pair[-1]):
        beyond = orthogonal - max(null, 0) if kind == "a rotation" else ridge - max(ridge_null, 0)
        reached.setdefault(kind, []).append(beyond)
    counts = ", ".join(_counted(kind, beyond) for kind, beyond in reached.items())
    return f"Of {len(pairs)} maps from one space to another: {counts}."


def _counted(kind: str, beyond: list[float]) -> str:
    if kind == "nothing linear":
        return f"{len(beyond)} by {kind}"
    least, most = (f"{value:z.2f}" for value in (min(beyond), max(beyond)))
    span = most if least == most else f"{least} to {most}"
    return f"{len(beyond)} by {kind} (R² beyond its null {span})"
