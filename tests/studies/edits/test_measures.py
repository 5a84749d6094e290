"""Oracles: edits whose effects are set by hand, scipy's rank correlations, draws of a known law."""

import numpy as np
import pytest
from scipy import stats

from une_ray.errors import UneError
from une_ray.studies.edits.measures import (
    changes,
    cosine,
    flip_rate,
    flippable,
    kendall,
    leakage,
    leakage_of_one,
    monotone,
    predicted_leakage,
    removed_leakage,
    slopes,
)

RNG = np.random.default_rng(0)
ALPHAS = np.linspace(-3, 3, 7)
EFFECT = np.array([0.8, 0.4, -0.2, 0.0])  # judged standard deviations per one applied; the target comes first
SPREAD = np.array([3.0, 0.1, 50.0, 1.0])  # every judge has its own scale
BEFORE = RNG.standard_normal((300, 4)) * SPREAD
AFTER = BEFORE[:, :, None] + (BEFORE.std(0) * EFFECT)[:, None] * ALPHAS


def test_changes_are_in_each_judges_own_deviations():
    assert np.allclose(changes(BEFORE, AFTER, BEFORE.std(0)), EFFECT[:, None] * ALPHAS)
    with pytest.raises(UneError, match=r"positions \[1\] .* all train images"):
        changes(BEFORE, AFTER, BEFORE.std(0) * [1, 0, 1, 1])


def test_an_effect_does_not_depend_on_which_images_were_edited():
    """Eight that hardly vary in the target are judged in the same unit as all."""
    few = np.argsort(np.abs(BEFORE[:, 0]))[:8]
    slope = slopes(changes(BEFORE[few], AFTER[few], BEFORE.std(0)), ALPHAS)
    assert np.allclose(slope.mean(0), EFFECT)
    assert BEFORE[few, 0].std() < BEFORE[:, 0].std() / 20


def test_slopes_are_numpys_polynomial_fit():
    noisy = changes(BEFORE, AFTER + RNG.standard_normal(AFTER.shape), BEFORE.std(0))
    expected = np.polyfit(ALPHAS, noisy.reshape(-1, 7).T, 1)[0].reshape(300, 4)
    assert np.allclose(slopes(noisy, ALPHAS), expected)
    with pytest.raises(UneError, match="all the same"):
        slopes(noisy[..., :2], [1, 1])


def test_flips_count_only_images_that_a_dose_could_flip():
    before, after = np.array([-1.0, -1, -1, 1]), np.array([[1.0, -1], [1, -1], [-1, -1], [1, 1]])
    assert np.allclose(flip_rate(before, after, [1, -1]), [2 / 3, 0])
    assert flippable(before, [1, 0, -1]).tolist() == [3, 0, 1]
    assert np.isnan(flip_rate(before, after, [0, 0])).all()
    assert np.isnan(flip_rate(np.ones(4), after, [1, -1])).tolist() == [True, False]


def test_flips_grow_with_the_dose_as_the_normal_law_says():
    target = stats.norm.ppf((np.arange(4000) + 0.5) / 4000)
    rates = flip_rate(target, target[:, None] + ALPHAS, ALPHAS)
    upward = (stats.norm.cdf(ALPHAS[4:]) - 0.5) / 0.5  # of those below 0, the ones above −α
    assert (
        np.allclose(rates[4:], upward, atol=1e-3)
        and np.allclose(rates[:3], upward[::-1], atol=1e-3)
        and np.isnan(rates[3])
    )


def test_leakage_is_of_the_others_alone():
    slope = slopes(changes(BEFORE, AFTER, BEFORE.std(0)), ALPHAS)
    assert leakage(slope, 0) == pytest.approx(np.sqrt((0.4**2 + 0.2**2) / 3))
    assert leakage(slope * [100, 1, 1, 1], 0) == pytest.approx(leakage(slope, 0))


def test_leakage_of_either_sign_that_cancels_over_images_is_none():
    slope = np.array([[1.0, 0.5], [1.0, -0.5]])
    assert leakage(slope, 0) == 0


@pytest.mark.parametrize("images", [8, 128])
def test_random_steps_cancel_over_images_but_not_in_one(images):
    """Slopes of another random direction per image, of variance .04: none leaks in the mean."""
    random = np.random.default_rng(images)
    drawn = 0.2 * random.standard_normal((800, images, 26))
    of_one, of_mean = (
        np.sqrt(np.mean([measure(slope, 0) ** 2 for slope in drawn])) for measure in (leakage_of_one, leakage)
    )
    assert of_one == pytest.approx(0.2, rel=0.02) and of_mean < 0.5 * 0.2 / images**0.5


@pytest.mark.parametrize("true", [0.0, 0.1])
def test_leakage_is_the_same_of_few_images_and_of_many(true):
    """Unequal noise of images; the root of the mean of squares is .11 at eight images and .05 at thirty-two
    where there is none."""
    random, noise = np.random.default_rng(5), np.linspace(0.1, 0.4, 12)
    squares = {
        images: np.mean(
            [leakage(true + noise * random.standard_normal((images, 12)), 0) ** 2 for _ in range(1500)]
        )
        for images in (8, 32)
    }
    if true:
        assert np.allclose(list(squares.values()), true**2, rtol=0.06)
    else:
        assert (
            squares[8] < 0.004 and squares[32] < 0.001
        )  # what is left is of the square's being cut off at 0


