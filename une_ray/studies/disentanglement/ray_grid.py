"""Ray Tune over the runs of a comparison; the only file of this study that knows it.

A trial is a run: it trains in its own folder and leaves its scores there. What is done is read from the
folders, not from Tune, so that a comparison that was killed goes on from them, each training from its
checkpoint.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray import tune

from une_ray.errors import UneError
from une_ray.run.cluster import Cluster, own_device
from une_ray.run.placement import Demand
from une_ray.run.progress import Progress
from une_ray.studies.disentanglement.compare import folder_of, score_one
from une_ray.studies.disentanglement.scores import read_scores
from une_ray.studies.disentanglement.training.run import Run

RETRIES = 2  # of a trial whose worker died


def run_all(runs: Sequence[Run], out: Path, evaluated: str, cluster: Cluster) -> None:
    """Train and measure them all. Raises UneError where some fail, once the others are done."""
    _quiet()
    (pool,) = cluster.at_most(len(runs)).pools([Demand(gpus=0.25)])
    resources = {"cpu": 1, "gpu": pool.gpus} if pool.gpus else {"cpu": pool.cpus}
    by_name = {folder_of(run, out).name: run for run in runs}
    trial = tune.with_parameters(_trial, runs=by_name, out=out, evaluated=evaluated)
    trials = tune.Tuner(
        tune.with_resources(trial, resources),
        param_space={"run": tune.grid_search(list(by_name))},
        tune_config=tune.TuneConfig(max_concurrent_trials=pool.most, trial_dirname_creator=_name),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str(out),
            verbose=0,
            callbacks=[Shown(len(runs), f"models on {runs[0].corpus}")],
            failure_config=tune.FailureConfig(max_failures=RETRIES),
        ),
    ).fit()
    if trials.errors:
        said = str(trials.errors[0]).strip().splitlines()[-1]
        raise UneError(
            f"{len(trials.errors)} of {len(runs)} runs failed, the first with: {said}; what ended is kept,"
            " and the same command tries these again"
        )


class Shown(tune.Callback):
    """On the driver: how many runs are over, and how long the others will take."""

    def __init__(self, total: int, label: str) -> None:
        self.total, self.label = total, label
        self.progress: Progress | None = None

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if self.progress is None:  # not before: a callback travels, and a terminal does not
            self.progress = Progress(self.total, self.label, unit="runs")
        ended = sum(trial.is_finished() for trial in trials)
        if ended > self.progress.done:
            failed = sum(trial.status == "ERROR" for trial in trials)
            self.progress.advance(ended - self.progress.done, failed - self.progress.rejects)


def _trial(config: dict[str, str], runs: dict[str, Run], out: Path, evaluated: str) -> None:
    import torch

    device = own_device()
    if device == "cpu":
        torch.set_num_threads(1)
    run = runs[config["run"]]
    score_one(run, out, evaluated, device)
    tune.report({"scores": len(read_scores(folder_of(run, out)))})  # of a silent trial Tune prints a line


def _name(trial: Any) -> str:
    return str(trial.config["run"])


def _quiet() -> None:
    """No word from Tune but errors: progress is ours."""
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    for name in ("ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="ray.tune")
