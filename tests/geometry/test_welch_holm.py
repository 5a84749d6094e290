"""Welch's test of all pairs beside scipy's, Holm's step-down beside R's, and how often both together err."""

import itertools

import numpy as np
import pytest
from scipy import stats

from une_ray.geometry.welch_holm import holm, welch_holm

SAMPLES = [
    np.random.default_rng(seed).normal(mean, sd, count)
    for seed, (mean, sd, count) in enumerate([(0, 1, 3), (2, 0.2, 4), (2.5, 3, 5), (9, 1, 3)])
]


def test_of_two_means_it_is_welch_s_test():
    theirs = stats.ttest_ind(*SAMPLES[:2], equal_var=False).pvalue
    assert welch_holm(SAMPLES[:2]) == {(0, 1): pytest.approx(theirs, rel=1e-9)}


def test_of_several_the_least_p_value_counts_as_often_as_there_are_pairs():
    pairs = list(itertools.combinations(range(4), 2))
    theirs = {(i, j): stats.ttest_ind(SAMPLES[i], SAMPLES[j], equal_var=False).pvalue for i, j in pairs}
    ours, first = welch_holm(SAMPLES), min(theirs, key=theirs.get)
    assert list(ours) == pairs and ours[first] == pytest.approx(6 * theirs[first], rel=1e-9)
    assert all(theirs[pair] <= ours[pair] <= 6 * theirs[pair] + 1e-12 for pair in pairs)


def test_adjusted_p_values_are_those_of_r():
    """p.adjust(c(.01, .04, .03, .005), "holm"); the last two steps are held to rise."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.6, 0.7]) == [1, 1]


@pytest.mark.parametrize(
    "spreads",
    [
        [1] * 7,
        [1, 1.5, 2.2, 3.2, 4.6, 6.8, 10],
        [0.1, 1, 1, 1, 1, 1, 1],
        [10, 1, 1, 1, 1, 1, 1],
        [0.037, 0.092, 0.049, 0.112, 0.196, 0.023, 0.024],  # D of seven models on dSprites
    ],
)
def test_seven_equal_means_of_three_draws_are_told_apart_in_five_percent_at_most(spreads):
    """Whether their spreads are equal or differ tenfold."""
    random, trials = np.random.default_rng(7), 600
    wrong = [
        min(welch_holm(random.standard_normal((7, 3)) * np.array(spreads)[:, None]).values()) < 0.05
        for _ in range(trials)
    ]
    assert np.mean(wrong) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / trials)


def test_samples_without_variance_differ_for_certain_or_not_at_all():
    assert welch_holm([np.zeros(3), np.zeros(3), np.ones(2)]) == {(0, 1): 1, (0, 2): 0, (1, 2): 0}
    tenths = np.full(3, 0.1)  # their mean is not a tenth
    assert welch_holm([tenths, np.full(2, 0.1)]) == {(0, 1): 1}


def test_one_sample_without_variance_leaves_the_other_s_t():
    alone = stats.ttest_1samp(SAMPLES[0], 0.5).pvalue
    assert welch_holm([SAMPLES[0], np.full(5, 0.5)]) == {(0, 1): pytest.approx(alone, rel=1e-9)}
