"""Slopes within subjects, against SciPy's regressions and simulated runs."""

import numpy as np
import pytest
from scipy import stats

from une_ray.errors import UneError
from une_ray.geometry.dose_response import dose_response, slopes

LATIN = np.array([[0.1, 0.3, 0.5, 0.7, 0.9][k:] + [0.1, 0.3, 0.5, 0.7, 0.9][:k] for k in range(5)])


def responses(slope: float, noise: float, seed: int) -> np.ndarray:
    """Subjects at levels of their own that follow their doses by `slope`."""
    generator = np.random.default_rng(seed)
    return 5 * generator.normal(size=(5, 1)) + slope * LATIN + noise * generator.normal(size=(5, 5))


def test_slopes_are_those_of_a_regression_of_each_subject():
    found = responses(0.4, 0.2, 0)
    expected = [stats.linregress(dose, response).slope for dose, response in zip(LATIN, found)]
    assert slopes(LATIN, found) == pytest.approx(expected)


def test_a_planted_slope_is_found_whatever_the_subjects_levels_and_none_where_none_is():
    others = np.random.default_rng(1).normal(size=(30, 5)) * 0.05
    found = dose_response(LATIN, responses(0.4, 0.05, 2), others, resamples=500)
    assert found.low < 0.4 < found.high and found.p < 0.01 and found.slope > 5 * found.undosed
    assert dose_response(LATIN, responses(0.0, 0.05, 3), resamples=500).p > 0.05
    assert dose_response(LATIN, responses(0.0, 0.05, 3), others[:4]).undosed is None


def test_the_interval_holds_the_slope_and_p_is_uniform_under_no_effect():
    drawn = [dose_response(LATIN, responses(0.0, 1.0, seed), resamples=200) for seed in range(200)]
    held = np.mean([one.low <= 0 <= one.high for one in drawn])
    assert 0.91 <= held <= 0.99
    assert np.mean([one.p <= 0.05 for one in drawn]) <= 0.09
    assert stats.kstest([one.p for one in drawn], "uniform").pvalue > 0.01


@pytest.mark.parametrize(
    ("dose", "message"),
    [(0.5, "the dose of subject 1 does not vary"), (np.nan, "a dose of subject 1 is not")],
)
def test_a_subject_without_a_slope_is_refused_not_taken_for_significant(dose, message):
    doses = LATIN.copy()
    doses[1] = dose
    with pytest.raises(UneError, match=message):
        dose_response(doses, responses(0.4, 0.05, 2))


@pytest.mark.parametrize(("row", "name"), [(0, "response"), (2, "response without a dose")])
def test_a_response_that_is_not_finite_is_refused(row, name):
    readings = {"response": responses(0.4, 0.05, 2), "response without a dose": np.zeros((9, 5))}
    readings[name][row, 3] = np.nan
    with pytest.raises(UneError, match=f"a {name} of subject {row} is not finite"):
        dose_response(LATIN, *readings.values())


SAME = np.tile(LATIN[0], (5, 1))  # every subject has the dose of its run


def test_where_a_runs_dose_is_that_of_all_subjects_its_own_level_proves_nothing():
    """Nothing but what a run does to all subjects alike, and a little besides: an interval over subjects
    would leave out 0 three times of four."""
    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(200):
        levels = generator.normal(size=(1, 5)) + 0.1 * generator.normal(size=(5, 5))
        drawn.append(dose_response(SAME, levels, resamples=200))
    assert drawn[0].unit == "runs" and dose_response(LATIN, levels).unit == "subjects"
    assert np.mean([one.p <= 0.05 for one in drawn]) <= 0.08
    assert np.mean([one.low <= 0 <= one.high for one in drawn]) >= 0.91


def test_what_a_run_does_to_all_subjects_leaves_the_slope_of_a_balanced_design():
    found, levels = responses(0.4, 0.05, 2), np.random.default_rng(3).normal(size=(1, 5))
    assert dose_response(LATIN, found + levels).slope == pytest.approx(dose_response(LATIN, found).slope)
