"""Nearest descriptors of prompts, on planted directions whose neighbours are known."""

import numpy as np
import pytest
from scipy.spatial.distance import cosine
from scipy.stats import spearmanr

from une_ray.geometry.prompt_likeness import Inner, agreement, is_first, likeness

DIM, SEEDS, GROUPS = 24, 8, ["age", "age", "hair", "hair", "hair"]


def planted(noise: float, seed: int = 0, prompts: int = 12):
    """Prompts that are each a little of one descriptor of either group, and which."""
    generator = np.random.default_rng(seed)
    axes = np.linalg.qr(generator.normal(size=(DIM, len(GROUPS))))[0].T
    ages, hairs = generator.integers(0, 2, prompts), generator.integers(2, 5, prompts)
    own = generator.normal(size=(prompts, DIM)) / 10
    shared = 4 * generator.normal(size=(SEEDS, DIM))
    draw = lambda mean: mean + shared + noise * generator.normal(size=(SEEDS, DIM))  # noqa: E731
    h = np.stack([draw(axes[age] + axes[hair] + rest) for age, hair, rest in zip(ages, hairs, own)])
    return h, draw(np.zeros(DIM)), np.stack([draw(axis) for axis in axes]), ages, hairs


def test_cosines_by_seeds_alone_are_those_of_the_weighted_means():
    h, neutral, others, *_ = planted(0.5)
    weights = np.random.default_rng(1).multinomial(SEEDS, np.full(SEEDS, 1 / SEEDS), 3) / SEEDS
    found = Inner(h - neutral, others - neutral).cosines(weights)
    for row, w in enumerate(weights):
        for p in (0, 5):
            for k in (0, 4):
                expected = 1 - cosine(w @ (h[p] - neutral), w @ (others[k] - neutral))
                assert found[row, p, k] == pytest.approx(expected)


def test_the_planted_descriptors_are_the_nearest_and_their_support_is_high():
    h, neutral, others, ages, hairs = planted(0.1)
    found = likeness(h, neutral, others, GROUPS, resamples=200)
    first = is_first(found.cosines, GROUPS)
    assert (first.sum(1) == 2).all()
    rows = np.arange(len(h))
    assert first[rows, ages].all() and first[rows, hairs].all()
    assert (found.firsts[rows, hairs] > 0.95).all() and np.allclose(found.firsts[:, :2].sum(1), 1)
    assert (found.low < found.high).all() and (np.abs([found.low, found.high]) < 1).all()
    assert (found.random[:2] == found.random[0]).all() and found.random[2] >= found.random[0] - 0.1


def test_intervals_over_seeds_cover_the_cosine_of_many_seeds():
    covered = []
    for seed in range(20):
        h, neutral, others, *_ = planted(0.1, seed)
        exact = likeness(*planted(0.0, seed)[:3], GROUPS, resamples=100).cosines
        found = likeness(h, neutral, others, GROUPS, resamples=200)
        covered.append((found.low <= exact) & (exact <= found.high))
    assert 0.9 < np.mean(covered) < 0.985


def test_one_seed_has_cosines_and_no_interval():
    h, neutral, others, *_ = planted(0.1)
    found = likeness(h[:, :1], neutral[:1], others[:, :1], GROUPS, resamples=100)
    assert np.isfinite(found.cosines).all() and np.isnan(found.low).all() and np.isnan(found.firsts).all()


def truths(seed: int = 0, prompts: int = 30):
    """Shares (p, k) of which the first hair is the likeliest of most prompts; one prompt's are not known."""
    truth = np.random.default_rng(seed).random((prompts, len(GROUPS)))
    truth[: prompts // 2, 2] += 1
    truth[-1] = np.nan
    return truth


def test_cosines_that_are_the_truth_agree_with_it_and_their_commonest_answer_does_less():
    truth = truths()
    found = agreement(np.nan_to_num(truth), truth, GROUPS)
    assert found.prompts == 29 and found.accuracy == 1 and found.high == 1 and found.low > 0.8
    assert found.p < 0.02 and found.rho == pytest.approx(1)
    ages, hairs = truth[:-1, :2].argmax(1), truth[:-1, 2:].argmax(1)
    commonest = np.bincount(ages).max() + np.bincount(hairs).max()
    assert found.majority == pytest.approx(commonest / 58)


def test_cosines_of_nothing_are_no_better_than_shuffled_truths():
    found = [
        agreement(np.random.default_rng(seed).random((30, 5)), truths(), GROUPS, 60) for seed in range(8)
    ]
    assert np.mean([one.p < 0.05 for one in found]) <= 0.3
    assert np.mean([one.rho_low < 0 < one.rho_high for one in found]) > 0.7
    cosines, truth = np.random.default_rng(0).random((30, 5)), truths()
    each = [spearmanr(cosines[:-1, k], truth[:-1, k]).statistic for k in range(5)]
    assert found[0].rho == pytest.approx(np.mean(each))


def test_p_holds_where_hits_of_a_prompt_go_together_over_groups():
    """Cosines and truth of every group follow one number of a prompt each, two numbers that are
    independent."""
    generator, groups = np.random.default_rng(0), [f"g{n // 2}" for n in range(8)]
    sides, draws = np.tile([1.0, -1.0], 4), 60
    small = []
    for _ in range(draws):
        cosines, truth = (
            np.outer(generator.normal(size=39), sides) + 0.2 * generator.normal(size=(39, 8))
            for _ in range(2)
        )
        small.append(agreement(cosines, truth, groups, 39).p <= 0.05)
    assert np.mean(small) <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / draws)


def test_what_is_not_known_of_a_prompt_counts_neither_for_nor_against():
    truth = truths()
    truth[:10, 2:] = np.nan
    found = agreement(np.nan_to_num(truth), truth, GROUPS)
    assert found.prompts == 29 and found.accuracy == 1 and found.p < 0.02
