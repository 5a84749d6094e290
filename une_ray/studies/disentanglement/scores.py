"""What trained models score, a file beside each, and the table of means with intervals over seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from une_ray.geometry.intervals import mean_margin
from une_ray.geometry.welch_holm import welch_holm
from une_ray.studies.disentanglement.metrics import headings
from une_ray.studies.disentanglement.training.files import whole
from une_ray.studies.disentanglement.training.run import Run

SCORES = "scores.jsonl"
SIGNIFICANT = 0.05
NOTE = (
    "± half a 95 % interval over seeds (Student's t). Told apart by the seeds (Welch's t of every pair,"
    " Holm's step-down at 5 % over all pairs of a metric):"
)


@dataclass(frozen=True, kw_only=True)
class Score:
    """One metric of one trained model. `evaluated` is the corpus of the rows that it was measured on."""

    model: str
    corpus: str
    evaluated: str
    scale: str
    compute: float
    seed: int
    metric: str
    score: float


@dataclass(frozen=True, kw_only=True)
class Mean:
    """Over seeds; `half` is half the width of a 95 % interval by Student's t whose unit is the seed, None for
    one seed."""

    mean: float
    half: float | None
    seeds: int

    def __str__(self) -> str:
        return f"{self.mean:.3f}" + ("" if self.half is None else f" ± {self.half:.3f}")


def table(scores: Sequence[Score]) -> list[str]:
    """Markdown: a row per model, a column per metric, mean ± half the interval, the best mean in bold; below
    it a line per metric that says which models the seeds tell apart."""
    columns = headings(score.metric for score in scores)
    models = list(dict.fromkeys(score.model for score in scores))
    values = {
        metric: {model: found for model in models if (found := values_of(scores, model, metric))}
        for metric in columns
    }
    lines = [f"| model | seeds | {' | '.join(columns.values())} |", "|---" * (len(columns) + 2) + "|"]
    for model in models:
        seeds = len({score.seed for score in scores if score.model == model})
        cells = [_cell(values[metric], model) for metric in columns]
        lines.append(f"| `{model}` | {seeds} | {' | '.join(cells)} |")
    return [*lines, "", NOTE, "", *(f"- {columns[metric]}: {_told(values[metric])}" for metric in columns)]


def told_apart(values: Mapping[str, Sequence[float]]) -> dict[str, list[str]]:
    """Model → those that it is better than, as far as the seeds tell: by Welch's t of every pair, with Holm's
    step-down at 5 % over all of them. Of a single seed nothing is known but its value."""
    several = {model: np.array(found) for model, found in values.items() if len(found) > 1}
    models, better = list(several), dict[str, list[str]]()
    for (first, second), p_value in welch_holm(list(several.values())).items():
        if p_value < SIGNIFICANT:
            pair = sorted((models[first], models[second]), key=lambda model: -several[model].mean())
            better.setdefault(pair[0], []).append(pair[1])
    return better


def _told(values: Mapping[str, Sequence[float]]) -> str:
    better = told_apart(values)
    parts = [
        f"`{model}` above {', '.join(f'`{name}`' for name in better[model])}"
        for model in values
        if model in better
    ]
    return "; ".join(parts) or "none"


def values_of(scores: Sequence[Score], model: str, metric: str) -> list[float]:
    """Of one model, a seed each."""
    return [score.score for score in scores if (score.model, score.metric) == (model, metric)]


def _cell(values: Mapping[str, Sequence[float]], model: str) -> str:
    if model not in values:
        return "–"
    means = {name: mean_over_seeds(found) for name, found in values.items()}
    is_best = means[model].mean == max(mean.mean for mean in means.values())
    return f"**{means[model]}**" if is_best else str(means[model])


def mean_over_seeds(scores: Sequence[float]) -> Mean:
    """Student's t: seeds are few."""
    values = np.asarray(scores, float)
    if len(values) < 2:
        return Mean(mean=float(values.mean()), half=None, seeds=len(values))
    half = mean_margin(values.std(ddof=1), len(values))
    return Mean(mean=float(values.mean()), half=half, seeds=len(values))


def read_scores(folder: Path) -> list[Score]:
    """Of one run; none where it was not measured yet."""
    path = folder / SCORES
    return [Score(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def write_scores(run: Run, folder: Path, evaluated: str, measured: Mapping[str, float]) -> None:
    """Beside those on other corpora; the file is replaced whole."""
    kept = [score for score in read_scores(folder) if score.evaluated != evaluated]
    facts = {"corpus": run.corpus, "scale": run.scale, "compute": run.compute, "seed": run.seed}
    scores = [
        Score(model=run.variant, evaluated=evaluated, metric=metric, score=value, **facts)  # type: ignore[arg-type]
        for metric, value in measured.items()
    ]
    with whole(folder / SCORES) as temporary:
        temporary.write_text("".join(json.dumps(asdict(score)) + "\n" for score in [*kept, *scores]))
