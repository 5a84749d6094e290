"""Independence is not difference (the premise of arXiv 2502.03123): models trained where two factors are
correlated, and measured where none are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from une_ray.corpora import open_corpus
from une_ray.corpora.factored import Factored
from une_ray.errors import UneError
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.studies.disentanglement.compare import Comparison, compare
from une_ray.studies.disentanglement.metrics import HEADINGS
from une_ray.studies.disentanglement.scores import Score, mean_over_seeds, values_of
from une_ray.studies.disentanglement.training.pictures import canonical
from une_ray.studies.disentanglement.training.scales import scale

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN = ("mig", "dci_disentanglement", "sap")  # the paper's three
PLOT = "correlated.png"
BESIDE = 0.015  # by how much a model's bars stand to the right of another's
MOST = 50_000  # pictures, which both grids have at a correlation of .9

Scores = Mapping[float, Sequence[Score]]
"""By the strength of the correlation in the training pictures."""


def correlated(
    comparison: Comparison, strengths: Sequence[float], out: Path, cluster: Cluster = DEFAULT
) -> Scores:
    """One comparison a strength, each in a folder of its own below `out`, all measured on the whole grid; and
    their plot. What is done is not done again. A comparison's own corpus says which file, seed, pair and
    number of items are trained on.

    Raises UneError for a corpus that is no grid of factors, and for strengths beyond ±0.9.
    """
    grid = grid_of(comparison.corpus)
    whole = replace(grid, count=None, seed=0, correlation=0.0, pair=None).name
    scores = {}
    for strength, corpus in corpora(grid, strengths, min(MOST, scale(comparison.scale).pictures)).items():
        here = replace(comparison, corpus=corpus, evaluated=whole)
        scores[strength] = compare(here, out / f"correlation-{strength:g}", cluster)
    plot(scores).savefig(out / PLOT, dpi=110)
    return scores


def grid_of(corpus: str) -> Factored:
    """The corpus of that name. Raises UneError for one that is no grid of factors."""
    opened = open_corpus(canonical(corpus))
    if not isinstance(opened, Factored):
        raise UneError(
            f"{opened.name} is no grid of factors, which alone has correlated subsamples: dsprites, shapes3d"
        )
    return opened


def corpora(grid: Factored, strengths: Sequence[float], count: int) -> dict[float, str]:
    """Strength → a subsample of the grid whose pair of factors is correlated so: of the grid's own file,
    seed, pair and number of items, of `count` where it has them all. Raises UneError for strengths beyond
    ±0.9, and for more items than the grid has at one of them."""
    some = replace(grid, count=grid.count or count)
    pair = grid.pair or grid.PAIR
    subsamples = {
        strength: replace(some, correlation=strength, pair=pair if strength else None)
        for strength in strengths
    }
    return {strength: canonical(corpus.name) for strength, corpus in subsamples.items()}


def table(scores: Scores, metric: str) -> list[str]:
    """Markdown: a row per model, a column per strength, mean ± half a 95 % interval over seeds; last by how
    much the score falls from the first strength to the last, seed by seed."""
    strengths = [f"{strength:g}" for strength in scores]
    lines = [f"| {HEADINGS[metric]} | {' | '.join(strengths)} | fall |", "|---" * (len(strengths) + 2) + "|"]
    first, last = [*scores.values()][0], [*scores.values()][-1]
    for model in _models(scores):
        means = [mean_over_seeds(values_of(found, model, metric)) for found in scores.values()]
        before, after = _by_seed(first, model, metric), _by_seed(last, model, metric)
        fall = mean_over_seeds([before[seed] - after[seed] for seed in before if seed in after])
        lines.append(f"| `{model}` | {' | '.join(map(str, [*means, fall]))} |")
    return lines


def plot(scores: Scores) -> Figure:
    """A panel per metric: the score by the strength, a line per model, bars of 95 % over seeds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.6 * len(SHOWN), 3.2), layout="constrained")
    for axis, metric in zip(figure.subplots(1, len(SHOWN)), SHOWN):
        for place, model in enumerate(_models(scores)):
            means = [mean_over_seeds(values_of(of, model, metric)) for of in scores.values()]
            axis.errorbar(
                [strength + BESIDE * place for strength in scores],
                [mean.mean for mean in means],
                [mean.half or 0 for mean in means],
                label=model,
                marker="o",
                markersize=3,
                linewidth=1,
                capsize=2,
            )
        axis.set_title(HEADINGS[metric], fontsize=10)
        axis.set_xlabel("correlation of two factors in training", fontsize=8)
        axis.set_ylim(bottom=0)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    return figure


def _by_seed(scores: Sequence[Score], model: str, metric: str) -> dict[int, float]:
    return {score.seed: score.score for score in scores if (score.model, score.metric) == (model, metric)}


def _models(scores: Scores) -> list[str]:
    return list(dict.fromkeys(score.model for of in scores.values() for score in of))
