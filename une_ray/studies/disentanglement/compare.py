"""Models × seeds at equal compute: what each run scores, and the table of means with intervals over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from une_ray.errors import UneError
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.settings import Value
from une_ray.studies.disentanglement.scores import Score, read_scores, table, write_scores
from une_ray.studies.disentanglement.training.files import alone
from une_ray.studies.disentanglement.training.job import (
    PICTURES,
    check_finished,
    train_one,
    training_pictures,
)
from une_ray.studies.disentanglement.training.pictures import Pictures, canonical, pictures
from une_ray.studies.disentanglement.training.run import Run, is_finished

ROWS, TABLE = "comparison.parquet", "comparison.md"
HELD_SEED = 1  # of the rows that metrics read; training pictures are of seed 0


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """`models` are (name, settings), each trained under every seed from 0 on, with the compute of the scale
    times `compute`, on `corpus`. Metrics read rows of `evaluated`, by default the same corpus."""

    models: Sequence[tuple[str, Mapping[str, Value]]]
    corpus: str
    seeds: int = 3
    scale: str = "tiny"
    compute: float = 1.0
    evaluated: str | None = None

    def runs(self) -> list[Run]:
        """Seed by seed, so that an unfinished comparison is one of fewer seeds. Raises UneError for a model
        that is named twice, and for settings that there are not."""
        corpus = canonical(self.corpus)
        first = [
            Run(model=model, settings=settings, corpus=corpus, scale=self.scale, compute=self.compute)
            for model, settings in self.models
        ]
        for place, run in enumerate(first):
            for before in first[:place]:
                if run.effective == before.effective:
                    same = "" if run.variant == before.variant else f", as {before.variant}"
                    raise UneError(f"{run.variant} is named twice{same}")
        if not first or self.seeds < 1:
            raise UneError("a comparison is of at least one model and one seed")
        return [replace(run, seed=seed) for seed in range(self.seeds) for run in first]


def compare(comparison: Comparison, out: Path, cluster: Cluster = DEFAULT) -> list[Score]:
    """Train and measure what `out` lacks of a comparison, on the Ray of `cluster`, and write its rows and its
    table there. A finished one starts no Ray; one that was killed goes on.

    Raises UneError where runs fail, where `out` holds other trainings or another process trains in it, and
    for a corpus that no metric can measure on.
    """
    runs, evaluated = comparison.runs(), canonical(comparison.evaluated or comparison.corpus)
    for run in runs:
        check_finished(run, folder_of(run, out))
    if not all(is_scored(run, out, evaluated) for run in runs):
        with alone(out):
            _run_missing(runs, out, evaluated, cluster)
    scores = gather(runs, out, evaluated)
    (out / TABLE).write_text("\n".join(table(scores)) + "\n")
    return scores


def _run_missing(runs: Sequence[Run], out: Path, evaluated: str, cluster: Cluster) -> None:
    missing = [run for run in runs if not is_scored(run, out, evaluated)]
    if missing:
        from une_ray.studies.disentanglement.measure import refuse_unmeasurable
        from une_ray.studies.disentanglement.ray_grid import run_all  # Ray Tune takes seconds

        seen = training_pictures(missing[0], folder_of(missing[0], out))  # here once, not by every trial
        refuse_unmeasurable(held_pictures(missing[0], out, evaluated), evaluated, seen.channels)
        run_all(missing, out, evaluated, cluster)


def score_one(run: Run, out: Path, evaluated: str, device: str = "cpu") -> None:
    """Train one model and measure it on random rows of `evaluated`; what is done is not done again."""
    from une_ray.studies.disentanglement.measure import codes_of, measure
    from une_ray.studies.disentanglement.training.folder import read_model

    if is_scored(run, out, evaluated):
        return
    folder = folder_of(run, out)
    train_one(run, folder, device)
    rows = held_pictures(run, out, evaluated)
    codes = codes_of(read_model(folder, device), rows, device)
    write_scores(run, folder, evaluated, measure(codes, rows.factors, seed=run.seed, fast=run.at.fast))


def held_pictures(run: Run, out: Path, evaluated: str) -> Pictures:
    """The rows that metrics read, the same for all runs."""
    return pictures(evaluated, run.at.size, run.at.rows, out / PICTURES, HELD_SEED)


def folder_of(run: Run, out: Path) -> Path:
    """Of a run, in the comparison's."""
    return out / f"{run.variant.replace(':', ',')}-seed{run.seed}"


def is_scored(run: Run, out: Path, evaluated: str) -> bool:
    """Whether a run is trained and measured on that corpus."""
    folder = folder_of(run, out)
    return is_finished(folder) and any(score.evaluated == evaluated for score in read_scores(folder))


def gather(runs: Sequence[Run], out: Path, evaluated: str) -> list[Score]:
    """The scores of all runs that have theirs, also as Parquet for SQL and notebooks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    scores = [
        score for run in runs for score in read_scores(folder_of(run, out)) if score.evaluated == evaluated
    ]
    if scores:
        pq.write_table(pa.Table.from_pylist([asdict(score) for score in scores]), out / ROWS)
    return scores
