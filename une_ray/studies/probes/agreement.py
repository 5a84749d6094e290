"""Do encoders find easy what generators find easy?"""

from __future__ import annotations

from html import escape

import numpy as np
from matplotlib.axes import Axes

from une_ray.geometry.agreement import FEWEST, Correlation, agreement
from une_ray.report.plots import svg
from une_ray.report.section import Section, Source, table
from une_ray.studies.probes.section import CHOSEN, in_order, is_control, looks

NOTE = (
    "Left: test AUC of every attribute in a generator's noise against the other spaces. Right: their correlations over attributes, Pearson above "
    "Spearman, with 95 % bootstrap intervals over attributes and split seeds. Attributes that are plain to see are easy for everyone: the grey "
    "controls show how much agreement that alone gives. p: one-sided, by permuting attributes."
)


def section(source: Source) -> Section | None:
    aucs: dict[str, dict[tuple[int, str], float]] = {}
    for space, seed, attribute, auc in source.rows(f"SELECT space, split_seed, attribute, auc FROM {CHOSEN}"):
        aucs.setdefault(space, {})[seed, attribute] = auc
    styles, parts = looks(in_order(set(aucs))), []
    generators = [space for space in styles if space in source.generators and not is_control(space)]
    others = [space for space in styles if space not in generators]
    for generator in generators:
        pairs = {
            space: pair for space in others if (pair := paired(aucs[generator], aucs[space])) is not None
        }
        if pairs:
            found = {space: agreement(*pair) for space, pair in pairs.items()}
            picture = svg(
                lambda axes, g=generator, p=pairs, f=found: draw(axes, g, p, f, styles),
                panels=2,
                width=4.3,
                height=3.6,
            )
            parts.append(f"<h3>{escape(generator)}</h3>{picture}{numbers(pairs, found)}")
    return Section("Agreement of spaces", NOTE, "".join(parts)) if parts else None


def paired(
    a: dict[tuple[int, str], float], b: dict[tuple[int, str], float]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Both spaces' AUC, (split seeds, attributes), of the seeds that both have and the attributes known in all of these."""
    seeds = sorted({seed for seed, _ in a} & {seed for seed, _ in b})
    names = sorted(
        {name for _, name in a if all((seed, name) in space for seed in seeds for space in (a, b))}
    )
    if not seeds or len(names) < FEWEST:
        return None
    first, second = (np.array([[space[seed, name] for name in names] for seed in seeds]) for space in (a, b))
    return first, second


def draw(
    axes: list[Axes],
    generator: str,
    pairs: dict[str, tuple[np.ndarray, np.ndarray]],
    found: dict[str, dict[str, Correlation]],
    styles: dict[str, dict],
) -> None:
    """Scatter on the first axis, coefficients with intervals on the second."""
    low = min(min(a.mean(0).min(), b.mean(0).min()) for a, b in pairs.values())
    axes[0].axline((low, low), slope=1, color="#c9ced6", linewidth=1)
    for row, (space, (ours, theirs)) in enumerate(pairs.items()):
        look, order = styles[space], 1 if is_control(space) else 2
        axes[0].plot(
            ours.mean(0),
            theirs.mean(0),
            linestyle="",
            markersize=4.5,
            markeredgewidth=0,
            alpha=0.9,
            zorder=order,
            **look,
        )
        for offset, name in ((-0.13, "pearson"), (0.13, "spearman")):
            figure = found[space][name]
            axes[1].plot([figure.low, figure.high], [row + offset] * 2, color=look["color"], linewidth=1.5)
            filling = look["color"] if name == "pearson" else "white"
            axes[1].plot(figure.value, row + offset, markersize=5, markerfacecolor=filling, **look)
    axes[0].set(xlabel=f"AUC in {generator}", ylabel="AUC in the other space", title="Every attribute")
    axes[1].axvline(0, color="#8a8f98", linewidth=1, linestyle=":")
    axes[1].set_yticks(range(len(pairs)), list(pairs))
    axes[1].set(
        xlabel="correlation over attributes", title="Pearson (filled) and Spearman", xlim=(None, 1.03)
    )
    axes[1].set_ylim(len(pairs) - 0.5, -0.5)


def numbers(pairs: dict[str, tuple[np.ndarray, np.ndarray]], found: dict[str, dict[str, Correlation]]) -> str:
    header = ["space", "attributes", "splits", "Pearson", "95 %", "p", "Spearman", "95 %", "p"]
    rows = []
    for space, (ours, _) in pairs.items():
        figures = [
            text
            for c in found[space].values()
            for text in (f"{c.value:+.3f}", f"{c.low:+.2f} to {c.high:+.2f}", f"{c.p_value:.2g}")
        ]
        rows.append(
            (space + (" (control)" if is_control(space) else ""), ours.shape[1], ours.shape[0], *figures)
        )
    return table(header, rows)
