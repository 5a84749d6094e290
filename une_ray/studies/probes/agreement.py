"""Do encoders find easy what generators find easy?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape

import numpy as np
from matplotlib.axes import Axes

from une_ray.geometry.agreement import FEWEST, Correlation, agreement
from une_ray.report.plots import svg
from une_ray.report.roles import Look, Roles
from une_ray.report.section import Section, Source
from une_ray.report.tables import table
from une_ray.report.theme import Colour
from une_ray.studies.probes.linearity import MEASURED

NOTE = (
    "Left: test AUC of every attribute in a generator's noise against the other spaces. Right: their"
    " correlations over attributes, Pearson above Spearman, with 95 % bootstrap intervals over attributes and"
    " split seeds. Attributes that are plain to see are easy for everyone: the grey controls show how much"
    " agreement that alone gives. The band is what attributes paired at random give, mean ± 1.96 standard"
    " deviations (null); p: the share of such pairings that agree as much."
)

Aucs = Mapping[tuple[int, str], float]
"""(split seed, attribute) → AUC in one space."""

Pairs = dict[str, tuple[np.ndarray, np.ndarray]]
"""Another space → the generator's AUC and its own, (split seeds, attributes)."""

Correlations = dict[str, dict[str, Correlation]]
"""Another space → 'pearson' and 'spearman'."""


def section(source: Source) -> Section | None:
    aucs: dict[str, dict[tuple[int, str], float]] = {}
    for space, seed, attribute, auc in source.rows(
        f"SELECT space, split_seed, attribute, auc FROM {MEASURED}"
    ):
        aucs.setdefault(space, {})[seed, attribute] = auc
    roles = source.roles
    looks = roles.looks(roles.in_order(aucs))
    generators = [space for space in roles.models(looks) if space in source.generators]
    parts = []
    for generator in generators:
        pairs = {
            space: pair
            for space in looks
            if space not in generators and (pair := paired(aucs[generator], aucs[space])) is not None
        }
        if pairs:
            parts.append(_generator(generator, pairs, looks, roles))
    return Section("Agreement of spaces", NOTE, "".join(parts)) if parts else None


def _generator(generator: str, pairs: Pairs, looks: dict[str, Look], roles: Roles) -> str:
    correlations = {space: agreement(*pair) for space, pair in pairs.items()}

    def draw(axes: list[Axes]) -> None:
        scatter(axes[0], generator, pairs, looks, roles)
        coefficients(axes[1], correlations, looks)

    picture = svg(draw, panels=2, width=4.3, height=3.6)
    return f"<h3>{escape(generator)}</h3>{picture}{numbers(pairs, correlations, roles)}"


def paired(a: Aucs, b: Aucs) -> tuple[np.ndarray, np.ndarray] | None:
    """Both spaces' AUC, (split seeds, attributes), of the seeds that both have and the attributes known in
    all of these."""
    seeds = sorted({seed for seed, _ in a} & {seed for seed, _ in b})
    names = sorted(
        {name for _, name in a if all((seed, name) in space for seed in seeds for space in (a, b))}
    )
    if not seeds or len(names) < FEWEST:
        return None
    first, second = (np.array([[space[seed, name] for name in names] for seed in seeds]) for space in (a, b))
    return first, second


def scatter(axis: Axes, generator: str, pairs: Pairs, looks: dict[str, Look], roles: Roles) -> None:
    """Every attribute's AUC in the generator's noise against that in each other space."""
    low = min(min(ours.mean(0).min(), theirs.mean(0).min()) for ours, theirs in pairs.values())
    axis.axline((low, low), slope=1, color=Colour.FAINT, linewidth=1)
    for space, (ours, theirs) in pairs.items():
        axis.plot(
            ours.mean(0),
            theirs.mean(0),
            linestyle="",
            marker=looks[space].marker,
            color=looks[space].colour,
            markersize=4.5,
            markeredgewidth=0,
            alpha=0.9,
            zorder=1 if roles.is_control(space) else 2,
        )
    axis.set(xlabel=f"AUC in {generator}", ylabel="AUC in the other space", title="Every attribute")


def coefficients(axis: Axes, correlations: Correlations, looks: dict[str, Look]) -> None:
    """Pearson's and Spearman's coefficient with their intervals, on the null's, a line per space."""
    for row, (space, of_space) in enumerate(correlations.items()):
        colour, marker = looks[space].colour, looks[space].marker
        for offset, name in ((-0.13, "pearson"), (0.13, "spearman")):
            figure, height = of_space[name], row + offset
            filling = colour if name == "pearson" else Colour.PAPER
            reach = 1.96 * figure.null_sd
            axis.barh(height, 2 * reach, 0.2, figure.null_mean - reach, color=Colour.LINE, zorder=0)
            axis.plot([figure.low, figure.high], [height, height], color=colour, linewidth=1.5)
            axis.plot(figure.value, height, marker, color=colour, markersize=5, markerfacecolor=filling)
    axis.axvline(0, color=Colour.RULE, linewidth=1, linestyle=":")
    axis.set_yticks(range(len(correlations)), list(correlations))
    axis.set(xlabel="correlation over attributes", title="Pearson (filled) and Spearman", xlim=(None, 1.03))
    axis.set_ylim(len(correlations) - 0.5, -0.5)


def numbers(pairs: Pairs, correlations: Correlations, roles: Roles) -> str:
    header = [
        "space",
        "attributes",
        "splits",
        "Pearson",
        "95 %",
        "null",
        "p",
        "Spearman",
        "95 %",
        "null",
        "p",
    ]
    rows = []
    for space, (ours, _) in pairs.items():
        splits, attributes = ours.shape
        figures = [text for c in correlations[space].values() for text in _figures(c)]
        rows.append((roles.label(space), attributes, splits, *figures))
    return table(header, rows)


def _figures(c: Correlation) -> tuple[str, ...]:
    """Dashes where a space's AUC is the same for every attribute, which correlates with nothing."""
    if not math.isfinite(c.value):
        return ("–",) * 4
    return (
        f"{c.value:+.3f}",
        f"{c.low:+.2f} to {c.high:+.2f}",
        f"{c.null_mean:+.2f} ± {1.96 * c.null_sd:.2f}",
        f"{c.p_value:.2g}",
    )
