"""Intervals hold what they say: against SciPy's, and over draws with a known truth."""

import duckdb
import numpy as np
import pytest
from scipy import stats

from tests.helpers.lakes import items
from une_ray.geometry.intervals import (
    clopper_pearson,
    fieller,
    jackknife,
    share_interval,
    split_margin,
    student,
)
from une_ray.lake.create import create
from une_ray.lake.layout import Lake


@pytest.mark.parametrize(("hits", "draws"), [(0, 8), (1, 8), (5, 8), (8, 8), (30, 200)])
def test_shares_of_independent_draws_are_scipys_exact_ones(hits, draws):
    exact = stats.binomtest(hits, draws).proportion_ci()
    assert clopper_pearson(hits, draws) == pytest.approx((exact.low, exact.high), abs=1e-9)
    if hits in (0, draws):  # titles that all agree are worth one draw each, however many pictures they have
        assert share_interval(np.full(8, 4 * (hits > 0)), np.full(8, 4)) == pytest.approx(
            (exact.low, exact.high)
        )


@pytest.mark.parametrize(("share", "alike"), [(0.1, 0.3), (0.5, 0.9), (0.9, 0.3)])
def test_shares_over_few_titles_hold_the_truth(share, alike):
    random = np.random.default_rng(0)
    a, b = share * (1 / alike - 1), (1 - share) * (1 / alike - 1)
    copies = random.binomial(4, random.beta(a, b, (600, 8)))
    intervals = np.array([share_interval(row, np.full(8, 4)) for row in copies])
    assert ((intervals[:, 0] <= share) & (share <= intervals[:, 1])).mean() > 0.93


def test_the_jackknife_of_a_mean_is_its_standard_error_and_of_a_correlation_scipys_within_a_tenth():
    random = np.random.default_rng(0)
    rows = random.standard_normal((12, 3))
    value, covariance = jackknife(lambda x: x.mean(0), rows)
    assert np.allclose(value, rows.mean(0)) and np.allclose(covariance, np.cov(rows.T) / 12)
    x = random.standard_normal((1500, 2)) @ [[1, 0.6], [0, 0.8]]
    value, covariance = jackknife(lambda x: np.array([np.corrcoef(x.T)[0, 1]]), x)
    exact = stats.pearsonr(*x.T).confidence_interval()
    assert 2 * student(1498) * covariance[0, 0] ** 0.5 == pytest.approx(exact.high - exact.low, rel=0.1)


def test_a_ratio_has_an_interval_only_where_its_denominator_is_away_from_0():
    random, held = np.random.default_rng(0), []
    for _ in range(400):
        draws = random.multivariate_normal([1.0, 0.5], [[1, 0.3], [0.3, 0.4]], 40)
        interval = fieller(*draws.T)
        held.append(interval is None or interval[0] <= 2 <= interval[1])
    assert 0.93 <= np.mean(held) <= 0.975
    assert fieller(np.ones(8) + random.normal(size=8), 1e-3 * random.normal(size=8)) is None


def test_a_ratio_to_what_is_the_same_in_every_draw_has_the_interval_of_a_mean():
    draws = np.random.default_rng(0).normal(3, 1, 12)
    expected = stats.t.interval(0.95, 11, draws.mean() / 4, stats.sem(draws) / 4)
    assert fieller(draws, np.full(12, -4.0)) == pytest.approx(sorted(-end for end in expected))


def test_sql_and_python_have_one_margin_over_splits(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test:3", iter(items(3)), 3)
    for splits in (2, 3, 4, 5):
        (found,) = lake.rows(f"SELECT split_margin(.01, {splits}, .25)")[0]
        assert found == pytest.approx(split_margin(0.01, splits, 0.25), rel=1e-4)
    assert lake.rows("SELECT split_margin(NULL, 1, .25)") == [(None,)]
    assert isinstance(lake.session, duckdb.DuckDBPyConnection)


@pytest.mark.parametrize("strength", [2.0, 0.3])
def test_the_interval_over_splits_holds_other_corpora_mean(strength):
    """Ridge on 300 corpora of a known law; 1.96 · sd / √5 held 72 to 85 %."""
    from scipy.stats import rankdata

    random = np.random.default_rng(0)
    direction, found = random.standard_normal(20) / np.sqrt(20), []
    for _ in range(300):
        z = random.standard_normal((150, 20))
        y = (strength * z @ direction + random.standard_normal(150) > 0).astype(float)
        fold = random.permutation(150) % 5
        aucs = []
        for part in range(5):
            train, test = fold != part, fold == part
            centred = z[train] - z[train].mean(0)
            w = np.linalg.solve(
                centred.T @ centred + 30 * np.eye(20), centred.T @ (y[train] - y[train].mean())
            )
            ranks, positive = rankdata(z[test] @ w), y[test].sum()
            aucs.append(
                (ranks[y[test] == 1].sum() - positive * (positive + 1) / 2)
                / (positive * (test.sum() - positive))
            )
        found.append(aucs)
    drawn = np.array(found)
    truth, margin = drawn.mean(), split_margin(drawn.std(1, ddof=1), 5, 0.25)
    assert 0.93 <= (np.abs(drawn.mean(1) - truth) <= margin).mean() <= 0.99
