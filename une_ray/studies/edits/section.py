"""What do edits along a probe's direction do, to the target and to the rest, in the eyes of judges that did not make them?"""

from __future__ import annotations

import io
from html import escape
from itertools import groupby

import duckdb
import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from une_ray.report.pictures import figure
from une_ray.report.plots import svg
from une_ray.report.section import Section, Source, table
from une_ray.studies.edits.outcome import Outcome, outcomes, removed, three_digits

IMAGES, SIDE = 4, 54
LEAST_EFFECT = 0.05  # below it, leakage per effect is noise over noise
COLOURS = {
    "probe": "#3b6fb6",
    "orthogonalised": "#d1603d",
    "query": "#c9a227",
    "mean-difference": "#4d9a6a",
    "prompt": "#8f5fb0",
    "random": "#a3a8b0",
    "permuted": "#5b616b",
}
NOTE = (
    "Strips: the original in the middle, edited along the attribute's direction to both sides; α counts standard deviations of its score in the edited "
    "space. Everything else is measured in another space than the edited one. Heat map: what one α does to every judged attribute, in standard "
    "deviations of its score; the target stands first, beyond the colours' end, and kept attributes are marked with °. Lines: the target's change and, dashed, leakage, the root mean "
    "square change of the others; beside them how like the original the picture stays, whose value at α = 0 is the round trip's own."
)


def section(source: Source) -> Section | None:
    studies: dict[tuple, list[Outcome]] = {}
    for outcome in outcomes(source.sql):
        studies.setdefault(
            (outcome.space, outcome.attribute, outcome.method, outcome.inner_product), []
        ).append(outcome)
    parts = [_study(source, key, found) for key, found in sorted(studies.items())]
    return Section("Edits", NOTE, "".join(parts)) if parts else None


def _study(source: Source, key: tuple, found: list[Outcome]) -> str:
    space, attribute, method, inner_product = key
    first = [outcome for outcome in found if outcome.judge == found[0].judge]
    shown = [outcome for outcome in first if outcome.direction in ("probe", "orthogonalised")] or first[:1]
    parts = [
        f"<h3>{escape(space)} · {escape(attribute)} ({escape(method)}, {escape(inner_product)} inner product)</h3>",
        strips(source, shown),
    ]
    for judge, group in groupby(found, key=lambda outcome: outcome.judge):
        judged = list(group)
        parts.append(f"<p class=note>Judged in {escape(judge)}, {len(judged[0].images)} images.</p>")
        parts.append(
            svg(lambda axes, judged=judged: heat(axes[0], judged), width=8.6, height=2.4 + 0.24 * len(judged))
        )
        parts.append(svg(lambda axes, judged=judged: curves(axes, judged), panels=2, width=4.3, height=2.7))
        parts.append(numbers(judged) + said(source.sql, judged))
    return "".join(parts)


def name(outcome: Outcome) -> str:
    return f"keeping {', '.join(outcome.keep)}" if outcome.keep else outcome.direction


