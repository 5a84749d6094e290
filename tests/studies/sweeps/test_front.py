"""The Pareto front against Optuna's own, and the knee where geometry says where it lies."""

import numpy as np
import optuna
import pytest

from une_ray.studies.sweeps.front import efficient, knee, oriented


@pytest.mark.parametrize("objectives", [2, 3, 4])
def test_the_front_is_optunas(objectives):
    values = np.random.default_rng(objectives).integers(0, 6, (60, objectives)).astype(float)  # with ties
    goals = ["max", "min", "max", "min"][:objectives]
    study = optuna.create_study(directions=["maximize" if goal == "max" else "minimize" for goal in goals])
    study.add_trials([optuna.trial.create_trial(values=row) for row in values.tolist()])
    assert set(np.flatnonzero(efficient(oriented(values, goals)))) == {
        trial.number for trial in study.best_trials
    }


def test_what_is_not_a_number_is_on_no_front_and_keeps_none_from_it():
    values = np.array([[1.0, np.nan], [0.0, 0.0], [np.nan, np.nan], [np.inf, 1.0]])
    assert efficient(values).tolist() == [False, True, False, False]


def test_the_knee_of_a_quarter_circle_is_its_middle_whatever_the_units():
    angles = np.linspace(0, np.pi / 2, 91)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    units, shift = np.array([1000, 0.001]), np.array([5, -7])
    ends = np.zeros(2), np.ones(2)
    assert knee(circle, *ends) == 45
    assert knee(circle * units + shift, *(end * units + shift for end in ends)) == 45


def test_a_useless_trial_at_the_end_of_the_front_does_not_move_the_knee():
    """Its range would: a sliver more of one objective for all of the other."""
    values = np.array([[0.9, 0.2], [0.6, 0.6], [0.2, 0.9]])
    longer = np.vstack([values, [0.91, -50.0]])
    assert efficient(longer).all()
    assert knee(values, np.zeros(2), np.ones(2)) == knee(longer, np.zeros(2), np.ones(2)) == 1


def test_a_single_best_trial_is_its_own_knee_and_no_trial_has_none():
    ends = np.zeros(2), np.ones(2)
    assert knee(np.array([[0.0, 1.0], [2.0, 3.0], [1.0, 1.0]]), *ends) == 1
    assert knee(np.empty((0, 2)), *ends) is None and knee(np.full((2, 2), np.nan), *ends) is None
