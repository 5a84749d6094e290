"""What a generator takes for granted, in the report: biases and defaults beside their truth."""

from __future__ import annotations

import io
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from une_ray.report.pictures import figure, grid
from une_ray.report.plots import svg
from une_ray.report.section import Section, Source
from une_ray.report.tables import figure_or_dash, table
from une_ray.report.theme import Colour
from une_ray.studies.prompts.lines import short
from une_ray.studies.prompts.map_section import map_section
from une_ray.studies.prompts.says_section import says_section

SHOWN = 40  # prompts of a plot

BIASES = """SELECT space, neutral, pole_first, pole_second, prompt, bias, low, high, truth, truth_of
    FROM biases
    SEMI JOIN spaces s ON s.space = biases.space AND s.method = 'middle-block-of-prompts'"""
TRUNCATED = "SELECT DISTINCT caption FROM truncations JOIN images USING (image_id) WHERE space = ?"
PICTURES = """WITH drawn AS (
        SELECT prompt, seed, min(picture) AS picture FROM (
            SELECT * FROM prompt_pictures WHERE space = ? AND picture IS NOT NULL
            QUALIFY guidance_scale = max(guidance_scale) OVER ())
        WHERE list_contains(?, prompt) GROUP BY prompt, seed)
    SELECT prompt, list(picture ORDER BY seed) FROM drawn GROUP BY prompt"""
NOTE = (
    "A prompt's direction is what it changes in the middle block of a generator, from a neutral prompt"
    " on; its bias is the cosine to one pole's direction less that to the other's. Lines: 95 % intervals over"
    " seeds."
    " ρ is Spearman's over prompts, with its 95 % interval over prompts, beside the same of text towers, of"
    " prompts shuffled (p), of random pairs of poles (95 in 100 stay below) and of one half of the seeds"
    " against the other, whence the ceiling: what all seeds can be expected to reach at most. A vote is the"
    " share of drawn pictures that an encoder gives to the first pole."
)


@dataclass(frozen=True, kw_only=True)
class Bias:
    """A row of the view `biases`."""

    space: str
    neutral: str
    pole_first: str
    pole_second: str
    prompt: str
    bias: float
    low: float | None
    high: float | None
    truth: float | None
    truth_of: str | None


def bias_section(source: Source) -> Section | None:
    """Forest plots, agreements, defaults and pictures."""
    source.define("prompts.sql")
    asked: dict[tuple[str, str, str, str], list[Bias]] = {}
    for row in source.sql.sql(BIASES).to_arrow_table().to_pylist():
        found = Bias(**row)
        asked.setdefault((found.space, found.neutral, found.pole_first, found.pole_second), []).append(found)
    parts = [_question(source, key, rows) for key, rows in asked.items()]
    parts += [_agreements(source), _defaults(source)]
    if not any(parts):
        return None
    return Section("What a generator takes for granted", NOTE, "".join(parts), _summary(source, asked))


