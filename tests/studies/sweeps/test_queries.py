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
