"""Oracle: SciPy's own tests, one column at a time; and uniform p on normal samples."""

import numpy as np
import pytest
from scipy import stats

from une_ray.geometry.normality import TESTS, anderson_darling, dagostino_pearson, shapiro_wilk

SCIPY = {
    anderson_darling: lambda x: stats.anderson(x, method="interpolate"),
    dagostino_pearson: stats.normaltest,
    shapiro_wilk: stats.shapiro,
}
SHAPES = {
    "normal": lambda rng, size: rng.standard_normal(size),
    "far from zero": lambda rng, size: 1000 + 3 * rng.standard_normal(size),
    "tiny": lambda rng, size: 1e-6 * rng.standard_normal(size),
    "uniform": lambda rng, size: rng.random(size),
    "skewed": lambda rng, size: rng.exponential(size=size),
    "heavy-tailed": lambda rng, size: rng.standard_t(3, size),
    "bimodal": lambda rng, size: rng.standard_normal(size) + 6 * rng.integers(0, 2, size),
    "tied": lambda rng, size: rng.integers(0, 9, size).astype(float),
    "one outlier": lambda rng, size: np.where(
        np.arange(size[0])[:, None] == 0, 1e6, rng.standard_normal(size)
    ),
}


@pytest.mark.parametrize("n", [20, 21, 250, 251, 2000])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("test", SCIPY, ids=lambda test: test.__name__)
def test_statistics_and_p_are_scipys(test, shape, n):
    X = SHAPES[shape](np.random.default_rng(n), (n, 7))
    theirs = [SCIPY[test](x) for x in X.T]
    statistic, p = test(X)
    np.testing.assert_allclose(statistic, [one.statistic for one in theirs], rtol=1e-9, atol=1e-9)
    ours = p.clip(0.01, 0.15) if test is anderson_darling else p  # SciPy's interpolation knows no p outside
    np.testing.assert_allclose(ours, [one.pvalue for one in theirs], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_five_percent_of_normal_samples_are_rejected_at_five_percent(test):
    _, p = test(np.random.default_rng(0).standard_normal((250, 4000)))
    for level in (0.05, 0.01):
        assert (
            abs((p < level).mean() - level) < 4 * np.sqrt(level / 4000) + 0.25 * level
        )  # p is approximate: K² rejects 1.2 % at 1 %


def test_anderson_darlings_p_falls_without_a_step_to_far_below_one_percent():
    mixture = np.linspace(0, 2, 400)
    X = (
        np.random.default_rng(0).standard_normal((250, 1))
        + mixture * np.sign(np.arange(250) % 2 - 0.5)[:, None]
    )
    statistic, p = anderson_darling(X)
    order = np.argsort(statistic)
    assert (np.diff(p[order]) <= 0).all() and p.min() < 1e-8
    assert np.abs(np.diff(np.log(p[order]))).max() < 0.4


def test_a_test_sees_location_and_scale_of_no_column():
    X = np.random.default_rng(0).exponential(size=(100, 5))
    for test in TESTS.values():
        np.testing.assert_allclose(test(X), test(-7 + 0.01 * X), rtol=1e-7)


def test_a_symmetric_sample_has_a_skewness_score_of_zero():
    """SciPy 1.17 takes exactly zero for one; so here its kurtosis test alone is the oracle."""
    half = np.random.default_rng(0).integers(1, 9, (20, 3)).astype(float)
    X = np.concatenate([half, -half])
    np.testing.assert_allclose(dagostino_pearson(X)[0], stats.kurtosistest(X).statistic ** 2, rtol=1e-9)
