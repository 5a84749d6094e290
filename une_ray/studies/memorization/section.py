"""Who copies, and what stops it: dose–response, every method for memorised and ordinary prompts, detectors,
and where attention goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import figure_or_dash, percent, table, within
from une_ray.report.theme import Colour
from une_ray.studies.memorization.strips import label, strips

ORDER = 100
NOTE = (
    "Pictures of titles that were trained on many times over, and of ordinary captions. A copy is more "
    "similar to its training picture than all but one in twenty pictures of the same description are. A "
    "title is memorised where most of its plain pictures of even seeds are copies, and its others are told "
    "of: those that chose it are copies by choice. A mitigation should move its "
    "similarity to the left and leave the alignment of ordinary prompts, as a model sees it that the "
    "generator never saw, where it was. Distance to real pictures is Mahalanobis' in mini-dino's space, "
    "less is better. Lines, bands, ± and brackets: 95 % intervals over prompts, those of shares exact."
)
SAME = (
    "The pictures that say which titles are memorised are also those that are compared, so that plain ones "
    "are copies too often, and what methods take from them is too much; two seeds or more are told apart."
)
OF = "WHERE (model, steps, guidance_scale) = (?, ?, ?)"
GROUPS = ("memorised", "titled", "ordinary")
METHODS = f"""SELECT "group", method, settings, prompts, similarity, "±", copies, copies_from, copies_to,
        similarity_unmitigated, alignment, "± alignment", diversity, distance_to_real, "± distance", seconds,
        peak_mb, chosen_apart
    FROM methods {OF} ORDER BY list_position(['memorised', 'titled', 'ordinary'], "group"), similarity DESC"""
DOSES = f"""SELECT dose, copies, copies_from, copies_to
    FROM dose_response {OF} AND kind = 'duplicated' ORDER BY dose"""
ABLATIONS = f"""SELECT ablation, padding, how, prompts, similarity, "±", copies, copies_from, copies_to,
        similarity_unmitigated, alignment, "± alignment"
    FROM ablations {OF}"""
DETECTORS = f"""SELECT detector, auc, auc_from, auc_to, tpr_at_1_percent_fpr, tpr_from, tpr_to,
        memorised, others
    FROM detectors {OF}"""
ATTENTION = f"""SELECT tokens, list(step ORDER BY step), list(mass ORDER BY step),
        list(coalesce("±", 0) ORDER BY step)
    FROM attention_by_step {OF} AND "group" = ?
    GROUP BY tokens ORDER BY list_position(['sot', 'prompt', 'eot', 'pad'], tokens)"""

MARKERS, COLOURS = {"memorised": "o", "ordinary": "s"}, {"memorised": Colour.BLUE, "ordinary": Colour.ORANGE}

Study = tuple[str, int, float]
"""(model, steps, guidance scale)"""


@dataclass(frozen=True)
class MethodFigures:
    """One method on one group of prompts, as the view `methods` has it; ± are half 95 % intervals over
    prompts. `chosen_apart`: other pictures chose the titles, None where nothing did."""

    group: str
    method: str
    settings: str
    prompts: int
    similarity: float | None
    similarity_half: float | None
    copies: float | None
    copies_from: float | None
    copies_to: float | None
    to_plain: float | None
    alignment: float | None
    alignment_half: float | None
    diversity: float | None
    distance_to_real: float | None
    distance_half: float | None
    seconds: float | None
    peak_mb: float | None
    chosen_apart: bool | None

    @property
    def name(self) -> str:
        return label(self.method, self.settings)


def section(source: Source) -> Section | None:
    source.define("memorization.sql")
    studies: list[Any] = source.rows("SELECT DISTINCT model, steps, guidance_scale FROM methods ORDER BY ALL")
    if not studies:
        return None
    methods = {study: [MethodFigures(*row) for row in source.rows(METHODS, *study)] for study in studies}
    parts = [_study(source, study, figures) for study, figures in methods.items()]
    return Section("Memorisation", NOTE, "".join(parts), summary(methods))


def _study(source: Source, study: Study, methods: list[MethodFigures]) -> str:
    model, steps, guidance_scale = study
    doses, ablations, detectors = (source.rows(query, *study) for query in (DOSES, ABLATIONS, DETECTORS))
    attended = {group: source.rows(ATTENTION, *study, group) for group in GROUPS}
    attended = {group: rows for group, rows in attended.items() if rows}
    height = 1.6 + 0.17 * len({figures.name for figures in methods})
    groups = {group: [figures for figures in methods if figures.group == group] for group in GROUPS}
    return "".join(
        (
            f"<h3>{escape(model)} · {steps} steps · guidance {guidance_scale:g}</h3>",
            f"<p class=note>{SAME}</p>" if any(of.chosen_apart is False for of in methods) else "",
            svg(lambda axes: draw(axes, doses, methods), panels=3, width=3.6, height=height),
            strips(source, study),
            *(f"<h3>{group} prompts</h3>{_methods(rows)}" for group, rows in groups.items() if rows),
            "<h3>ablations of memorised prompts</h3>",
            _ablations(ablations),
            "<h3>detectors, one picture each</h3>",
            _detectors(detectors),
            "<h3>where the conditional branch looks, step by step</h3>",
            svg(
                lambda axes: attention(axes, attended),
                panels=len(attended),
                width=10.5 / len(attended),
                height=2.6,
            ),
        )
    )


def summary(methods: dict[Study, list[MethodFigures]]) -> str:
    """How many plain pictures of memorised prompts are copies, beside those of ordinary ones, and the
    method that leaves fewest."""
    (model, _, _), figures = max(methods.items(), key=lambda item: len(item[1]))
    plain = {of.group: of for of in figures if of.method == "none"}
    memorised, ordinary = plain.get("memorised"), plain.get("ordinary")
    if memorised is None or memorised.copies is None:
        return f"No prompt of {model} is memorised: of none are most plain pictures copies."
    text = (
        f"{_copies(memorised)} of {model}'s plain pictures of {memorised.prompts} "
        "memorised prompts are copies"
    )
    if ordinary is not None and ordinary.copies is not None:
        text += f", of {ordinary.prompts} ordinary ones {_copies(ordinary)}"
    mitigated = [
        of
        for of in figures
        if of.group == "memorised"
        and of.copies is not None
        and of.method != "none"
        and not of.method.startswith("ablation")
    ]
    if mitigated:
        best = min(mitigated, key=lambda of: (of.copies, of.similarity or 0.0))
        text += f"; {best.name} leaves {_copies(best)}"
    return f"{text}."


def _copies(figures: MethodFigures) -> str:
    """`93 % (76 to 99)`: the share of pictures that are copies, with its interval over prompts."""
    low, high = (percent(bound, 0) for bound in (figures.copies_from, figures.copies_to))
    return f"{percent(figures.copies, 0)} % ({low} to {high})"


def _between(copies: float | None, low: float | None, high: float | None) -> str:
    return figure_or_dash(copies) if low is None else f"{copies} ({low} to {high})"


def _methods(rows: Sequence[MethodFigures]) -> str:
    header = ["method", "n", "similarity", "copies", "to plain", "alignment", "diversity", "distance to real"]
    lines = [
        (
            row.name,
            row.prompts,
            within(row.similarity, row.similarity_half),
            _between(row.copies, row.copies_from, row.copies_to),
            figure_or_dash(row.to_plain),
            within(row.alignment, row.alignment_half),
            figure_or_dash(row.diversity),
            within(row.distance_to_real, row.distance_half),
            figure_or_dash(row.seconds),
            figure_or_dash(row.peak_mb),
        )
        for row in rows
    ]
    return table([*header, "s", "MB"], lines)


def _ablations(rows: Sequence[tuple[Any, ...]]) -> str:
    header = ["ablation", "padding", "by", "n", "similarity", "copies", "to plain", "alignment"]
    lines = []
    for ablation, padding, how, prompts, *figures in rows:
        similarity, half, copies, low, high, to_plain, alignment, alignment_half = figures
        shares = within(similarity, half), _between(copies, low, high), figure_or_dash(to_plain)
        lines.append(
            (ablation, padding, figure_or_dash(how), prompts, *shares, within(alignment, alignment_half))
        )
    return table(header, lines, numeric=3)


def _detectors(rows: Sequence[tuple[Any, ...]]) -> str:
    header = ["detector", "AUC", "TPR at 1 % FPR", "memorised", "others"]
    lines = [
        (name, f"{auc} ({auc_from} – {auc_to})", f"{tpr} ({tpr_from} – {tpr_to})", memorised, others)
        for name, auc, auc_from, auc_to, tpr, tpr_from, tpr_to, memorised, others in rows
    ]
    return table(header, lines)


def draw(axes: list[Axes], doses: Sequence[tuple[Any, ...]], methods: Sequence[MethodFigures]) -> None:
    """Share of copies by dose; of every method similarity to the training picture, and what ordinary
    prompts' pictures have of their prompt."""
    _dose_response(axes[0], doses)
    names = list(dict.fromkeys(figures.name for figures in methods))
    # Prompts of one's own have no training picture.
    similar = [
        (of.group, names.index(of.name), of.similarity, of.similarity_half or 0.0)
        for of in methods
        if of.similarity is not None
    ]
    _by_method(axes[1], similar, ("memorised", "ordinary"))
    axes[1].set_yticks(range(len(names)), names, fontsize=7)
    axes[1].set(xlabel="similarity to the training picture", ylim=(len(names) - 0.4, -0.6))
    axes[1].legend(fontsize=7.5)
    aligned = [
        (of.group, names.index(of.name), of.alignment, of.alignment_half or 0.0)
        for of in methods
        if of.alignment is not None
    ]
    _by_method(axes[2], aligned, ("ordinary",))
    axes[2].set_yticks(range(len(names)), [])
    axes[2].set(xlabel="alignment of ordinary prompts", ylim=(len(names) - 0.4, -0.6))


