"""Which settings are best? Trials of every sweep, their Pareto front with its knee, and what each setting does on average."""

from __future__ import annotations

from collections import Counter
from html import escape

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from une_ray.lake.session import QUERIES
from une_ray.report.plots import svg
from une_ray.report.section import Section, Source, table
from une_ray.studies.sweeps.front import efficient, oriented
from une_ray.studies.sweeps.result import SweepResult, command, sweeps

INK, KNEE = "#3b414b", "#d1603d"
ARROWS = {"max": "↑", "min": "↓"}
NOTE = (
    "A point is one trial, a setting of everything; upwards and to the right is better. Large ones are the Pareto front, which no other trial matches in "
    "every objective and beats in one; the stairs are how far the two axes alone can be had. Trials that successive halving stopped early were judged on "
    "less, in other units, and are not drawn. The star is the knee, nearest to the ideal point when every objective is rescaled to its range on the front; diamonds are settings that "
    "stood in the study from the start. Below: "
    "the mean of each objective over the finished trials that share a value, ± its standard error; numbers in thirds of equal count."
)
EFFECTS = """SELECT setting, value, objective, mean, standard_error, trials FROM setting_effects WHERE sweep = ?
    AND (SELECT count(DISTINCT value) FROM setting_effects e WHERE e.sweep = setting_effects.sweep AND e.setting = setting_effects.setting) > 1
    ORDER BY setting, place, value"""


def section(source: Source) -> Section | None:
    if not source.rows("SELECT 1 FROM sweeps LIMIT 1"):
        return None
    for statement in source.sql.extract_statements((QUERIES / "sweeps.sql").read_text()):
        source.sql.execute(statement.query).fetchall()
    return Section(
        "Sweeps", NOTE, "".join(_sweep(source, found) for found in sweeps(source.sql) if found.full)
    )


def _sweep(source: Source, found: SweepResult) -> str:
    effects = source.rows(EFFECTS, found.trials[0]["sweep"])
    counts = Counter(trial["status"] for trial in found.trials)
    told = ", ".join(
        f"{counts[status]} {status}" for status in ("finished", "stopped", "refused") if counts[status]
    )
    heading = f"<h3>{escape(found.study)} · {escape(found.title)}: {told}; finished is {found.full[0]['budget']} {escape(found.unit)}</h3>"
    parts = [heading, svg(lambda axes: scatter(axes[0], found), width=7.6, height=4.1)]
    if effects:
        rows = len({effect[:2] for effect in effects})
        parts.append(
            svg(
                lambda axes: averages(axes, found, effects),
                panels=len(found.goals),
                width=8.6 / len(found.goals),
                height=0.7 + 0.21 * rows,
            )
        )
    return "".join(
        [
            *parts,
            front(found),
            f"<p class=note>The knee again:</p><pre>{escape(command(found.knee, source.lake.url))}</pre>",
        ]
    )


def scatter(axis: Axes, found: SweepResult) -> None:
    """The first two objectives as axes, the third as colour; the front large, what it beats small."""
    x, y, *third = found.goals
    _staircase(axis, found)
    values, drawn = found.values, None
    colour = (
        dict(
            c=values[:, 2],
            cmap="viridis" if found.goals[third[0]] == "max" else "viridis_r",
            vmin=values[:, 2].min(),
            vmax=values[:, 2].max(),
        )
        if third
        else {}
    )
    for marker, edge, size, label, belongs in (
        ("o", "white", 26, "beaten", lambda trial: trial not in found.front and not trial["point"]),
        (
            "o",
            INK,
            64,
            "Pareto front",
            lambda trial: trial in found.front and not trial["point"] and trial is not found.knee,
        ),
        ("D", INK, 64, "from the start", lambda trial: trial["point"] and trial is not found.knee),
        ("*", KNEE, 330, "knee", lambda trial: trial is found.knee),
    ):
        chosen = [i for i, trial in enumerate(found.full) if belongs(trial)]
        shown = colour | {"c": colour["c"][chosen]} if third else {}
        drawn = axis.scatter(
            *values[chosen, :2].T,
            s=size,
            marker=marker,
            edgecolors=edge,
            linewidths=1.2,
            label=label if chosen else None,
            zorder=3,
            **shown,
        )
    for trial, (left, up, *_) in zip(found.full, values):
        if word := trial["point"]:
            behind = dict(boxstyle="round,pad=0.15", facecolor="white", edgecolor="none", alpha=0.75)
            axis.annotate(
                word,
                (left, up),
                xytext=(8, 5),
                textcoords="offset points",
                fontsize=8.5,
                color=INK,
                bbox=behind,
                zorder=2.5,
            )
    if third:
        axis.figure.colorbar(
            drawn, ax=axis, pad=0.02, shrink=0.85, label=_told(found, third[0])
        ).outline.set_visible(False)
    axis.set(xlabel=_told(found, x), ylabel=_told(found, y))
    for goal, invert in ((found.goals[x], axis.invert_xaxis), (found.goals[y], axis.invert_yaxis)):
        if goal == "min":
            invert()
    axis.grid(color="#eceff2", linewidth=0.8)
    axis.set_axisbelow(True)
    legend = axis.legend(fontsize=8, loc="best", framealpha=0.9)
    for handle in legend.legend_handles:
        handle.set_sizes([38]) if hasattr(handle, "set_sizes") else None


def _staircase(axis: Axes, found: SweepResult) -> None:
    """What can be had of the first two objectives at once, whatever the others: the border of what the trials reached."""
    turned = oriented(found.values[:, :2], [*found.goals.values()][:2])
    corners = found.values[efficient(turned), :2]
    corners = corners[np.argsort(turned[efficient(turned), 0])]
    axis.step(*corners.T, where="pre", color=INK, linewidth=1, alpha=0.35, zorder=2)


def averages(axes: list[Axes], found: SweepResult, effects: list[tuple]) -> None:
    """One panel per objective; a line per value of every setting that has several, settings apart."""
    places, labels, breaks, previous = {}, [], [], None
    for setting, value, *_ in effects:
        if (setting, value) not in places:
            if previous not in (None, setting):
                breaks.append(len(places) - 0.5)
            places[setting, value] = len(places)
            labels.append(f"{setting}  {value}" if setting != previous else value)
            previous = setting
    for axis, name in zip(axes, found.goals):
        mine = [effect for effect in effects if effect[2] == name]
        heights = [places[effect[:2]] for effect in mine]
        axis.errorbar(
            [effect[3] for effect in mine],
            heights,
            xerr=[effect[4] or 0 for effect in mine],
            fmt="o",
            markersize=4.5,
            elinewidth=1.2,
        )
        axis.hlines(breaks, 0, 1, transform=axis.get_yaxis_transform(), color="#e3e6ea", linewidth=1)
        axis.set_yticks(range(len(labels)), labels if axis is axes[0] else [], fontsize=7.5)
        axis.tick_params(axis="y", length=0)
        axis.set_ylim(len(labels) - 0.5, -0.5)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.set_title(_told(found, name))
        axis.spines["left"].set_visible(False)


def front(found: SweepResult) -> str:
    header = ["", *(_told(found, name) for name in found.goals), "settings"]
    rows = [
        (
            "knee" if trial is found.knee else trial["point"] or "",
            *(f"{value:.3f}" for _, value in trial["objectives"]),
            ", ".join(f"{name} {value}" for name, value in trial["settings"]),
        )
        for trial in found.front
    ]
    return table(header, rows, numeric=len(header))


def _told(found: SweepResult, name: str) -> str:
    return f"{name} {ARROWS[found.goals[name]]}"