def _question(source: Source, key: tuple[str, str, str, str], rows: Sequence[Bias]) -> str:
    space, neutral, first, second = key
    ordered = sorted(rows, key=lambda row: row.bias)
    shown = ordered if len(ordered) <= SHOWN else ordered[: SHOWN // 2] + ordered[-SHOWN // 2 :]
    left_out = f", {len(ordered) - len(shown)} between them left out" if len(shown) < len(ordered) else ""
    title = f"<h3>{escape(space)}: {escape(second)} ← → {escape(first)}</h3>"
    cut = {prompt for (prompt,) in source.rows(TRUNCATED, space)} & {row.prompt for row in shown}
    left_out += "; * longer than the model reads, and cut off there" if cut else ""
    note = f"<p class=note>{len(rows)} prompts, from “{escape(neutral)}”{left_out}</p>"
    has_truth = any(row.truth is not None for row in shown)
    plot = svg(
        lambda axes: draw_biases(axes, shown, cut),
        panels=1 + has_truth,
        width=5.4 if has_truth else 7.5,
        height=0.9 + 0.19 * len(shown),
    )
    return title + note + plot + _drawn(source, space, [*_ends(ordered), second, first])


def draw_biases(axes: list[Axes], rows: Sequence[Bias], cut: Container[str] = ()) -> None:
    """Prompts from below, the second pole's, to above, with a * at those that were `cut` off; beside them
    what is known of each."""
    places, values = np.arange(len(rows)), np.array([row.bias for row in rows])
    colours = [
        Colour.GREY if row.low is None or row.low <= 0 <= (row.high or 0) else Colour.BLUE for row in rows
    ]
    for place, row, colour in zip(places, rows, colours):
        if row.low is not None and row.high is not None:
            axes[0].plot([row.low, row.high], [place, place], color=colour, linewidth=1.4)
    axes[0].scatter(values, places, c=colours, s=16, zorder=3)
    axes[0].axvline(0, color=Colour.FAINT, linewidth=1, zorder=0)
    axes[0].set_yticks(places, [short(row.prompt) + "*" * (row.prompt in cut) for row in rows])
    poles = short(rows[0].pole_second), short(rows[0].pole_first)
    axes[0].set(title="bias", xlabel=f"{poles[0]} ← difference of cosines → {poles[1]}")
    if len(axes) > 1:
        known = [(place, row.truth) for place, row in zip(places, rows) if row.truth is not None]
        axes[1].scatter([x for _, x in known], [y for y, _ in known], color=Colour.ORANGE, s=18, marker="s")
        axes[1].set_yticks(places, [])
        of = next(row.truth_of for row in rows if row.truth is not None)
        axes[1].set(title=f"truth: {of}", xlim=(-0.03, 1.03))
        axes[1].set_xlabel(f"share of {rows[0].pole_first}")
        axes[1].axvline(0.5, color=Colour.FAINT, linewidth=1, zorder=0)
    for axis in axes:
        axis.set_ylim(-0.8, len(rows) - 0.2)
        axis.grid(axis="y", color=Colour.LINE, linewidth=0.6)
        axis.set_axisbelow(True)
        axis.tick_params(axis="y", length=0)


def _ends(ordered: Sequence[Bias]) -> list[str]:
    """The prompts furthest on either side."""
    texts = [row.prompt for row in ordered]
    return texts[:3] + [text for text in texts[-3:] if text not in texts[:3]]


def _drawn(source: Source, space: str, prompts: Sequence[str]) -> str:
    """What the generator draws of prompts, where `une prompts vote` drew any."""
    found = dict(source.rows(PICTURES, space, list(prompts)))
    strips = []
    for text in prompts:
        images = [Image.open(io.BytesIO(source.lake.store.read(name))) for name in found.get(text, [])]
        if images:
            pictures = grid([figure(image, title=text, size=64) for image in images])
            strips.append(f"<div><p class=note>{escape(short(text))}</p>{pictures}</div>")
    return grid(strips)


def _agreements(source: Source) -> str:
    rows = source.rows(
        """SELECT 'bias in ' || space, truth, pole_first || ' – ' || pole_second, prompts, rho, low, high, p,
            random_poles, halves, ceiling FROM bias_agreements WHERE rho IS NOT NULL
        UNION ALL SELECT 'votes of ' || judge || ' on pictures of ' || space || ', guidance '
            || guidance_scale::VARCHAR, truth, pole_first || ' – ' || pole_second, prompts, rho, low, high, p,
            NULL, halves, ceiling FROM vote_agreements WHERE rho IS NOT NULL"""
    )
    header = (
        "",
        "held against",
        "poles",
        "prompts",
        "ρ",
        "shuffled, p",
        "random poles",
        "halves of the seeds",
        "ceiling",
    )
    lines = [
        (what, truth, poles, prompts, f"{rho:.2f} [{low:.2f}, {high:.2f}]", f"{p:.3f}")
        + tuple(figure_or_dash(value, ".2f") for value in rest)
        for what, truth, poles, prompts, rho, low, high, p, *rest in rows
    ]
    return table(header, lines, numeric=3) if lines else ""


def _defaults(source: Source) -> str:
    """Prompts with what is nearest of each thing described, beyond random directions."""
    rows = source.rows(
        """SELECT space, prompt, list(descriptor || ' ' || printf('%.2f', cosine) ORDER BY cosine DESC)
        FROM taken_for_granted SEMI JOIN spaces s ON s.space = taken_for_granted.space
            AND s.method = 'middle-block-of-prompts'
        WHERE is_beyond_random AND coalesce(support, 1) >= .9 GROUP BY ALL ORDER BY ALL LIMIT 80"""
    )
    lines = [(space, prompt, ", ".join(found)) for space, prompt, found in rows]
    if not lines:
        return ""
    note = (
        "What is nearest of all that describes one thing: nearer than random directions come, and the nearest"
        " under nine in ten resamples of the seeds; with its cosine."
    )
    agreed = [
        (
            space,
            truth,
            f"{accuracy:.2f} [{low:.2f}, {high:.2f}]",
            majority,
            p,
            f"{rho:.2f} [{a:.2f}, {b:.2f}]",
        )
        for space, truth, accuracy, low, high, majority, p, rho, a, b in source.rows(
            """SELECT space, truth, accuracy, low, high, majority, p, rho, rho_low, rho_high
            FROM default_agreements"""
        )
    ]
    header = (
        "space",
        "truth",
        "likeliest named",
        "always the commonest",
        "shuffled, p",
        "ρ, a descriptor at a time",
    )
    told = table(header, agreed, numeric=2) if agreed else ""
    taken = table(("space", "prompt", "taken for granted"), lines, numeric=3)
    return f"<h3>Defaults</h3>{told}<p class=note>{note}</p>{taken}"


def _summary(source: Source, asked: Mapping[tuple[str, str, str, str], Sequence[Bias]]) -> str:
    """The first question's ρ, beside that of text towers; without a truth both ends of it."""
    rows = source.rows(
        """SELECT pole_first, pole_second, truth, list(space || ' ' || printf('%.2f', rho) ORDER BY rho DESC),
            max(prompts)
        FROM bias_agreements WHERE NOT starts_with(truth, 'vote:') AND rho IS NOT NULL GROUP BY ALL LIMIT 1"""
    )
    if not rows:
        return next((_ends_of(key, biases) for key, biases in asked.items()), "")
    first, second, truth, found, prompts = rows[0]
    said = f"Between {second} and {first} {prompts} prompts are ordered as {truth} say with ρ:"
    return f"{said} {', '.join(found)}."


def _ends_of(key: tuple[str, str, str, str], rows: Sequence[Bias]) -> str:
    """The prompts furthest to either pole, and of how many an interval lies clear of none."""
    space, _, first, second = key
    ordered = sorted(rows, key=lambda row: row.bias)
    clear = sum(row.low is not None and row.high is not None and row.low * row.high > 0 for row in rows)
    ends = (f"{short(row.prompt)} {row.bias:+.2f}" for row in (ordered[0], ordered[-1]))
    return (
        f"In {space} {clear} of {len(rows)} prompts lie clear of the middle between {short(second)} and"
        f" {short(first)}: from {' to '.join(ends)}."
    )


SECTIONS = ((87, bias_section), (88, map_section), (89, says_section))
