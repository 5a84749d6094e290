"""Oracles: SciPy's coefficients, bootstrap and permutation tests; closed forms for directions."""

import numpy as np
import pytest
from scipy import stats

from une_ray.geometry.agreement import agreement, cosines, direction_agreement

RANDOM = np.random.default_rng(0)
EASE = RANDOM.uniform(0.5, 1, 20)
A, B = EASE + 0.05 * RANDOM.standard_normal(20), EASE + 0.08 * RANDOM.standard_normal(20)


def test_coefficients_are_scipys():
    correlations = agreement(A, B, resamples=100)
    assert correlations["pearson"].value == pytest.approx(stats.pearsonr(A, B).statistic)
    assert correlations["spearman"].value == pytest.approx(stats.spearmanr(A, B).statistic)


def test_intervals_are_those_of_scipys_percentile_bootstrap():
    correlations = agreement(A, B, resamples=20_000)
    coefficients = {
        "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
        "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    }
    for name, coefficient in coefficients.items():
        options = {"paired": True, "vectorized": False, "method": "percentile", "n_resamples": 3000, "rng": 1}
        interval = stats.bootstrap((A, B), coefficient, **options).confidence_interval
        assert (correlations[name].low, correlations[name].high) == pytest.approx(tuple(interval), abs=0.025)


@pytest.mark.parametrize("pairs", [5, 7])
def test_p_values_are_those_of_the_exact_permutation_test(pairs):
    x, y = np.arange(pairs, dtype=float), np.array([1.0, 0, 2, 4, 3, 6, 5][:pairs])
    exact = stats.permutation_test(
        (x,), lambda x: stats.pearsonr(x, y).statistic, permutation_type="pairings", alternative="greater"
    )
    assert agreement(x, y, resamples=20_000)["pearson"].p_value == pytest.approx(exact.pvalue, abs=0.005)


def test_the_null_is_that_of_pairings_at_random():
    """Pearson's r of n values in all orders has mean 0 and variance 1 / (n − 1); so has Spearman's."""
    for correlation in agreement(A, B, resamples=20_000).values():
        assert correlation.null_mean == pytest.approx(0, abs=0.01)
        assert correlation.null_sd == pytest.approx(19**-0.5, rel=0.03)


def test_unrelated_spaces_are_found_so():
    random = np.random.default_rng(3)
    p_values = [
        agreement(*random.standard_normal((2, 15)), resamples=200)["spearman"].p_value for _ in range(200)
    ]
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_seeds_that_disagree_widen_the_interval():
    random = np.random.default_rng(4)
    steady, shaky = np.tile(A, (3, 1)), A + 0.3 * random.standard_normal((3, 20))
    shaky += A - shaky.mean(0)  # the same means, so the same coefficient
    calm, wide = (
        agreement(steady, np.tile(B, (3, 1)))["pearson"],
        agreement(shaky, np.tile(B, (3, 1)))["pearson"],
    )
    assert calm.value == pytest.approx(wide.value) and wide.high - wide.low > 1.3 * (calm.high - calm.low)


def test_equal_seeds_change_nothing():
    once, thrice = agreement(A, B), agreement(np.tile(A, (3, 1)), np.tile(B, (3, 1)))
    assert once["pearson"].value == pytest.approx(thrice["pearson"].value)
    assert (once["pearson"].low, once["pearson"].high) == pytest.approx(
        (thrice["pearson"].low, thrice["pearson"].high), abs=0.02
    )


@pytest.mark.parametrize("shapes", [((2,), (2,)), ((5,), (6,)), ((2, 5), (3, 5))])
def test_what_cannot_be_correlated_is_refused(shapes):
    with pytest.raises(ValueError, match="three or more"):
        agreement(*map(np.ones, shapes))


def test_in_the_covariances_inner_product_a_cosine_is_the_correlation_of_scores():
    random = np.random.default_rng(5)
    z = random.standard_normal((500, 6)) * [5, 3, 1, 1, 0.1, 0.01] + 4
    u, v = random.standard_normal((2, 6, 3))
    expected = [stats.pearsonr(z @ u[:, i], z @ v[:, i]).statistic for i in range(3)]
    assert np.allclose(direction_agreement(u, v, np.cov(z.T))[1], expected)


def test_where_the_space_hardly_varies_directions_may_differ_and_scores_agree():
    u = np.array([[1.0], [0.0]])
    v = np.array([[1.0], [10.0]])
    cosine, score = direction_agreement(u, v, np.diag([1.0, 1e-6]))
    assert cosine[0] < 0.1 and score[0] > 0.999


def test_a_direction_of_no_length_has_no_cosine():
    assert np.isnan(cosines(np.zeros((3, 1)), np.ones((3, 1)))).all()
