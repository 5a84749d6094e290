"""Which settings are best? Trials of every sweep, their Pareto front with its knee, and what each setting
does on average."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.ticker import MaxNLocator

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import figure_or_dash, table
from une_ray.report.theme import Colour
from une_ray.studies.sweeps.front import efficient, oriented
from une_ray.studies.sweeps.result import SweepResult, TrialRow, command, sweeps

ORDER = 110
ARROWS = {"max": "↑", "min": "↓"}
NOTE = (
    "A point is one trial, a setting of everything; upwards and to the right is better. Large ones are the "
    "Pareto front, which no other trial matches in every objective and beats in one; the stairs are how far "
    "the two axes alone can be had. Trials that successive halving stopped early were judged on less, in "
    "other units, and are not drawn. The star is the knee, nearest to the best of every objective, "
    "each in its fixed range; diamonds are settings that stood in the study from the start. "
    "Half of the material chose; the table also has the figures on the others, which are the ones to report. "
    "Below: the mean of each objective over the finished trials that share a value, ± its standard error; "
    "numbers in thirds of equal count."
)
EFFECTS = """SELECT setting, value, objective, mean, standard_error,
        trials FROM setting_effects WHERE sweep = ?
    AND (SELECT count(DISTINCT value) FROM setting_effects e
        WHERE e.sweep = setting_effects.sweep AND e.setting = setting_effects.setting) > 1
    ORDER BY setting, place, value"""


def section(source: Source) -> Section | None:
    if not source.rows("SELECT 1 FROM sweeps LIMIT 1"):
        return None
    source.define("sweeps.sql")
    parts = [_sweep(source, sweep) for sweep in sweeps(source.sql) if sweep.full]
    return Section("Sweeps", NOTE, "".join(parts))


def _sweep(source: Source, sweep: SweepResult) -> str:
    effects = source.rows(EFFECTS, sweep.sweep)
    trials = ", ".join(f"{count} {status}" for status, count in sweep.counts.items() if count)
    title = f"{sweep.study} · {sweep.title}: {trials}; finished is {sweep.full[0]['budget']} {sweep.unit}"
    parts = [
        f"<h3>{escape(title)}</h3>",
        svg(lambda axes: scatter(axes[0], sweep), width=7.6, height=4.1),
    ]
    if effects:
        height = 0.7 + 0.21 * len({effect[:2] for effect in effects})
        panels = len(sweep.goals)
        parts.append(
            svg(lambda axes: averages(axes, sweep, effects), panels=panels, width=8.6 / panels, height=height)
        )
    parts.append(front(sweep))
    if sweep.knee is not None:
        shell = escape(command(sweep.knee, source.lake.url))
        parts.append(f"<p class=note>The knee again:</p><pre>{shell}</pre>")
    return "".join(parts)


def scatter(axis: Axes, sweep: SweepResult) -> None:
    """The first two objectives as axes, the third as colour; the front large, what it beats small."""
    x, y, *_ = sweep.goals
    _staircase(axis, sweep)
    _trials(axis, sweep)
    _names(axis, sweep)
    axis.set(xlabel=_objective(sweep, x), ylabel=_objective(sweep, y))
    if sweep.goals[x] == "min":
        axis.invert_xaxis()
    if sweep.goals[y] == "min":
        axis.invert_yaxis()
    axis.grid(color=Colour.LINE, linewidth=0.8)
    axis.set_axisbelow(True)
    legend = axis.legend(fontsize=8, loc="best")
    for handle in legend.legend_handles:
        if isinstance(handle, PathCollection):
            handle.set_sizes([38])


def _trials(axis: Axes, sweep: SweepResult) -> None:
    """A mark per trial that was judged in full: what the front beats, the front, where the study began, the
    knee."""
    kinds = [_kind(sweep, trial) for trial in sweep.full]
    third = [*sweep.goals][2:3]
    scale: dict[str, Any] = {}
    if third:
        depth = sweep.values[:, 2]
        direction = "viridis" if sweep.goals[third[0]] == "max" else "viridis_r"
        scale = {"cmap": direction, "vmin": depth.min(), "vmax": depth.max()}
    for kind, marker, edge, size in (
        ("beaten", "o", Colour.PAPER, 26),
        ("Pareto front", "o", Colour.AXIS, 64),
        ("from the start", "D", Colour.AXIS, 64),
        ("knee", "*", Colour.ORANGE, 330),
    ):
        places = [place for place, of_trial in enumerate(kinds) if of_trial == kind]
        colours: dict[str, Any] = {"c": sweep.values[places, 2]} if third else {"color": Colour.BLUE}
        points = axis.scatter(
            sweep.values[places, 0],
            sweep.values[places, 1],
            s=size,
            marker=marker,
            edgecolors=edge,
            linewidths=1.2,
            label=kind if places else None,
            zorder=3,
            **colours,
            **scale,
        )
    if third:
        bar = axis.figure.colorbar(points, ax=axis, pad=0.02, shrink=0.85, label=_objective(sweep, third[0]))
        bar.outline.set_visible(False)


def _kind(sweep: SweepResult, trial: TrialRow) -> str:
    if trial is sweep.knee:
        return "knee"
    if trial["point"]:
        return "from the start"
    return "Pareto front" if trial in sweep.front else "beaten"


def _names(axis: Axes, sweep: SweepResult) -> None:
    """What the study's own points are called, on a patch of paper that keeps the words readable."""
    patch = {"boxstyle": "round,pad=0.15", "facecolor": Colour.PAPER, "edgecolor": "none", "alpha": 0.75}
    for trial, (left, up, *_) in zip(sweep.full, sweep.values):
        if trial["point"]:
            axis.annotate(
                trial["point"],
                (left, up),
                xytext=(8, 5),
                textcoords="offset points",
                fontsize=8.5,
                color=Colour.AXIS,
                bbox=patch,
                zorder=2.5,
            )


