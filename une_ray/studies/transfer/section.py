"""What of one space can be read in another, through one linear map?"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from une_ray.report.plots import svg
from une_ray.report.section import Section, Source, table
from une_ray.studies.probes.section import in_order

NOTE = (
    "Ridge regression from each space to each other, judged on test images by the target's own fixed probes. Most of the raw cosine is the target's "
    "mean: beside it stands that of predicting the mean for everyone; the centred cosine and R² are about the image. Shuffled: the same regression "
    "on mixed-up pairs. Drop: native less mapped accuracy of the target's probes, in percentage points, means over attributes; below zero the source "
    "tells them more than the target itself. Means over split seeds. Fidelity counts only as far as it beats that of the control spaces."
)
FIGURES = "cosine", "centred_cosine", "r2", "accuracy_native", "accuracy"

# Of several runs over one pair, the one with the most images.
QUERY = f"""
    SELECT source, target, map, {", ".join(f"avg({figure})" for figure in FIGURES)}
    FROM (SELECT * FROM transfers WHERE attribute IS NULL
        QUALIFY row_number() OVER (PARTITION BY source, target, map, split_seed ORDER BY train DESC, config) = 1)
    GROUP BY source, target, map"""


def section(source: Source) -> Section | None:
    found: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for a, b, name, *figures in source.rows(QUERY):
        found.setdefault((a, b), {})[name] = dict(zip(FIGURES, figures))
    if not found:
        return None
    spaces = in_order({space for pair in found for space in pair})
    order = sorted(found, key=lambda pair: [spaces.index(space) for space in pair])
    height = 1.5 + 0.42 * len({a for a, _ in found})
    picture = svg(lambda axes: draw(axes, found, spaces), panels=2, width=4.3, height=height)
    return Section("Transfer between spaces", NOTE, picture + numbers(found, order))


def drop(figures: dict[str, float]) -> float:
    """Percentage points."""
    return 100 * (figures["accuracy_native"] - figures["accuracy"])


def draw(
    axes: list[Axes], found: dict[tuple[str, str], dict[str, dict[str, float]]], spaces: list[str]
) -> None:
    """Source by target: centred cosine on the first axis, accuracy drop on the second."""
    rows, columns = (
        [space for space in spaces if any(pair[side] == space for pair in found)] for side in (0, 1)
    )
    cells = {pair: (rows.index(pair[0]), columns.index(pair[1])) for pair in found}
    reach = max(abs(drop(figures[name])) for figures in found.values() for name in ("ridge", "mean")) or 1.0
    panels = (
        (
            "centred cosine",
            lambda figures: figures["centred_cosine"],
            "{:.2f}",
            {"cmap": "Blues", "vmin": 0, "vmax": 1},
        ),
        (
            "accuracy drop, percentage points",
            drop,
            "{:+.1f}",
            {"cmap": "RdBu_r", "vmin": -reach, "vmax": reach},
        ),
    )
    for axis, (title, figure, form, scale) in zip(axes, panels):
        values = np.full((len(rows), len(columns)), np.nan)
        for pair, cell in cells.items():
            values[cell] = figure(found[pair]["ridge"])
        axis.imshow(values, aspect="auto", **scale)
        for row, column in cells.values():
            ink = "white" if abs(values[row, column]) > 0.6 * scale["vmax"] else "#22262d"
            axis.text(
                column, row, form.format(values[row, column]), ha="center", va="center", fontsize=8, color=ink
            )
        axis.set_xticks(range(len(columns)), columns, rotation=30, ha="right", rotation_mode="anchor")
        axis.set_yticks(range(len(rows)), rows if axis is axes[0] else [""] * len(rows))
        axis.set(xlabel="target", ylabel="source" if axis is axes[0] else "", title=title)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)


def numbers(found: dict[tuple[str, str], dict[str, dict[str, float]]], order: list[tuple[str, str]]) -> str:
    header = [
        "source",
        "target",
        "cosine",
        "of the mean",
        "centred",
        "shuffled",
        "R²",
        "native %",
        "mapped %",
        "drop",
        "mean's drop",
        "shuffled's drop",
    ]
    rows = []
    for pair in order:
        ridge, mean, shuffled = (found[pair][name] for name in ("ridge", "mean", "shuffled"))
        fidelity = [
            ridge["cosine"],
            mean["cosine"],
            ridge["centred_cosine"],
            shuffled["centred_cosine"],
            ridge["r2"],
        ]
        shares = [
            100 * ridge["accuracy_native"],
            100 * ridge["accuracy"],
            *map(drop, (ridge, mean, shuffled)),
        ]
        rows.append(
            (
                *pair,
                *("–" if value is None else f"{value:.3f}" for value in fidelity),
                *(f"{value:.2f}" for value in shares),
            )
        )
    return table(header, rows, numeric=2)
