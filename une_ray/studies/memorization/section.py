"""Who copies, and what stops it: dose–response, every method for memorised and ordinary prompts, detectors, and where attention goes."""

from __future__ import annotations

from html import escape

from matplotlib.axes import Axes

from une_ray.lake.session import QUERIES
from une_ray.report.plots import svg
from une_ray.report.section import Section, Source, table
from une_ray.studies.memorization.strips import label, strips

NOTE = (
    "Pictures of titles that were trained on many times over, and of ordinary captions. A copy is as similar to its training picture as a slightly "
    "changed picture is to itself. A title is memorised where most of its plain pictures are copies; a mitigation should move its similarity to the "
    "left and leave the alignment of ordinary prompts, as a model sees it that the generator never saw, where it was. Distance to real pictures is "
    "Mahalanobis' in mini-dino's space, less is better. Lines, bands and ±: 95 % intervals over prompts."
)
OF = "WHERE (model, steps, guidance_scale) = (?, ?, ?)"
GROUPS = ("memorised", "titled", "ordinary")
METHODS = f"""SELECT "group", method, settings, prompts, similarity, "±", copies, "± copies", similarity_unmitigated, alignment, "± alignment", diversity,
    distance_to_real, "± distance", seconds, peak_mb
    FROM methods {OF} ORDER BY list_position(['memorised', 'titled', 'ordinary'], "group"), similarity DESC"""
DOSES = f"""SELECT dose, copies, "± copies" FROM dose_response {OF} AND kind = 'duplicated' ORDER BY dose"""
ABLATIONS = f"""SELECT ablation, padding, how, prompts, similarity, "±", copies, "± copies", similarity_unmitigated, alignment, "± alignment"
    FROM ablations {OF}"""
DETECTORS = f"""SELECT detector, auc, auc_from, auc_to, tpr_at_1_percent_fpr, tpr_from, tpr_to, memorised, others FROM detectors {OF}"""
ATTENTION = f"""SELECT tokens, list(step ORDER BY step), list(mass ORDER BY step), list(coalesce("±", 0) ORDER BY step)
    FROM attention_by_step {OF} AND "group" = ? GROUP BY tokens ORDER BY list_position(['sot', 'prompt', 'eot', 'pad'], tokens)"""


MARKERS, COLOURS = {"memorised": "o", "ordinary": "s"}, {"memorised": "#3b6fb6", "ordinary": "#d1603d"}


def section(source: Source) -> Section | None:
    for statement in source.sql.extract_statements((QUERIES / "memorization.sql").read_text()):
        if statement.type.name == "CREATE":
            source.sql.execute(statement.query)
    studies = source.rows("SELECT DISTINCT model, steps, guidance_scale FROM methods ORDER BY ALL")
    return (
        Section("Memorisation", NOTE, "".join(_study(source, study) for study in studies))
        if studies
        else None
    )


def _study(source: Source, study: tuple) -> str:
    model, steps, guidance_scale = study
    methods, doses, ablations, found = (
        source.rows(query, *study) for query in (METHODS, DOSES, ABLATIONS, DETECTORS)
    )
    attended = {group: rows for group in GROUPS if (rows := source.rows(ATTENTION, *study, group))}
    return "".join(
        (
            f"<h3>{escape(model)} · {steps} steps · guidance {guidance_scale:g}</h3>",
            svg(
                lambda axes: draw(axes, doses, methods),
                panels=3,
                width=3.6,
                height=1.6 + 0.17 * len({row[1:3] for row in methods}),
            ),
            strips(source, study),
            *(
                f"<h3>{group} prompts</h3>{_methods(rows)}"
                for group in GROUPS
                if (rows := [row for row in methods if row[0] == group])
            ),
            "<h3>ablations of memorised prompts</h3>",
            _ablations(ablations),
            "<h3>detectors, one picture each</h3>",
            _detectors(found),
            "<h3>where the conditional branch looks, step by step</h3>",
            svg(
                lambda axes: attention(axes, attended),
                panels=len(attended),
                width=10.5 / len(attended),
                height=2.6,
            ),
        )
    )


