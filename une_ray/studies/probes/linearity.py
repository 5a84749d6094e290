"""Which attributes are linear in which space, beside everything that could explain it away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from une_ray.lake.seen import left_out, seen_by_map, seen_splits
from une_ray.report.plots import svg
from une_ray.report.roles import Roles
from une_ray.report.section import Section, Source
from une_ray.report.tables import figure_or_dash, percent, table
from une_ray.report.theme import Colour

NOTE = (
    "Test AUC of a linear probe of every attribute in every space; a line is the range over split seeds. "
    "The controls are grey: a space counts for its model only as far as it beats them. The dotted line is "
    "chance; the small upright strokes are the same probes fitted on permuted labels. In the table, p ≤ "
    ".05: how many attributes beat those, mean over splits; – of fewer than 19 permutations, of which no p "
    "is as low. ± is half a 95 % interval for other images (Nadeau & Bengio 2003), of more splits than one."
)

# *The* probe of each space, attribute and split, where it was fitted and its test images are of both kinds.
MEASURED = "(SELECT * FROM best_probes WHERE status = 'ok' AND auc IS NOT NULL)"
BY_ATTRIBUTE = f"""SELECT attribute, space, avg(auc), min(auc), max(auc), avg(permuted_auc)
    FROM {MEASURED} GROUP BY attribute, space
    ORDER BY avg(avg(auc)) OVER (PARTITION BY attribute), attribute"""
PROBED = """SELECT space, list_sort(list(DISTINCT split_seed) FILTER (auc IS NOT NULL)),
        list_sort(list(DISTINCT split_seed))
    FROM best_probes WHERE status = 'ok' GROUP BY space ORDER BY space"""
BY_SPACE = f"""WITH levelled AS (
        SELECT *, auc - avg(auc) OVER of_attribute AS off, 1 / count(auc) OVER of_attribute AS weight,
            avg(test / train) OVER (PARTITION BY space) AS ratio
        FROM {MEASURED} WINDOW of_attribute AS (PARTITION BY space, attribute)),
    per_split AS (
        SELECT space, split_seed, any_value(method) AS method, count(*) AS attributes,
            sum(nz_beats_shuffled(p_value, permutations)) AS significant
        FROM levelled GROUP BY space, split_seed),
    splits AS (
        SELECT space, any_value(method) AS method, max(attributes) AS attributes, count(*) AS splits,
            avg(significant) AS significant
        FROM per_split GROUP BY space),
    means AS (
        SELECT space, attribute_mean(auc, weight) AS auc, attribute_mean(accuracy, weight) AS accuracy,
            attribute_mean(majority, weight) AS majority, attribute_mean(permuted_auc, weight) AS permuted,
            split_margin(off, weight, ratio, split_seed) AS margin
        FROM levelled GROUP BY space)
    SELECT space, method, attributes, splits, auc, margin, accuracy, majority, permuted, significant
    FROM splits JOIN means USING (space)"""


@dataclass(frozen=True)
class Aucs:
    """AUC of one attribute in one space over split seeds; `permuted` is None where no null was fitted."""

    mean: float
    low: float
    high: float
    permuted: float | None


@dataclass(frozen=True)
class SpaceFigures:
    """Means over attributes of one space; `margin` is half an interval of the AUC, None of a single split."""

    space: str
    method: str
    attributes: int
    splits: int
    auc: float
    margin: float | None
    accuracy: float | None
    majority: float | None
    permuted: float | None
    significant: float | None


Figures = dict[tuple[str, str], Aucs]
"""(attribute, space) → its AUCs."""


def section(source: Source) -> Section | None:
    rows = source.rows(BY_ATTRIBUTE)
    remarks = [f"{remark}." for row in source.rows(PROBED) for remark in _seen(source, *row)]
    if not rows:
        return Section("Linear probes", " ".join(remarks), "", "") if remarks else None
    figures = {(attribute, space): Aucs(*aucs) for attribute, space, *aucs in rows}
    spaces = source.roles.in_order(space for _, space in figures)
    attributes = ranked(figures, source.roles.models(spaces) or spaces)
    height = 1.0 + (0.14 + 0.03 * len(spaces)) * len(attributes)
    picture = svg(
        lambda axes: draw(axes[0], attributes, spaces, figures, source.roles), width=8.6, height=height
    )
    of_spaces = [SpaceFigures(*row) for row in source.rows(BY_SPACE)]
    of_spaces.sort(key=lambda row: spaces.index(row.space))
    note = " ".join([NOTE, *remarks])
    return Section(
        "Linear probes", note, picture + numbers(of_spaces, source.roles), summary(of_spaces, source.roles)
    )


def _seen(source: Source, space: str, measured: list[int] | None, probed: list[int]) -> Iterator[str]:
    """What there is to say of splits whose test images a map behind the space has seen."""
    if said := seen_by_map(source.lake, space, measured) if measured else "":
        is_known = seen_splits(source.lake, space, probed) is not None
        yield said + (" (une probe leaves them out when it is asked again)" if is_known else "")
    elif seen_splits(source.lake, space, probed):
        yield left_out(source.lake, space, probed)


def ranked(figures: Figures, spaces: Sequence[str]) -> list[str]:
    """Attributes by their mean AUC over `spaces`; the best last."""
    aucs: dict[str, list[float]] = {attribute: [] for attribute, _ in figures}
    for (attribute, space), of_probe in figures.items():
        if space in spaces:
            aucs[attribute].append(of_probe.mean)
    return sorted(aucs, key=lambda attribute: (np.mean(aucs[attribute] or [0.0]), attribute))


def draw(axis: Axes, attributes: list[str], spaces: list[str], figures: Figures, roles: Roles) -> None:
    """A line per attribute, on which every space has a dot, its range, and a stroke for its permuted
    labels."""
    lines, across = range(len(attributes)), axis.get_yaxis_transform()
    axis.hlines(lines, 0, 1, color=Colour.LINE, linewidth=0.6, transform=across, zorder=0)
    axis.axvline(0.5, color=Colour.RULE, linewidth=1, linestyle=":")
    for i, (space, look) in enumerate(roles.looks(spaces).items()):
        offset = 0.7 * ((len(spaces) - 1) / 2 - i) / len(spaces)
        heights = [y + offset for y, attribute in enumerate(attributes) if (attribute, space) in figures]
        aucs = [figures[attribute, space] for attribute in attributes if (attribute, space) in figures]
        axis.hlines(
            heights, [auc.low for auc in aucs], [auc.high for auc in aucs], color=look.colour, linewidth=1.2
        )
        axis.plot(
            [auc.mean for auc in aucs],
            heights,
            linestyle="",
            marker=look.marker,
            color=look.colour,
            markersize=4.5,
            markeredgewidth=0,
            label=space,
            zorder=1 if roles.is_control(space) else 2,
        )
        permuted = [np.nan if auc.permuted is None else auc.permuted for auc in aucs]
        axis.plot(permuted, heights, "|", color=Colour.FAINT, markersize=3.5, zorder=0)
    axis.set_yticks(lines, attributes)
    axis.set(xlabel="test AUC", ylim=(-0.6, len(attributes) - 0.4))
    columns = min(4, len(spaces))
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=columns, fontsize=8, handletextpad=0.2)


def numbers(rows: list[SpaceFigures], roles: Roles) -> str:
    """Means over attributes per space: AUC with half its interval, accuracy beside the majority class, the
    null."""
    header = ["space", "method", "attributes", "mean AUC", "±", "accuracy %", "majority %"]
    header += ["permuted AUC", "p ≤ .05"]
    lines = [
        (
            roles.label(row.space),
            row.method,
            row.attributes,
            f"{row.auc:.3f}",
            figure_or_dash(row.margin, ".3f") if row.splits > 1 else "one split",
            percent(row.accuracy),
            percent(row.majority),
            figure_or_dash(row.permuted, ".3f"),
            "–" if row.significant is None else f"{row.significant:.3g} of {row.attributes}",
        )
        for row in rows
    ]
    return table(header, lines, numeric=2)


def summary(rows: list[SpaceFigures], roles: Roles) -> str:
    """The model's space where attributes are most linear, beside those whose intervals overlap with its own,
    the best control, permuted labels and the majority class."""
    models = [row for row in rows if not roles.is_control(row.space)]
    controls = [row for row in rows if roles.is_control(row.space)]
    best = max(models or rows, key=lambda row: row.auc)
    beside = [f"permuted labels {best.permuted:.3f}"] if best.permuted is not None else []
    if models and controls:
        control = max(controls, key=lambda row: row.auc)
        beside.insert(0, f"best control {control.space} {control.auc:.3f}")
    text = (
        f"Attributes are most linear in {roles.label(best.space)}: mean AUC {_interval(best)} of"
        f" {best.attributes}"
    )
    low = best.auc - (best.margin or 0.0)
    close = [row for row in rows if row is not best and row.auc + (row.margin or 0.0) >= low]
    if beside:
        text += f" ({', '.join(beside)})"
    if best.accuracy is not None and best.majority is not None:
        text += (
            f", accuracy {percent(best.accuracy)} % where the majority class has {percent(best.majority)} %"
        )
    if close:
        shown = ", ".join(f"{roles.label(row.space)} {_interval(row)}" for row in close)
        text += f"; no clearer than {shown}"
    return f"{text}."


def _interval(row: SpaceFigures) -> str:
    """An AUC, and half its interval where there is one."""
    return f"{row.auc:.3f} (one split)" if row.margin is None else f"{row.auc:.3f} ± {row.margin:.3f}"