def strips(source: Source, shown: list[Outcome]) -> str:
    """A row per image; in it one strip per edit, side by side."""
    head = "".join(f"<th>{escape(name(outcome))}</th>" for outcome in shown)
    rows = []
    for image_id in examples(shown[0]):
        cells = (
            f"<td><div class=grid style='flex-wrap:nowrap;gap:2px'>{strip(source, outcome, image_id)}</div></td>"
            for outcome in shown
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div class=scroll><table><tr>{head}</tr>{''.join(rows)}</table></div>"


def examples(outcome: Outcome) -> list[str]:
    """Images on both sides of the judge's boundary, as many of either where there are: the first of each in the edit's order."""
    sees = outcome.before[:, outcome.target] > 0
    without, those = (
        [image_id for image_id, side in zip(outcome.images, sees) if side == wanted]
        for wanted in (False, True)
    )
    few = min(len(those), IMAGES // 2)
    chosen = without[: IMAGES - few]
    return chosen + those[: IMAGES - len(chosen)]


def strip(source: Source, outcome: Outcome, image_id: str) -> str:
    row = outcome.images.index(image_id)
    figures = []
    for alpha, picture, off in zip(outcome.alphas, outcome.pictures[row], outcome.off_data[row]):
        if alpha == 0:
            figures.append(figure(source.picture(image_id), "original", image_id, SIDE))
        else:
            image = Image.open(io.BytesIO(source.lake.store.read(picture)))
            figures.append(
                figure(
                    image,
                    f"{alpha:+g}" + ("*" if off else ""),
                    f"{image_id}, α = {alpha:+g}" + (", off the data" if off else ""),
                    SIDE,
                )
            )
    return "".join(figures)


def heat(axis: Axes, judged: list[Outcome]) -> None:
    """Directions by judged attributes: mean slopes; the target first, the others by what the first direction does to them."""
    first = judged[0]
    means = np.array([outcome.slopes.mean(0) for outcome in judged])
    others = [i for i in np.argsort(-np.abs(means[0]), kind="stable") if i != first.target]
    order = [first.target, *others]
    kept = {attribute for outcome in judged for attribute in outcome.keep}
    reach = np.abs(means[:, others]).max()  # the target's own change would drown the rest
    image = axis.imshow(means[:, order], cmap="RdBu_r", vmin=-reach, vmax=reach, aspect="auto")
    labels = [first.attributes[i] + ("°" if first.attributes[i] in kept else "") for i in order]
    axis.set_xticks(range(len(order)), labels, rotation=60, ha="right", rotation_mode="anchor", fontsize=7.5)
    axis.set_yticks(range(len(judged)), [name(outcome) for outcome in judged])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.axvline(0.5, color="white", linewidth=3)
    axis.figure.colorbar(image, ax=axis, shrink=0.9, pad=0.01).outline.set_visible(False)


def curves(axes: list[Axes], judged: list[Outcome]) -> None:
    """Dose and response on the first axis, identity on the second."""
    for outcome in judged:
        colour, mean = COLOURS[outcome.direction], outcome.changes.mean(0)
        leaked = np.sqrt(np.square(np.delete(mean, outcome.target, axis=0)).mean(0))
        axes[0].plot(outcome.alphas, mean[outcome.target], ".-", color=colour, label=name(outcome))
        axes[0].plot(outcome.alphas, leaked, "--", color=colour, linewidth=1)
        axes[1].plot(outcome.alphas, outcome.identity.mean(0), ".-", color=colour)
    axes[0].axhline(0, color="#e3e6ea", linewidth=1, zorder=0)
    axes[0].set(xlabel="α", ylabel="change, std", title=f"{judged[0].attribute}; dashed: leakage")
    axes[0].legend(fontsize=7.5)
    axes[1].set(xlabel="α", ylabel="cosine to the original", title="Identity")


def numbers(judged: list[Outcome]) -> str:
    header = [
        "direction",
        "effect",
        "flips −",
        "flips +",
        "leakage",
        "per effect",
        "kept",
        "order",
        "identity −",
        "0",
        "+",
        "Fréchet −",
        "0",
        "+",
        "off data",
    ]
    rows = []
    for outcome in judged:
        row = outcome.summary()
        effect = abs(row["effect"])
        flips = ["–" if share != share else f"{100 * share:.0f} %" for share in row["flips"]]
        identity, quality = (
            [row[key][0], row["round_trip"][i], row[key][1]] for i, key in enumerate(("identity", "quality"))
        )
        rows.append(
            (
                name(outcome),
                f"{row['effect']:.2f}",
                *flips,
                f"{row['leakage']:.3f}",
                f"{row['leakage'] / effect:.2f}" if effect >= LEAST_EFFECT else "–",
                "–" if row["kept"] is None else f"{row['kept']:.3f}",
                f"{row['order']:.2f}",
                *(f"{value:.3f}" for value in identity),
                *map(three_digits, quality),
                f"{100 * outcome.off_data.mean():.0f} %",
            )
        )
    return table(header, rows)


def said(sql: duckdb.DuckDBPyConnection, judged: list[Outcome]) -> str:
    """How much of the leakage that the corpus' own correlations predict each orthogonalisation took away."""
    plain, lines = next((outcome for outcome in judged if outcome.direction == "probe"), None), []
    for outcome in judged:
        if plain and outcome.direction == "orthogonalised" and (share := removed(sql, plain, outcome)):
            lines.append(
                f"<p class=note>Of the leakage that the labels' correlation predicts, {escape(name(outcome))} removed {100 * share.value:.0f} % "
                f"(95 % interval over images {100 * share.low:.0f} to {100 * share.high:.0f}).</p>"
            )
    return "".join(lines)
