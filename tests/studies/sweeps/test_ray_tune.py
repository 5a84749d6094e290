"""What Tune and Optuna are told, without starting either: shares of a cluster, points, and which trials
count."""

from dataclasses import replace

import pytest
import ray
from optuna.trial import TrialState

from une_ray.run.cluster import Cluster
from une_ray.run.placement import Pool
from une_ray.studies.sweeps import ray_tune
from une_ray.studies.sweeps.plan import Sweep, shipped


@pytest.fixture
def sweep() -> Sweep:
    study = shipped("mitigation")
    return Sweep(kind="mitigation", search=study, scale=study.scales["small"], facts={"title": "a model"})


@pytest.mark.parametrize(
    ("have", "cores", "cluster", "expected"),
    [
        ({"CPU": 4}, 2, Cluster(), ({"cpu": 1.0}, 2)),
        ({"CPU": 4}, 2, Cluster(actors=1), ({"cpu": 1.0}, 1)),
        ({"CPU": 32, "GPU": 4}, 32, Cluster(), ({"cpu": 1, "gpu": 1.0}, 4)),
        ({"CPU": 4}, 4, Cluster(gpus=3), ({"cpu": 1, "gpu": 1.0}, 3)),
    ],
)
def test_a_trial_takes_what_a_generator_takes(sweep, monkeypatch, have, cores, cluster, expected):
    monkeypatch.setattr(Cluster, "_start", lambda *_: cores)
    monkeypatch.setattr(ray, "cluster_resources", lambda: have)
    assert ray_tune.share(sweep, cluster) == expected


def test_a_study_that_says_what_a_trial_takes_is_believed(sweep, monkeypatch):
    monkeypatch.setattr(Cluster, "pools", lambda self, spaces: [Pool(1, 32, cpus=1.0)])
    told = replace(sweep, search=replace(sweep.search, resources={"cpu": 2, "gpu": 0.5}))
    assert ray_tune.share(told, Cluster()) == ({"cpu": 2, "gpu": 0.5}, None) and told.config == sweep.config


def test_the_points_of_a_study_are_suggested_first_and_then_what_the_seed_says(sweep):
    first, second = ray_tune.search_algorithm(sweep), ray_tune.search_algorithm(sweep)
    told = [first.suggest(str(i))["settings"] for i in range(12)]
    assert told[: len(sweep.search.points)] == [*sweep.search.points.values()]
    assert told == [second.suggest(str(i))["settings"] for i in range(12)]


def test_only_trials_that_were_judged_in_full_count_for_the_search(sweep, tmp_path):
    search = ray_tune.search_algorithm(sweep)
    for trial, (budget, error) in {"full": (16, ""), "stopped": (8, ""), "refused": (16, "can't be")}.items():
        search.suggest(trial)
        search.save(str(tmp_path / "state"))
        search.restore(str(tmp_path / "state"))  # as after a kill
        search.on_trial_complete(
            trial,
            {
                "similarity": 0.1,
                "alignment": 0.5,
                "distance": 1.7,
                "budget": budget,
                "error": error,
                "training_iteration": 1,
            },
        )
    states = [trial.state for trial in search._ot_study.trials[:3]]  # further points wait
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.PRUNED]
    assert search._ot_study.best_trials[0].values == [0.1, 0.5, 1.7]


def test_halving_stops_what_promises_less_at_its_rung_but_not_the_studys_own_points(sweep):
    scheduler, found = ray_tune.halving(sweep), []
    point = sweep.search.points["M1"]
    for i, (promise, settings) in enumerate([(3.0, {}), (1.0, {}), (2.0, {}), (0.0, point), (4.0, {})]):
        trial = type("Trial", (), {"trial_id": str(i), "config": {"settings": settings}})()
        scheduler.on_trial_add(None, trial)
        found.append(scheduler.on_trial_result(None, trial, {"budget": 8, "promise": promise}))
    assert found == ["CONTINUE", "STOP", "CONTINUE", "CONTINUE", "CONTINUE"]


class Counting:
    """A subject whose units are numbers; `judged` says which it looked at, in this process."""

    goals, judged = {"sum": "max"}, []

    def __init__(self, *_) -> None:
        self.rows = []

    def start(self, settings: dict) -> None:
        self.rows = []

    def judge(self, budget: int) -> dict[str, float]:
        for unit in range(len(self.rows), budget):
            self.judged.append(unit)
            self.rows.append([{"unit": unit}])
        return {"sum": float(sum(row["unit"] for rows in self.rows for row in rows))}

    def reported(self) -> dict[str, float]:
        return {"sum": -1.0}


def test_a_killed_trial_goes_on_from_its_last_rung_and_an_actor_begins_each_trial_anew(monkeypatch, tmp_path):
    monkeypatch.setattr(ray_tune, "find_subject", lambda kind: Counting)
    monkeypatch.setattr(ray_tune, "own_device", lambda: "cpu")
    told = {
        "kind": "counting",
        "lake": "",
        "facts": {},
        "rungs": [2, 4],
        "weights": {"sum": 2.0},
        "settings": {},
    }
    first = ray_tune.Trial(told)
    assert first.train()["promise"] == 2 and Counting.judged == [0, 1]
    checkpoint = first.save(str(tmp_path))
    second = ray_tune.Trial(told)
    second.restore(checkpoint)
    result = second.train()
    assert (result["sum"], result["budget"], result["done"]) == (6, 4, True) and Counting.judged == [
        0,
        1,
        2,
        3,
    ]
    second.reset(told | {"settings": {"other": 1}})
    assert second.train()["budget"] == 2 and Counting.judged == [0, 1, 2, 3, 0, 1]
