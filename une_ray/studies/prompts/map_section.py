"""A map of prompts, in the report, and how their clusters agree with categories."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import figure_or_dash, table
from une_ray.report.theme import SERIES
from une_ray.studies.prompts.lines import short as brief

MARKERS = "os^Dv<>Pp*XHhd"
NOTE = (
    "Directions of prompts in two dimensions (t-SNE), coloured by the category that people put them in."
    " Clusters are k-means', as many as categories; a mutual information counts only beyond that of shuffled"
    " categories. Brackets: what random halves of the seeds give, 95 in 100. The map may be trusted as far as"
    " its trustworthiness says: 1 keeps all neighbours."
)


def map_section(source: Source) -> Section | None:
    """A map per space, and how its clusters agree with categories."""
    source.define("prompts.sql")
    rows = source.sql.sql("FROM map_of_prompts").to_arrow_table().to_pylist()
    if not rows:
        return None
    asked: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        asked.setdefault((row["space"], row["categories"]), []).append(row)
    parts = [f"<h3>{escape(space)}</h3>{_map(mine)}" for (space, _), mine in asked.items()]
    return Section("A map of prompts", NOTE, _cluster_scores(source) + "".join(parts))


def _map(rows: Sequence[dict[str, Any]]) -> str:
    return svg(lambda axes: draw_map(axes[0], rows), width=9.5, height=6)


def draw_map(axis: Axes, rows: Sequence[dict[str, Any]]) -> None:
    """Prompts at their places, a colour and a marker per category."""
    names = sorted({row["category"] for row in rows})
    words = short([row["prompt"] for row in rows])
    for number, name in enumerate(names):
        colour, marker = SERIES[number % len(SERIES)], MARKERS[number % len(MARKERS)]
        mine = [(row, word) for row, word in zip(rows, words) if row["category"] == name]
        x, y = ([row[key] for row, _ in mine] for key in ("x", "y"))
        axis.scatter(x, y, color=colour, marker=marker, s=22, label=name)
        for row, word in mine:
            axis.annotate(
                word, (row["x"], row["y"]), (3, 3), textcoords="offset points", fontsize=7, color=colour
            )
    axis.set_xticks([])
    axis.set_yticks([])
    axis.margins(0.08)
    axis.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))


def short(prompts: Sequence[str]) -> list[str]:
    """Prompts without what most of them begin with: "a person with a hat" is "a hat"."""
    starts = ("a person with ", "a person wearing ", "a person in ", "a person ")
    return [
        brief(next((text.removeprefix(s) for s in starts if text.startswith(s)), text)) for text in prompts
    ]


def _cluster_scores(source: Source) -> str:
    rows = source.sql.sql("FROM cluster_scores").to_arrow_table().to_pylist()
    lines = [
        (
            row["space"],
            row["categories"],
            row["measure"],
            f"{row['prompts']} in {row['clusters']}",
            f"{row['value']:.2f}" + ("" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"),
            f"{row['shuffled']:.2f}",
            f"{row['p']:.3f}",
            figure_or_dash(row["halves"], ".2f"),
            f"{row['trust']:.2f} ({row['trust_of_components']:.2f})",
        )
        for row in rows
    ]
    header = (
        "space",
        "categories",
        "",
        "prompts",
        "agreement",
        "shuffled reach",
        "p",
        "halves, ARI",
        "trust (PCA)",
    )
    return table(header, lines, numeric=4)