def _staircase(axis: Axes, sweep: SweepResult) -> None:
    """What can be had of the first two objectives at once, whatever the others: the border of what the
    trials reached."""
    turned = oriented(sweep.values[:, :2], [*sweep.goals.values()][:2])
    corners = sweep.values[efficient(turned), :2]
    corners = corners[np.argsort(turned[efficient(turned), 0])]
    axis.step(*corners.T, where="pre", color=Colour.AXIS, linewidth=1, alpha=0.35, zorder=2)


def averages(axes: list[Axes], sweep: SweepResult, effects: Sequence[tuple[Any, ...]]) -> None:
    """One panel per objective; a line per value of every setting that has several, settings apart."""
    lines = list(dict.fromkeys(effect[:2] for effect in effects))
    starts = [
        place for place, (setting, _) in enumerate(lines) if place == 0 or lines[place - 1][0] != setting
    ]
    labels = [
        f"{setting}  {value}" if place in starts else value for place, (setting, value) in enumerate(lines)
    ]
    for axis, objective in zip(axes, sweep.goals):
        of_objective = [effect for effect in effects if effect[2] == objective]
        axis.errorbar(
            [mean for _, _, _, mean, _, _ in of_objective],
            [lines.index(effect[:2]) for effect in of_objective],
            xerr=[error or 0 for _, _, _, _, error, _ in of_objective],
            fmt="o",
            markersize=4.5,
            elinewidth=1.2,
        )
        breaks = [start - 0.5 for start in starts[1:]]
        axis.hlines(breaks, 0, 1, transform=axis.get_yaxis_transform(), color=Colour.LINE, linewidth=1)
        axis.set_yticks(range(len(labels)), labels if axis is axes[0] else [], fontsize=7.5)
        axis.tick_params(axis="y", length=0)
        axis.set_ylim(len(labels) - 0.5, -0.5)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.set_title(_objective(sweep, objective))
        axis.spines["left"].set_visible(False)


def front(sweep: SweepResult) -> str:
    header = ["", *(_objective(sweep, name) for name in sweep.goals), "settings"]
    header += [f"{name}, on the others" for name in sweep.goals]
    rows = [
        (
            "knee" if trial is sweep.knee else trial["point"] or "",
            *(f"{value:.3f}" for _, value in trial["objectives"]),
            ", ".join(f"{name} {value}" for name, value in trial["settings"]),
            *(figure_or_dash(dict(trial["reported"] or []).get(name), ".3f") for name in sweep.goals),
        )
        for trial in sweep.front
    ]
    return table(header, rows, numeric=len(header))


def _objective(sweep: SweepResult, name: str) -> str:
    return f"{name} {ARROWS[sweep.goals[name]]}"
