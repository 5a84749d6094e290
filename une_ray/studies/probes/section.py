"""Which attributes are linear in which space, beside everything that could explain it away."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source, table

CHOSEN = "(SELECT * FROM best_probes WHERE status = 'ok' AND auc IS NOT NULL)"
COLOURS, GREYS = (
    ("#3b6fb6", "#d1603d", "#4d9a6a", "#8d6bb8", "#b8860b", "#2a9d9d", "#c2557f"),
    ("#7d838d", "#a3a8b0", "#5b616b", "#bcc1c8"),
)
MARKERS = "osD^vPX"
NOTE = (
    "Test AUC of a linear probe of every attribute in every space; a line is the range over split seeds. The controls are grey: a space counts for "
    "its model only as far as it beats them. The dotted line is chance; the small upright strokes are the same probes fitted on permuted labels."
)


def section(source: Source) -> Section | None:
    found = source.rows(
        f"""SELECT attribute, space, avg(auc), min(auc), max(auc), avg(permuted_auc) FROM {CHOSEN} GROUP BY attribute, space
        ORDER BY avg(avg(auc)) OVER (PARTITION BY attribute), attribute"""
    )
    if not found:
        return None
    spaces = in_order({row[1] for row in found})
    figures = {(attribute, space): figures for attribute, space, *figures in found}
    attributes = ranked(figures, spaces)
    picture = svg(
        lambda axes: draw(axes[0], attributes, spaces, figures),
        width=8.6,
        height=1.0 + (0.14 + 0.03 * len(spaces)) * len(attributes),
    )
    return Section("Linear probes", NOTE, picture + summary(source, spaces))


def is_control(space: str) -> bool:
    """Whether a space is there to explain others away: pixels, random weights, signal leak, autoencoder latents."""
    return space.startswith(("pixels-", "random-")) or "/leak" in space or "/latents" in space


def in_order(spaces: set[str]) -> list[str]:
    """Models first, controls last."""
    return sorted(spaces, key=lambda space: (is_control(space), space))


def looks(spaces: list[str]) -> dict[str, dict]:
    """Colour and marker of each space, grey ones for controls; the same in every section that has the same spaces."""
    palettes = {False: cycle(COLOURS), True: cycle(GREYS)}
    return {
        space: {"color": next(palettes[is_control(space)]), "marker": marker}
        for space, marker in zip(spaces, cycle(MARKERS))
    }


def ranked(figures: dict[tuple[str, str], list], spaces: list[str]) -> list[str]:
    """Attributes by their mean AUC over the spaces that are no controls, where there are such; the best last."""
    judged = [space for space in spaces if not is_control(space)] or spaces
    aucs: dict[str, list[float]] = {attribute: [] for attribute, _ in figures}
    for (attribute, space), (auc, *_) in figures.items():
        if space in judged:
            aucs[attribute].append(auc)
    return sorted(aucs, key=lambda attribute: (np.mean(aucs[attribute] or 0.0), attribute))


def draw(axis: Axes, attributes: list[str], spaces: list[str], figures: dict[tuple[str, str], list]) -> None:
    """A line per attribute, on which every space has a dot, its range, and a stroke for its permuted labels."""
    axis.hlines(
        range(len(attributes)),
        0,
        1,
        color="#e3e6ea",
        linewidth=0.6,
        transform=axis.get_yaxis_transform(),
        zorder=0,
    )
    axis.axvline(0.5, color="#8a8f98", linewidth=1, linestyle=":")
    for i, (space, look) in enumerate(looks(spaces).items()):
        offset = 0.7 * ((len(spaces) - 1) / 2 - i) / len(spaces)
        points = [(y + offset, *figures[a, space]) for y, a in enumerate(attributes) if (a, space) in figures]
        y, auc, low, high, permuted = np.array(points, dtype=float).T
        axis.hlines(y, low, high, color=look["color"], linewidth=1.2)
        axis.plot(
            auc,
            y,
            linestyle="",
            markersize=4.5,
            markeredgewidth=0,
            label=space,
            zorder=1 if is_control(space) else 2,
            **look,
        )
        axis.plot(permuted, y, "|", color="#c9ced6", markersize=3.5, zorder=0)
    axis.set_yticks(range(len(attributes)), attributes)
    axis.set(xlabel="test AUC", ylim=(-0.6, len(attributes) - 0.4))
    axis.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=min(4, len(spaces)), fontsize=8, handletextpad=0.2
    )


def summary(source: Source, spaces: list[str]) -> str:
    """Means over attributes per space: AUC with its range over split seeds, accuracy beside the majority class, the null."""
    rows = source.rows(
        f"""SELECT space, any_value(method), max(attributes), count(*), avg(auc), min(auc), max(auc), avg(accuracy), avg(majority), avg(null_auc),
            avg(significant)
        FROM (SELECT space, split_seed, any_value(method) AS method, count(*) AS attributes, avg(auc) AS auc, avg(accuracy) AS accuracy,
            avg(majority) AS majority, avg(permuted_auc) AS null_auc, sum((p_value <= .05)::INT) AS significant FROM {CHOSEN} GROUP BY space, split_seed)
        GROUP BY space"""
    )
    header = [
        "space",
        "method",
        "attributes",
        "mean AUC",
        "range",
        "accuracy %",
        "majority %",
        "permuted AUC",
        "p ≤ .05",
    ]
    shown = [
        (
            space + (" (control)" if is_control(space) else ""),
            method,
            attributes,
            f"{auc:.3f}",
            f"{low:.3f}–{high:.3f}" if seeds > 1 else "one split",
            percent(accuracy),
            percent(majority),
            "–" if null is None else f"{null:.3f}",
            "–" if significant is None else f"{significant:.0f} of {attributes}",
        )
        for space, method, attributes, seeds, auc, low, high, accuracy, majority, null, significant in sorted(
            rows, key=lambda row: spaces.index(row[0])
        )
    ]
    return table(header, shown, numeric=2)


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"
