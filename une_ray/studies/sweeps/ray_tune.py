"""Ray Tune over the trials of a sweep; the only file that knows it.

    Optuna suggests settings → a trial (an actor that is reused, its models in memory) judges them rung by
    rung → asynchronous halving stops it or lets it go on → the driver commits its row

Optuna sees every objective of the trials that came through (multi-objective TPE), halving the one number
that the search space weights them to. What Tune knows is kept in a state folder, from which the same
command goes on after a kill, each trial from its last rung; rows are named by their settings, so that a
trial that ends twice is one. The folder holds Tune's pickles, which run when they are read: like any
program of somebody else's, one that came with a lake is not to be trusted."""

from __future__ import annotations

import json
import logging
import math
import os
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.lake.store import Store
from une_ray.run.cluster import DEFAULT, Cluster, own_device
from une_ray.run.placement import Demand
from une_ray.run.progress import Progress
from une_ray.settings import Value
from une_ray.studies.sweeps.plan import Sweep
from une_ray.studies.sweeps.search_space import SearchSpace
from une_ray.studies.sweeps.snapshots import usable
from une_ray.studies.sweeps.subject import Subject, find_subject

SETTINGS = "settings/"  # Tune unfolds names at the slash: a trial's config holds them under one key
ROWS = "rows.json"  # of a trial's checkpoint
RETRIES = 2  # of a trial whose worker died
SNAPSHOT_SECONDS = "1"  # a killed driver's snapshot is hardly older; by default 10 s and more


def run(lake: Lake, sweep: Sweep, state: str, cluster: Cluster = DEFAULT) -> None:
    """Do the trials that the lake lacks; `state` is a folder, local or of an object store. A finished sweep
    starts no Ray.

    Raises UneError where trials keep failing, or the sweep was interrupted: the same call goes on from there.
    """
    if sweep.is_done(lake):
        return
    _quiet()
    trials = _tuner(lake, sweep, state, *share(sweep, cluster)).fit()
    if trials.errors:
        reason = str(trials.errors[0]).strip().splitlines()[-1]
        raise UneError(
            f"{len(trials.errors)} trials failed, the first with: {reason}; "
            "what ended is kept, and the same command tries these again"
        )
    if trials.num_terminated < sweep.scale.trials:
        raise UneError(
            f"interrupted after {trials.num_terminated} of {sweep.scale.trials} trials; "
            "the same command goes on"
        )
    sweep.close(lake)
    Store(state).remove(sweep.config)


