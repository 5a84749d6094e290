"""What do edits along a probe's direction do, to the target and to the rest, in the eyes of judges that did
not make them?"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from html import escape
from itertools import groupby

import duckdb
import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from une_ray.report.pictures import figure
from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import NOTHING, figure_or_dash, percent, table
from une_ray.report.theme import Colour
from une_ray.studies.edits.measures import Interval, RemovedLeakage, leakage_of_one, mean_margin
from une_ray.studies.edits.outcome import FEWEST_OF_KID, Outcome, outcomes, removed, within

ORDER = 90
IMAGES, SIDE = 4, 54
NAMED = 2  # kept attributes
LEAST_EFFECT = 0.05  # below it, leakage per effect is noise over noise
COLOURS = {
    "probe": Colour.BLUE,
    "orthogonalised": Colour.ORANGE,
    "query": Colour.GOLD,
    "shared": Colour.PINK,
    "mean-difference": Colour.GREEN,
    "hspace": Colour.TEAL,
    "prompt": Colour.VIOLET,
    "random": Colour.PALE_GREY,
    "random-shared": Colour.GREY,
    "hspace-random": Colour.PALER_GREY,
    "permuted": Colour.SOFT,
}
FEWEST_OF_LINE = 3  # other attributes
CONTROLS = ("random", "random-shared", "hspace-random", "permuted")
DRAWN = ("probe", "orthogonalised", "shared")
NOTE = (
    "Strips: the original, then edited along the attribute's direction to both sides; 0 is the round trip. "
    "α counts standard deviations of its score in the edited space; of a prompt it is the guidance scale, "
    "and in h-space it counts how far the prompt by itself moves the middle block. Everything else is "
    "measured in another space than the edited one. Heat map: what one α does to every judged attribute, in "
    "standard deviations of its score; the target stands first, beyond the colours' end, and kept "
    "attributes are marked with °. Lines: the target's change and, dashed, leakage, the root mean square "
    "change of the others; beside them how like the original the picture stays, whose value at α = 0 is the "
    "round trip's own."
)

Subject = tuple[str, str, str, str]
"""What was edited, and how: (space, attribute, method, inner product)."""


def section(source: Source) -> Section | None:
    edits: dict[Subject, list[Outcome]] = {}
    for outcome in outcomes(source.sql):
        edits.setdefault(subject(outcome), []).append(outcome)
    if not edits:
        return None
    parts = [_edits(source, of, judged) for of, judged in sorted(edits.items())]
    return Section("Edits", NOTE, "".join(parts), summary(edits))


def subject(outcome: Outcome) -> Subject:
    return outcome.space, outcome.attribute, outcome.method, outcome.inner_product


def _edits(source: Source, of: Subject, edits: list[Outcome]) -> str:
    """Every direction along which one attribute was moved, judge by judge."""
    space, attribute, method, inner_product = of
    first = [outcome for outcome in edits if outcome.judge == edits[0].judge]
    drawn = [outcome for outcome in first if outcome.direction in DRAWN] or first[:1]
    heading = f"{space} · {attribute} ({method}, {inner_product} inner product)"
    parts = [f"<h3>{escape(heading)}</h3>", strips(source, drawn)]
    for judge, group in groupby(edits, key=lambda outcome: outcome.judge):
        judged = list(group)
        parts.append(f"<p class=note>Judged in {escape(judge)}, {len(judged[0].images)} images.</p>")
        parts.append(_plots(judged))
        parts.append(numbers(judged) + shares_removed(source.sql, judged))
    return "".join(parts)


def _plots(judged: list[Outcome]) -> str:
    height = 2.4 + 0.24 * len(judged)
    return svg(lambda axes: heat(axes[0], judged), width=8.6, height=height, is_heat_map=True) + svg(
        lambda axes: curves(axes, judged), panels=2, width=4.3, height=2.7
    )


def name(outcome: Outcome) -> str:
    """Short enough for a legend: two kept attributes by name, more by their number."""
    if len(outcome.keep) > NAMED:
        return f"keeping {len(outcome.keep)}"
    return title(outcome)


def title(outcome: Outcome) -> str:
    return f"keeping {', '.join(outcome.keep)}" if outcome.keep else outcome.direction


def summary(edits: dict[Subject, list[Outcome]]) -> str:
    """The edit with the most effect and its leakage, beside what the controls do to the same attribute in
    the same judge's eyes."""
    every = [outcome for judged in edits.values() for outcome in judged]
    probed = [outcome for outcome in every if outcome.direction not in CONTROLS] or every
    most = max(probed, key=lambda outcome: abs(effect(outcome)))
    beside = "; ".join(
        f"{name(outcome)} direction {effect(outcome):+.2f}, leakage "
        f"{leakage_of_one(outcome.slopes, outcome.moved):.3f}"
        for outcome in edits[subject(most)]
        if outcome.judge == most.judge and outcome.direction in CONTROLS
    )
    return (
        f"{most.attribute} in {most.space} along {name(most)} has the most effect: "
        f"{effect(most):+.2f} ± {mean_margin(most.slopes[:, most.target]):.2f} standard deviations of"
        f" {most.judge}'s score per one applied over {len(most.images)} images, leakage to other attributes"
        " of one image "
        f"{leakage_of_one(most.slopes, most.moved):.3f}{f' ({beside})' if beside else ''}."
    )


