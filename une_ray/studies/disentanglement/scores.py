"""What trained models score, a file beside each, and the table of means with intervals over seeds."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from une_ray.geometry.intervals import mean_margin
from une_ray.geometry.several_means import games_howell
from une_ray.studies.disentanglement.metrics import headings
from une_ray.studies.disentanglement.training.run import Run

SCORES = "scores.jsonl"
SIGNIFICANT = 0.05
NOTE = (
    "± half a 95 % interval over seeds (Student's t). Bold: the best mean, and all that the seeds don't tell"
    " from it (Games and Howell, 5 % for all pairs)."
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
    """Markdown: a row per model, a column per metric, mean ± half the interval, in bold what is `best`; below
    it a note that says so."""
    columns = headings(score.metric for score in scores)
    models = list(dict.fromkeys(score.model for score in scores))
    values = {
        metric: {model: found for model in models if (found := values_of(scores, model, metric))}
        for metric in columns
    }
    bold = {metric: best(values[metric]) for metric in columns}
    lines = [f"| model | seeds | {' | '.join(columns.values())} |", "|---" * (len(columns) + 2) + "|"]
    for model in models:
        seeds = len({score.seed for score in scores if score.model == model})
        cells = [_cell(values[metric].get(model), model in bold[metric]) for metric in columns]
        lines.append(f"| `{model}` | {seeds} | {' | '.join(cells)} |")
    return [*lines, "", NOTE]


def best(values: Mapping[str, Sequence[float]]) -> set[str]:
    """The model of the largest mean, and all that a test doesn't tell from it: Games and Howell's, at 5 % for
    all pairs. Of a single seed nothing is known but its mean."""
    if not values:
        return set()
    first = max(values, key=lambda model: mean_over_seeds(values[model]).mean)
    return {
        model
        for model, found in values.items()
        if min(len(found), len(values[first])) > 1
        and games_howell(np.array(found), np.array(values[first]), len(values)) >= SIGNIFICANT
        or model == first
    }


def values_of(scores: Sequence[Score], model: str, metric: str) -> list[float]:
    """Of one model, a seed each."""
    return [score.score for score in scores if (score.model, score.metric) == (model, metric)]


def _cell(values: Sequence[float] | None, is_bold: bool) -> str:
    text = "–" if values is None else str(mean_over_seeds(values))
    return f"**{text}**" if is_bold else text


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
    temporary = folder / f"{SCORES}.tmp"
    temporary.write_text("".join(json.dumps(asdict(score)) + "\n" for score in [*kept, *scores]))
    os.replace(temporary, folder / SCORES)
