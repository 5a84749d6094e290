"""`sweeps.sql` compares the trials that Python compares: those whose every objective is finite."""

import math

import pytest

from tests.helpers.queried import planted
from une_ray.studies.sweeps.columns import TABLE
from une_ray.studies.sweeps.result import SweepResult

GOALS = {"similarity": "min", "alignment": "max", "distance": "min"}


def trial(name: str, *objectives: float | None) -> dict:
    return {
        "study": "how",
        "sweep": "s",
        "title": "t",
        "status": "finished",
        "settings": [("way", name)],
        "objectives": [*zip(GOALS, objectives)],
        "goals": [*GOALS.items()],
        "promise": 0.0,
        "budget": 8,
        "unit": "prompts",
        "command": ["memorization"],
        "seconds": 1.0,
        "config": name,
    }


@pytest.mark.parametrize("missing", [math.nan, None, math.inf, -math.inf])
@pytest.mark.parametrize("others", [(0.9, 0.1), (0.4, 0.35)], ids=["worse", "better"])
def test_a_trial_without_a_finite_objective_is_on_no_front_and_keeps_none_from_it(missing, others):
    rows = [trial("whole", 0.5, 0.3, 1.8), trial("broken", *others, missing)]
    connection = planted("sweeps.sql", TABLE, rows)
    python = SweepResult("how", "t", connection.sql("FROM sweeps").to_arrow_table().to_pylist())
    assert [row["config"] for row in python.front] == ["whole"] and python.knee["config"] == "whole"
    assert connection.sql("SELECT config, knee FROM compromises").fetchall() == [("whole", True)]


@pytest.mark.parametrize(
    ("goals", "objectives"),
    [
        (GOALS, [(0.9, 0.3, 1.9), (0.6, 0.2, 1.7), (0.3, 0.05, 1.65)]),
        ({"effect": "max", "identity": "max"}, [(1.9, 0.80), (1.5, 0.95), (0.3, 0.99)]),
        ({"similarity": "max", "identity": "max"}, [(0.9, 0.10), (0.6, 0.13), (0.2, 0.15)]),
        ({"effect": "max", "leakage": "min", "identity": "max"}, [(1.5, 0.4, 0.9), (0.6, 0.1, 0.5)]),
    ],
)
def test_the_knee_is_pythons_whatever_the_objectives_are_called(goals, objectives):
    rows = [
        trial(str(number)) | {"goals": [*goals.items()], "objectives": [*zip(goals, values)]}
        for number, values in enumerate(objectives)
    ]
    connection = planted("sweeps.sql", TABLE, rows)
    python = SweepResult("how", "t", connection.sql("FROM sweeps").to_arrow_table().to_pylist())
    found = connection.sql("SELECT config FROM compromises WHERE knee").fetchall()
    assert found == [(python.knee["config"],)]


def test_means_of_a_setting_are_of_the_trials_that_have_the_objective():
    rows = [
        trial("a") | {"config": str(number), "goals": [("b", "max")], "objectives": [("b", value)]}
        for number, value in enumerate([0.0, None, 4.0, math.nan])
    ]
    query = "SELECT trials, mean, standard_error FROM setting_effects"
    assert planted("sweeps.sql", TABLE, rows).sql(query).fetchall() == [(2, 2.0, 2.0)]