def _methods(rows: list[tuple]) -> str:
    header = [
        "method",
        "n",
        "similarity",
        "copies",
        "to plain",
        "alignment",
        "diversity",
        "distance to real",
        "s",
        "MB",
    ]
    return table(
        header,
        [
            (
                label(method, settings),
                n,
                _within(*row[:2]),
                _within(*row[2:4]),
                row[4],
                _within(*row[5:7]),
                _told(row[7]),
                _within(*row[8:10]),
                *row[10:],
            )
            for _, method, settings, n, *row in rows
        ],
    )


def _ablations(rows: list[tuple]) -> str:
    header = ["ablation", "padding", "by", "n", "similarity", "copies", "to plain", "alignment"]
    told = [
        (*row[:2], _told(row[2]), row[3], _within(*row[4:6]), _within(*row[6:8]), row[8], _within(*row[9:]))
        for row in rows
    ]
    return table(header, told, numeric=3)


def _detectors(rows: list[tuple]) -> str:
    header = ["detector", "AUC", "TPR at 1 % FPR", "memorised", "others"]
    return table(
        header,
        [(name, f"{auc} ({a} – {b})", f"{tpr} ({c} – {d})", *n) for name, auc, a, b, tpr, c, d, *n in rows],
    )


def _within(value: float | None, half: float | None) -> str:
    return _told(value) if half is None else f"{value} ± {half}"


def _told(value) -> str:
    return "–" if value is None else str(value)


def draw(axes: list[Axes], doses: list[tuple], methods: list[tuple]) -> None:
    """Share of copies by dose; of every method similarity to the training picture, and what ordinary prompts' pictures have of their prompt."""
    heights = [100 * copies for _, copies, _ in doses]
    axes[0].errorbar(
        [str(dose) for dose, *_ in doses],
        heights,
        yerr=[100 * (half or 0) for *_, half in doses],
        fmt="o-",
        capsize=2,
    )
    axes[0].set(
        xlabel="times in the training set", ylabel="% of plain pictures that are copies", ylim=(-8, 108)
    )
    names = list(dict.fromkeys(label(*row[1:3]) for row in methods))
    for axis, column, groups, what in (
        (axes[1], 4, ("memorised", "ordinary"), "similarity to the training picture"),
        (axes[2], 9, ("ordinary",), "alignment of ordinary prompts"),
    ):
        for group in groups:
            rows = [
                row for row in methods if row[0] == group and row[column] is not None
            ]  # prompts of one's own have no training picture
            places, halves = (
                [names.index(label(*row[1:3])) for row in rows],
                [row[column + 1] or 0 for row in rows],
            )
            axis.errorbar(
                [row[column] for row in rows],
                places,
                xerr=halves,
                fmt=MARKERS[group],
                color=COLOURS[group],
                label=group,
                capsize=2,
                markersize=3.5,
            )
        axis.set_yticks(range(len(names)), names if axis is axes[1] else [], fontsize=7)
        axis.set(xlabel=what, ylim=(len(names) - 0.4, -0.6))
    axes[1].legend(fontsize=7.5)


def attention(axes: list[Axes], groups: dict[str, list[tuple]]) -> None:
    """A panel for each group of prompts, a line for each class of tokens."""
    for axis, (group, rows) in zip(axes, groups.items(), strict=True):
        for tokens, steps, masses, halves in rows:
            (line,) = axis.plot(steps, masses, label=tokens)
            low, high = zip(*((mass - half, mass + half) for mass, half in zip(masses, halves)))
            axis.fill_between(steps, low, high, color=line.get_color(), alpha=0.18, linewidth=0)
        axis.set(title=f"{group} prompts", xlabel="step, from noise on", ylim=(0, 1))
    axes[0].set(ylabel="cross-attention")
    axes[0].legend(fontsize=7.5)