@pytest.mark.parametrize("images", [8, 32])
@pytest.mark.parametrize("true", [0.0, 0.1, 0.3])
def test_leakage_lies_in_its_interval_however_small_it_is(images, true):
    """The kept edit is noisier, and leaks as much: nothing was removed or added."""
    random, held, correlation = np.random.default_rng(3), [], np.array([1.0, *[0.3] * 10])
    mean = np.array([1.0, *[true] * 10])
    for _ in range(400):
        plain, kept = (
            mean + scale * random.standard_normal((images, 11)) * [0.1, *[1] * 10] for scale in (0.2, 0.5)
        )
        found = removed_leakage(plain, kept, correlation, 0).per_effect
        truth = (true, true, 0)
        held.append([one.low <= value <= one.high for one, value in zip(found, truth)])
    assert np.mean(held, axis=0).min() > 0.92, np.mean(held, axis=0)


@pytest.mark.parametrize("kept", [0.0, 0.25, 1.0, 1.5])
def test_the_share_of_predicted_leakage_removed_is_the_share_that_was_removed(kept):
    """The plain edit drags others along as the labels go together, and more besides."""
    correlation = np.array([1.0, 0.5, -0.25, 0.0])
    unpredicted = np.array([0, 0.1, 0.2, 0.3])  # orthogonal to the correlations of the others
    plain = np.tile(0.8 * (correlation + unpredicted), (20, 1))
    orthogonal = np.tile(0.5 * (np.array([1, 0.5 * kept, -0.25 * kept, 0]) + unpredicted), (20, 1))
    assert predicted_leakage(plain, correlation, 0) == pytest.approx(1)
    assert predicted_leakage(orthogonal, correlation, 0) == pytest.approx(kept)
    jitter = 1 + 0.01 * RNG.standard_normal((20, 1)) * [0, 1, 1, 1]
    found = removed_leakage(plain * jitter, orthogonal * jitter, correlation, 0)
    assert found.share is not None and found.share.value == pytest.approx(1 - kept, abs=0.02)
    assert found.coefficient[2].value == pytest.approx(1 - kept, abs=0.02)
    assert found.explained[0] == pytest.approx(0.3125 / (0.3125 + np.square(unpredicted).sum()), abs=0.02)


def test_where_labels_predict_no_leakage_there_is_no_share_of_it_but_a_difference():
    """Hats: the plain coefficient is noise about 0, leakage per effect halves all the same."""
    random, correlation = np.random.default_rng(1), np.array([1.0, 0.5, -0.25, 0.0])
    noise = 0.3 * random.standard_normal((24, 4)) * [0, 1, 1, 1]
    plain = np.array([1.0, 0.1, 0.2, 0.6]) + noise
    kept = np.array([1.0, 0.05, 0.1, 0.3]) + 0.5 * noise
    found = removed_leakage(plain, kept, correlation, 0)
    assert found.share is None and found.coefficient[0].low < 0 < found.coefficient[0].high
    assert found.per_effect[2].low > 0 and found.explained[0] < 0.2


@pytest.mark.parametrize("images", [4, 8, 32])
def test_what_was_removed_is_known_as_well_as_its_intervals_say(images):
    """Percentiles of a bootstrap held these in 70 to 83 % at four images."""
    correlation = np.array([1, 0.5, -0.25, 0.1, 0, 0.3])
    plain, kept = np.array([1, 0.5, -0.2, 0.1, 0.2, 0.3]), np.array([1, 0.1, -0.05, 0.1, 0.2, 0.05])
    follows = [predicted_leakage(edit[None], correlation, 0) for edit in (plain, kept)]
    leaks = [leakage(edit[None], 0) for edit in (plain, kept)]
    truth = [*follows, follows[0] - follows[1], *leaks, leaks[0] - leaks[1], 1 - follows[1] / follows[0]]
    random, held = np.random.default_rng(images), []
    for _ in range(250):
        shared = 0.1 * random.standard_normal((images, 6))
        own = 0.05 * random.standard_normal((2, images, 6))
        found = removed_leakage(plain + shared + own[0], kept + shared + own[1], correlation, 0)
        whole = found.share is None  # an interval that is not bounded holds everything
        intervals = [*found.coefficient, *found.per_effect]
        inside = [figure.low <= true <= figure.high for figure, true in zip(intervals, truth)]
        held.append([*inside, whole or found.share.low <= truth[-1] <= found.share.high])
    coverage = np.mean(held, axis=0)
    assert coverage.min() > 0.89 and coverage.max() <= 1 and 0.92 < coverage.mean() < 0.98, coverage


def test_a_pattern_edit_of_gaussian_factors_leaks_as_the_labels_correlate():
    """In z = (s₁, s₂) of correlation ρ and a judge that reads both, the pattern of s₁ moves s₂ by ρ."""
    rho = 0.6
    step = np.array([1.0, rho])
    before = RNG.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 5000)
    slope = slopes(changes(before, before[:, :, None] + step[:, None] * ALPHAS, np.ones(2)), ALPHAS)
    assert predicted_leakage(slope, np.array([1, rho]), 0) == pytest.approx(1, abs=0.03)


def test_identity_is_the_cosine():
    x = RNG.standard_normal((5, 8))
    assert np.allclose(cosine(x, 3 * x), 1) and np.allclose(cosine(x, -x), -1)
    many = cosine(x[:, None], np.stack([x, -x], 1))
    assert many.shape == (5, 2) and np.allclose(many, [1, -1])


def test_kendall_and_spearman_are_scipys():
    scores = np.cumsum(RNG.standard_normal((40, 7)) + 1, axis=1)
    assert np.allclose(kendall(scores), [stats.kendalltau(ALPHAS, row).statistic for row in scores])
    assert (monotone(scores) == [stats.spearmanr(ALPHAS, row).statistic > 1 - 1e-9 for row in scores]).all()
    assert 0 < monotone(scores).mean() < 1
    assert (
        not monotone(np.ones((1, 3))).any() and kendall(np.ones((1, 3))) == 0
    )  # no response is not monotone