def _dose_response(axis: Axes, doses: Sequence[tuple[Any, ...]]) -> None:
    axis.errorbar(
        [str(dose) for dose, *_ in doses],
        [100 * copies for _, copies, _, _ in doses],
        yerr=[
            [100 * max(copies - low, 0) for _, copies, low, _ in doses],
            [100 * max(high - copies, 0) for _, copies, _, high in doses],
        ],
        fmt="o-",
        capsize=2,
    )
    axis.set(xlabel="times in the training set", ylabel="% of plain pictures that are copies", ylim=(-8, 108))


def _by_method(axis: Axes, points: Sequence[tuple[str, int, float, float]], groups: Sequence[str]) -> None:
    """A mark with its interval for each (group, height, value, half)."""
    for group in groups:
        of_group = [point for point in points if point[0] == group]
        axis.errorbar(
            [value for _, _, value, _ in of_group],
            [height for _, height, _, _ in of_group],
            xerr=[half for _, _, _, half in of_group],
            fmt=MARKERS[group],
            color=COLOURS[group],
            label=group,
            capsize=2,
            markersize=3.5,
        )


def attention(axes: list[Axes], groups: dict[str, list[tuple[Any, ...]]]) -> None:
    """A panel for each group of prompts, a line for each class of tokens."""
    for axis, (group, rows) in zip(axes, groups.items(), strict=True):
        for tokens, steps, masses, halves in rows:
            (line,) = axis.plot(steps, masses, label=tokens)
            low, high = zip(*((mass - half, mass + half) for mass, half in zip(masses, halves)))
            axis.fill_between(steps, low, high, color=line.get_color(), alpha=0.18, linewidth=0)
        axis.set(title=f"{group} prompts", xlabel="step, from noise on", ylim=(0, 1))
    axes[0].set(ylabel="cross-attention")
    axes[0].legend(fontsize=7.5)