class Trial(tune.Trainable):
    """An actor: the subject in memory, which `reset_config` lends to the next trial."""

    def setup(self, config: dict[str, Any]) -> None:
        self.subject: Subject | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.task, self.started = new_config, False
        self.rows: list[list[dict[str, Any]]] = []  # of the rungs before a kill
        return True

    def step(self) -> dict[str, Any]:
        """One rung. Settings that can't be end the trial with the reason, not the sweep."""
        kind, rungs = find_subject(self.task["kind"]), self.task["rungs"]
        budget = rungs[self.iteration]
        try:
            objectives = self._ready(kind).judge(budget)
        except UneError as error:
            return dict.fromkeys([*kind.goals, "promise"], math.nan) | {
                "budget": budget,
                "reported": {},
                "error": str(error),
                "done": True,
            }
        promise = sum(weight * objectives[name] for name, weight in self.task["weights"].items())
        done = budget == rungs[-1]
        reported = self._ready(kind).reported() if done else {}
        return objectives | {
            "promise": promise,
            "budget": budget,
            "reported": reported,
            "error": "",
            "done": done,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """What the rungs so far have measured, so that a killed trial goes on from its last one."""
        rows = self.subject.rows if self.subject is not None and self.started else []
        Path(checkpoint_dir, ROWS).write_text(json.dumps(rows))

    def load_checkpoint(self, checkpoint: Any) -> None:
        """`checkpoint` is a folder's path."""
        self.rows = json.loads(Path(checkpoint, ROWS).read_text())

    def _ready(self, kind: type[Subject]) -> Subject:
        """The subject, turned to this trial."""
        if self.subject is None:
            task = self.task
            self.subject = kind(Lake(task["lake"]), task["facts"], task["rungs"][-1], own_device())
        if not self.started:
            self.subject.start(self.task["settings"])
            self.subject.rows, self.started = self.rows, True
        return self.subject


class Keep(tune.Callback):
    """On the driver: commits the row of every trial that ended, and shows how far the sweep is."""

    def __init__(self, lake: Lake, sweep: Sweep) -> None:
        self.lake, self.sweep = lake, sweep
        self.progress: Progress | None = None

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        result = trial.last_result
        self.sweep.record(self.lake, trial.config["settings"], result | {"seconds": result["time_total_s"]})

    def on_step_end(self, iteration: int, trials: list[Any], **info: Any) -> None:
        ended = [trial for trial in trials if trial.is_finished()]
        if self.progress is None:
            label = f"{self.sweep.search.name} of {self.sweep.facts['title']}"
            self.progress = Progress(self.sweep.scale.trials, label, unit="trials")
        new = len(ended) - self.progress.done
        if new > 0:
            refused = sum(bool(trial.last_result.get("error")) for trial in ended)
            self.progress.advance(new, refused - self.progress.rejects)


def share(sweep: Sweep, cluster: Cluster) -> tuple[dict[str, float], int | None]:
    """What one trial takes of the cluster, and how many may run at once: as the search space says, or as a
    generator's actors."""
    (pool,) = cluster.at_most(sweep.scale.trials).pools([Demand()])
    if sweep.search.resources:
        return sweep.search.resources, cluster.actors
    return {"cpu": 1, "gpu": pool.gpus} if pool.gpus else {"cpu": pool.cpus}, pool.most


def _tuner(
    lake: Lake, sweep: Sweep, state: str, resources: dict[str, float], at_once: int | None
) -> tune.Tuner:
    """A new one, or the one that a killed driver left in the state folder."""
    trainable = tune.with_resources(Trial, resources)
    if usable(Store(state), sweep.config):
        return tune.Tuner.restore(f"{state}/{sweep.config}", trainable=trainable, resume_errored=True)
    facts = {
        "lake": lake.url,
        "kind": sweep.kind,
        "facts": sweep.facts,
        "rungs": sweep.scale.rungs,
        "weights": sweep.search.weights,
    }
    return tune.Tuner(
        trainable,
        param_space=facts,
        tune_config=tune.TuneConfig(
            search_alg=search_algorithm(sweep),
            scheduler=halving(sweep),
            num_samples=sweep.scale.trials,
            max_concurrent_trials=at_once,
            reuse_actors=True,
            trial_dirname_creator=str,
        ),
        run_config=tune.RunConfig(
            name=sweep.config,
            storage_path=state,
            verbose=0,
            callbacks=[Keep(lake, sweep)],
            failure_config=tune.FailureConfig(max_failures=RETRIES),
            # Every rung's is kept: the snapshot that a killed driver leaves may be older than the last.
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1, checkpoint_at_end=False),
        ),
    )


class Search(OptunaSearch):
    """Optuna is told the objectives of trials that were judged on `most`, and of the others that they were
    pruned: figures on less material are no estimate of those on all of it."""

    most = 0

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        full = result is not None and result.get("budget", 0) >= self.most and not result.get("error")
        super().on_trial_complete(trial_id, result if full else None, error)


def search_algorithm(sweep: Sweep) -> Search:
    """Optuna, told the search space's points first."""
    space, goals = sweep.search, sweep.subject.goals
    points = [
        {SETTINGS + name: value for name, value in settings.items()} for settings in space.points.values()
    ]
    sampler = optuna.samplers.TPESampler(seed=space.seed)
    algorithm = Search(
        partial(_suggest, space),
        metric=[*goals],
        mode=[*goals.values()],
        points_to_evaluate=points,
        sampler=sampler,
    )
    algorithm.most = sweep.scale.most
    return algorithm


def _suggest(space: SearchSpace, asks: optuna.Trial) -> dict[str, Value]:
    """What a trial is told: the search space's rounding has the last word, over what Optuna itself
    remembers."""
    return {SETTINGS + name: value for name, value in space.suggested(asks, SETTINGS).items()}


class Halving(ASHAScheduler):
    """Asynchronous successive halving (Li et al. 2020) that lets the search space's own `points`
    go on to the end: they are what others are compared with."""

    points: tuple[dict[str, Value], ...] = ()

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        action = super().on_trial_result(tune_controller, trial, result)
        return self.CONTINUE if trial.config["settings"] in self.points else action


def halving(sweep: Sweep) -> Halving:
    """The scheduler of a sweep's rungs."""
    rungs = sweep.scale.rungs
    scheduler = Halving(
        "budget",
        "promise",
        "max",
        max_t=rungs[-1],
        grace_period=rungs[0],
        reduction_factor=sweep.scale.factor,
    )
    scheduler.points = tuple(sweep.search.points.values())
    return scheduler


def _quiet() -> None:
    """No word from Tune and Optuna but errors: progress is ours. Tune reads its settings from the
    environment alone."""
    os.environ |= {
        "RAY_AIR_NEW_OUTPUT": "0",
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_GLOBAL_CHECKPOINT_S": SNAPSHOT_SECONDS,
        "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    }
    for name in ("ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="ray.tune")
