"""What trained models score, a file beside each, and the table of means with intervals over seeds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from une_ray.studies.disentanglement.training.run import Run

SCORES = "scores.jsonl"
CONFIDENCE = 0.95


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


def table(scores: Sequence[Score]) -> list[str]:
    """Markdown: a row per model, a column per metric, mean ± half the interval; the best mean in bold."""
    models = list(dict.fromkeys(score.model for score in scores))
    metrics = list(dict.fromkeys(score.metric for score in scores))
    means = {
        (model, metric): mean_over_seeds(values)
        for model in models
        for metric in metrics
        if (values := [s.score for s in scores if (s.model, s.metric) == (model, metric)])
    }
    best = {
        metric: max((mean.mean for (_, of), mean in means.items() if of == metric), default=0.0)
        for metric in metrics
    }
    lines = ["| model | seeds | " + " | ".join(metrics) + " |", "|---" * (len(metrics) + 2) + "|"]
    for model in models:
        of_model = {metric: means[model, metric] for metric in metrics if (model, metric) in means}
        cells = [_cell(of_model.get(metric), best[metric]) for metric in metrics]
        seeds = max(mean.seeds for mean in of_model.values())
        lines.append(f"| `{model}` | {seeds} | " + " | ".join(cells) + " |")
    return lines


def _cell(mean: Mean | None, best: float) -> str:
    if mean is None:
        return "–"
    text = f"{mean.mean:.3f}" + ("" if mean.half is None else f" ± {mean.half:.3f}")
    return f"**{text}**" if mean.mean == best else text


def mean_over_seeds(scores: Sequence[float]) -> Mean:
    """Student's t: seeds are few."""
    from scipy import stats

    values = np.asarray(scores, float)
    if len(values) < 2:
        return Mean(mean=float(values.mean()), half=None, seeds=len(values))
    quantile = stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
    half = quantile * values.std(ddof=1) / np.sqrt(len(values))
    return Mean(mean=float(values.mean()), half=float(half), seeds=len(values))


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
    temporary = folder / f"{SCORES}.tmp"
    temporary.write_text("".join(json.dumps(asdict(score)) + "\n" for score in [*kept, *scores]))
    os.replace(temporary, folder / SCORES)