def effect(outcome: Outcome) -> float:
    """Mean over images of the target's standard deviations judged per one applied."""
    return float(outcome.slopes[:, outcome.target].mean())


def strips(source: Source, drawn: Sequence[Outcome]) -> str:
    """A row per image; in it one strip per edit, side by side."""
    head = "".join(f"<th>{escape(title(outcome))}</th>" for outcome in drawn)
    rows = []
    for image_id in examples(drawn[0]):
        cells = (
            f"<td><div class='grid dose'>{strip(source, outcome, image_id)}</div></td>" for outcome in drawn
        )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<div class=scroll><table><tr>{head}</tr>{''.join(rows)}</table></div>"


def examples(outcome: Outcome) -> list[str]:
    """Images on both sides of the judge's boundary, as many of either where there are: the first of each in
    the edit's order."""
    has_it = outcome.before[:, outcome.target] > 0
    without, with_it = (
        [image_id for image_id, side in zip(outcome.images, has_it) if side == wanted]
        for wanted in (False, True)
    )
    few = min(len(with_it), IMAGES // 2)
    image_ids = without[: IMAGES - few]
    return image_ids + with_it[: IMAGES - len(image_ids)]


def strip(source: Source, outcome: Outcome, image_id: str) -> str:
    """The original, then what was drawn of it by α, at 0 the round trip; * marks latents off the data."""
    row = outcome.images.index(image_id)
    figures = [figure(source.picture(image_id), "original", image_id, SIDE)]
    for alpha, picture, is_off in zip(outcome.alphas, outcome.pictures[row], outcome.off_data[row]):
        image = Image.open(io.BytesIO(source.lake.store.read(picture)))
        mark, words = ("*", ", off the data") if is_off else ("", "")
        caption, title = (f"{alpha:+g}{mark}", f"α = {alpha:+g}{words}") if alpha else ("0", "the round trip")
        figures.append(figure(image, caption, f"{image_id}, {title}", SIDE))
    return "".join(figures)


def heat(axis: Axes, judged: list[Outcome]) -> None:
    """Directions by judged attributes: mean slopes; the target first, the others by what the first
    direction does to them."""
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
    axis.axvline(0.5, color=Colour.PAPER, linewidth=3)
    axis.figure.colorbar(image, ax=axis, shrink=0.9, pad=0.01).outline.set_visible(False)


def curves(axes: list[Axes], judged: list[Outcome]) -> None:
    """Dose and response on the first axis, identity on the second."""
    for outcome in judged:
        colour = COLOURS.get(outcome.direction, Colour.SOFT)
        mean = outcome.changes.mean(0)
        leaked = np.sqrt(np.square(np.delete(mean, outcome.target, axis=0)).mean(0))
        axes[0].plot(outcome.alphas, mean[outcome.target], ".-", color=colour, label=name(outcome))
        axes[0].plot(outcome.alphas, leaked, "--", color=colour, linewidth=1)
        axes[1].plot(outcome.alphas, outcome.identity.mean(0), ".-", color=colour)
    axes[0].axhline(0, color=Colour.LINE, linewidth=1, zorder=0)
    axes[0].set(xlabel="α", ylabel="change, std", title=f"{judged[0].attribute}; dashed: leakage")
    axes[0].legend(fontsize=7.5)
    axes[1].set(xlabel="α", ylabel="cosine to the original", title="Identity")


def numbers(judged: Sequence[Outcome]) -> str:
    header = ["direction", "effect", "±", "flips −", "flips +", "leakage", "of one"]
    header += ["per effect", "kept", "order"]
    header += ["identity −", "0", "+", "KID −", "0", "+", "off data"]
    images, real = len(judged[0].images), judged[0].real
    chance = f"; one half of the originals is {within(real, images)} from the other"
    note = (
        "<p class=note>±: half a 95 % interval over images, each of which has a random step of its own. "
        "Leakage is less what differences between images add to it, 0.000 where it is no more than those. "
        "Of one: leakage in one image, where random steps do not cancel. KID: kernel distance to the same "
        "images' originals, with its interval over images, shown of "
        f"{FEWEST_OF_KID} or more{chance if images >= FEWEST_OF_KID else ''}.</p>"
    )
    return table(header, [_line(outcome) for outcome in judged]) + note


def _line(outcome: Outcome) -> tuple[str, ...]:
    row = outcome.summary()
    is_measured = abs(row["effect"]) >= LEAST_EFFECT and row["leakage"] > 0
    per_effect = row["leakage"] / abs(row["effect"]) if is_measured else None
    flips = [
        NOTHING if math.isnan(share) else f"{percent(share, 0)} % of {count}"
        for share, count in zip(row["flips"], row["flips_of"])
    ]
    same_identity, same_quality = row["round_trip"]
    identity = (row["identity"][0], same_identity, row["identity"][1])
    quality = (row["quality"][0], same_quality, row["quality"][1])
    return (
        name(outcome),
        f"{row['effect']:.2f}",
        f"{row['effect_margin']:.2f}",
        *flips,
        f"{row['leakage']:.3f}",
        f"{row['leakage_of_one']:.3f}",
        figure_or_dash(per_effect, ".2f"),
        figure_or_dash(row["kept"], ".3f"),
        f"{row['order']:.2f}",
        *(f"{value:.3f}" for value in identity),
        *(within(distance, row["images"]) for distance in quality),
        f"{percent(outcome.off_data.mean(), 0)} %",
    )


def shares_removed(connection: duckdb.DuckDBPyConnection, judged: Sequence[Outcome]) -> str:
    """What each orthogonalisation did to the leakage, all of it and what the corpus' correlations predict;
    nothing of an edit that does not move its target."""
    plain = next((outcome for outcome in judged if outcome.direction == "probe"), None)
    if plain is None:
        return ""
    lines = []
    for outcome in judged:
        both_move = outcome.direction == "orthogonalised" and plain.moves and outcome.moves
        found = removed(connection, plain, outcome) if both_move else None
        if found is not None:
            before, after, gone = map(_within, found.per_effect)
            text = (
                f"{escape(name(outcome))}: leakage per unit of effect {before} before, {after} after, less by"
                f" {gone}"
            )
            if len(outcome.attributes) - len(outcome.moved) >= FEWEST_OF_LINE:
                text += _along_labels(found)
            lines.append(f"<p class=note>{text} (95 % intervals over images).</p>")
    return "".join(lines)


def _along_labels(found: RemovedLeakage) -> str:
    """What of the leakage follows the labels' correlation: a line through attributes, which of one or two is
    met whatever they do."""
    before, after, gone = map(_within, found.coefficient)
    shares = " and ".join(f"{share:.0%}" for share in found.explained)
    text = (
        f"; what follows the labels' correlation {before} and {after}, less by {gone}, which is"
        f" {shares} of the leakage"
    )
    return text if found.share is None else f"{text}: {_within(found.share)} of it went"


def _within(figure: Interval) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"
