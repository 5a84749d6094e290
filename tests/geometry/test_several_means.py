"""Games and Howell's test beside scipy's and Welch's."""

import numpy as np
import pytest
from scipy import stats

from une_ray.geometry.several_means import games_howell

SAMPLES = [
    np.random.default_rng(seed).normal(mean, sd, count)
    for seed, (mean, sd, count) in enumerate([(0, 1, 3), (2, 0.2, 4), (2.5, 3, 5), (9, 1, 3)])
]


def test_every_pair_has_scipy_s_p_value():
    theirs = stats.tukey_hsd(*SAMPLES, equal_var=False).pvalue
    ours = [[games_howell(a, b, len(SAMPLES)) for b in SAMPLES] for a in SAMPLES]
    assert ours == pytest.approx(theirs, abs=1e-6) and theirs.min() < 0.05 < theirs[0, 2]


def test_of_two_means_it_is_welch_s_test():
    first, second = SAMPLES[:2]
    welch = stats.ttest_ind(first, second, equal_var=False).pvalue
    assert games_howell(first, second, 2) == pytest.approx(welch, rel=1e-4)


def test_it_errs_less_often_than_it_says_where_the_best_of_several_is_picked():
    """Seven equal means of three draws each: the best beside the worst."""
    random = np.random.default_rng(7)
    wrong = []
    for _ in range(200):
        draws = sorted(random.standard_normal((7, 3)), key=np.mean)
        wrong.append(games_howell(draws[-1], draws[0], 7) < 0.05)
    assert np.mean(wrong) < 0.1


def test_samples_without_variance_differ_for_certain_or_not_at_all():
    assert games_howell(np.zeros(3), np.zeros(3), 4) == 1 and games_howell(np.zeros(3), np.ones(3), 4) == 0
