"""Biases of prompts, on planted directions whose truth is known."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine
from scipy.stats import spearmanr

from une_ray.geometry.prompt_directions import (
    agreement,
    biases,
    random_poles,
    rank_correlation,
)
from une_ray.geometry.reliability import ceiling

DIM, PROMPTS, SEEDS = 24, 40, 16


def planted(noise: float, seed: int = 0):
    """h (p, S, d) of prompts that lie between two poles by a known share, in seeds that all prompts share."""
    generator = np.random.default_rng(seed)
    truth = generator.random(PROMPTS)
    first, second = np.linalg.qr(generator.normal(size=(DIM, 2)))[0].T
    own = generator.normal(size=(PROMPTS, DIM)) / 6
    means = np.outer(truth, first) + np.outer(1 - truth, second) + own
    shared = 5 * generator.normal(size=(SEEDS, DIM))
    draw = lambda mean: mean + shared + noise * generator.normal(size=(SEEDS, DIM))  # noqa: E731
    return np.stack(list(map(draw, means))), draw(np.zeros(DIM)), np.stack([draw(first), draw(second)]), truth


def test_a_bias_is_the_difference_of_two_cosines():
    h, neutral, poles, _ = planted(0.3)
    d, n = h.mean(1), neutral.mean(0)
    expected = [
        cosine(x - n, poles[1].mean(0) - n) - cosine(x - n, poles[0].mean(0) - n) for x in d
    ]  # distances, so the other way round
    found = biases(h, neutral, poles)
    assert np.allclose(found.values, expected)
    assert np.all((found.low <= found.high) & (found.high - found.low < 1))


@pytest.mark.parametrize("seeds", [2, 4, 8, 16])
def test_intervals_over_seeds_cover_the_bias_of_many_seeds(seeds):
    """As few as two seeds, of which percentiles of a bootstrap hold in half."""
    covered = []
    for seed in range(60):
        h, neutral, poles, _ = planted(0.1, seed)
        many = planted(0.0, seed)
        exact = biases(many[0], many[1], many[2]).values
        found = biases(h[:, :seeds], neutral[:seeds], poles[:, :seeds])
        covered.append((found.low <= exact) & (exact <= found.high))
    assert 0.9 < np.mean(covered) < 0.985


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_the_ceiling_is_what_noisy_values_reach_with_a_truth_that_is_all_there_is_to_know(noise):
    generator = np.random.default_rng(0)
    truth = generator.normal(size=4000)
    by_seed = truth[:, None] + noise * generator.normal(size=(4000, 8))
    halves = rank_correlation(by_seed[:, ::2].mean(1), by_seed[:, 1::2].mean(1))
    assert ceiling(halves) == pytest.approx(rank_correlation(by_seed.mean(1), truth), abs=0.02)
    assert ceiling(1.0) == 1 and np.isnan(ceiling(-0.1)) and ceiling(halves) > halves


def test_the_planted_order_is_found_and_shuffled_prompts_and_random_poles_find_none():
    h, neutral, poles, truth = planted(0.3)
    values = biases(h, neutral, poles).values
    found = agreement(values, truth, resamples=300)
    assert found.rho == pytest.approx(spearmanr(values, truth).statistic)
    assert found.rho > 0.85 and found.low > 0.7 and found.p < 0.01
    shuffled = agreement(values, np.random.default_rng(1).permutation(truth), resamples=300)
    assert shuffled.p > 0.05 and shuffled.low < 0 < shuffled.high
    assert random_poles(h.mean(1), neutral.mean(0), truth, draws=100) < found.rho + 0.1


def test_one_seed_has_no_interval():
    h, neutral, poles, _ = planted(0.3)
    found = biases(h[:, :1], neutral[:1], poles[:, :1])
    assert np.isfinite(found.values).all() and np.isnan(found.low).all()


def test_a_truth_that_is_the_same_of_all_prompts_has_no_correlation_and_no_p():
    found = agreement(np.arange(8.0), np.ones(8), resamples=50)
    assert np.isnan([found.rho, found.low, found.high, found.p]).all()
    h = np.random.default_rng(0).normal(size=(8, 5))
    assert np.isnan(random_poles(h, np.zeros(5), np.ones(8), draws=20))
