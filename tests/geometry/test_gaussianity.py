"""Oracles: data whose law is known, exact laws by simulation, and SciPy one column at a time."""

import numpy as np
import pytest
from scipy import stats

from une_ray.errors import UneError
from une_ray.geometry.components.exact import component_scores
from une_ray.geometry.gaussianity import (
    autocorrelation,
    bimodal,
    families,
    mahalanobis,
    norm,
    normal,
    normality,
    random_directions,
    random_rows,
    whitened_statistics,
)


def by_test(findings, unit):
    return {one.test: one for one in findings if one.unit == unit}


def anderson(findings, unit):
    return by_test(findings, unit)["anderson_darling"]


def test_noise_is_accepted_by_every_family():
    findings = families(normal(600, 256, 0), (4, 8, 8), directions=1000)
    assert {one.unit for one in findings} == {
        "direction",
        "coordinate",
        "component",
        "mahalanobis",
        "norm",
        "map",
    }
    assert all(0.9 < one.accepted < 0.99 and one.rejected_fdr < 0.02 for one in findings if one.tests > 1)
    assert all(one.smallest_p > 0.001 for one in findings if one.tests == 1)


def test_the_bimodal_control_is_accepted_as_often_as_the_papers():
    shares = [
        anderson(families(bimodal(500, 64, seed), directions=500, seed=seed), "direction").accepted
        for seed in range(20)
    ]
    assert abs(np.mean(shares) - 0.1588) < 0.02


@pytest.mark.parametrize("d", [16, 256, 2048])
def test_directions_see_the_two_modes_whatever_the_dimension(d):
    accepted = anderson(families(bimodal(300, d, 0), directions=1000), "direction").accepted
    assert 0.05 < accepted < 0.3


def test_random_directions_accept_signs_that_single_coordinates_reject():
    """Why there is more than the paper's test: at 2,048 dimensions the central limit theorem hides ±1."""
    findings = families(
        np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (500, 2048)), directions=1000
    )
    assert anderson(findings, "direction").accepted > 0.92
    assert (
        anderson(findings, "coordinate").accepted == 0 and anderson(findings, "coordinate").rejected_fdr == 1
    )


def test_components_find_one_odd_line_that_directions_average_away():
    rng = np.random.default_rng(0)
    line = np.linalg.qr(rng.standard_normal((300, 300)))[0][0]
    z = normal(1000, 300, 1) + 4 * np.outer(rng.exponential(size=1000), line).astype(np.float32)
    findings = families(z, directions=1000)
    assert (
        anderson(findings, "component").smallest_p < 1e-10
        and anderson(findings, "component").rejected_fdr > 0
    )
    assert anderson(findings, "direction").rejected_fdr < 0.05


def test_gaussian_data_of_any_covariance_passes_all_but_the_test_of_the_norm():
    rng = np.random.default_rng(0)
    z = 3 + normal(800, 120, 0) @ (rng.standard_normal((120, 120)) * np.geomspace(1, 0.1, 120)).astype(
        np.float32
    )
    findings = families(z, (3, 5, 8), directions=500)
    for unit in ("direction", "component", "mahalanobis"):
        assert all(
            one.accepted > 0.85 and one.rejected_fdr < 0.02 for one in by_test(findings, unit).values()
        ), unit
    assert all(one.accepted == 0 for one in by_test(findings, "norm").values())


def p_of_norms(z):
    return mahalanobis(component_scores(z)).smallest_p


@pytest.mark.parametrize(("n", "d"), [(20, 4), (60, 8), (60, 200), (250, 20)])
def test_whitened_norms_p_is_uniform_for_gaussian_rows_also_with_more_dimensions_than_rows(n, d):
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((d, d)) * np.geomspace(1, 0.05, d)
    p = np.array([p_of_norms(7 + rng.standard_normal((n, d)) @ mixing) for _ in range(600)])
    assert 0.03 < np.mean(p <= 0.05) < 0.07
    assert stats.kstest(p, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(("n", "K"), [(20, 1), (20, 9), (100, 30), (300, 5)])
def test_whitened_statistics_are_those_of_rows_that_were_whitened(n, K):
    rng, law = np.random.default_rng(0), stats.beta(K / 2, (n - 1 - K) / 2)
    drawn = []
    for _ in range(1000):
        rows = rng.standard_normal((n, K))
        U = np.linalg.qr(rows - rows.mean(0))[0]
        drawn.append(stats.kstest((U**2).sum(1) * n / (n - 1), law.cdf).statistic)
    assert stats.ks_2samp(drawn, whitened_statistics(n, K)).pvalue > 1e-3


def test_whitened_norms_find_tails_that_are_a_little_heavy():
    """Student's t of 40 degrees, of which the law's own p rejects fewer than half."""
    rng = np.random.default_rng(0)
    p = [
        p_of_norms(rng.standard_normal((250, 20)) / np.sqrt(rng.chisquare(40, (250, 1)) / 40))
        for _ in range(200)
    ]
    assert np.mean(np.array(p) <= 0.05) > 0.7


def test_a_common_random_scale_shows_in_the_norms_alone():
    scale = np.random.default_rng(0).uniform(0.8, 1.2, (1000, 1)).astype(np.float32)
    findings = families(normal(1000, 300, 0) * scale, directions=500)
    assert (
        anderson(findings, "direction").accepted > 0.9
        and by_test(findings, "mahalanobis")["kolmogorov_smirnov"].smallest_p < 1e-10
    )


@pytest.mark.parametrize("scale", [1, 1e2, 1e4])
def test_one_wide_coordinate_hides_the_others_from_no_test_of_components(scale):
    rng = np.random.default_rng(0)
    radius = np.where(rng.random((1000, 1)) < 0.5, 0.3, 1.4).astype(np.float32)
    z = normal(1000, 64, 0) * radius
    z[:, 0] = scale * normal(1000, 1, 1)[:, 0]
    findings = families(z, directions=10)
    assert anderson(findings, "component").tests == 64 and anderson(findings, "component").accepted < 0.1
    norms = by_test(findings, "mahalanobis")["kolmogorov_smirnov"]
    assert norms.components == 64 and norms.smallest_p < 1e-10
    assert {one.components for one in findings if one.unit != "mahalanobis"} == {None}


def test_noise_of_uneven_scales_keeps_the_law_of_its_components():
    rng = np.random.default_rng(0)
    scales = np.geomspace(1, 1e4, 30)
    p = np.array([p_of_norms(rng.standard_normal((80, 30)) * scales) for _ in range(500)])
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_noise_keeps_its_norms_law_at_every_level():
    p = np.array([[one.smallest_p for one in norm(normal(100, 64, seed))] for seed in range(500)])
    assert all(stats.kstest(each, "uniform").pvalue > 1e-3 for each in p.T)


def test_the_mean_square_norm_and_its_p_are_those_of_chi2():
    z = 1.01 * normal(400, 50, 0)
    total, law = (z.astype(float) ** 2).sum(), stats.chi2(400 * 50)
    mean = by_test(norm(z), "norm")["mean_square"]
    assert mean.statistic == pytest.approx(total / 400 / 50, rel=1e-6)
    assert mean.smallest_p == pytest.approx(
        2 * min(law.cdf(total), law.sf(total)), rel=0.1
    )  # normal approximation of χ²


def test_lags_are_standard_normal_for_white_noise_of_any_scale():
    scale = np.geomspace(0.1, 10, 4000, dtype=np.float32)[:, None]
    for shape in ((4, 8, 8), (1, 12, 20)):
        white = normal(4000, int(np.prod(shape)), 1)
        for one, same in zip(
            autocorrelation(white.reshape(-1, *shape)), autocorrelation((white * scale).reshape(-1, *shape))
        ):
            assert abs(one.statistic) < 0.08 and abs(one.accepted - 0.95) < 0.015
            assert same.statistic == pytest.approx(
                one.statistic, rel=1e-4
            ) and same.accepted == pytest.approx(one.accepted, abs=1e-3)


def test_a_lag_says_which_way_neighbours_are_alike():
    maps = np.random.default_rng(0).standard_normal((200, 3, 10, 11)).astype(np.float32)
    across = (maps[..., 1:] + maps[..., :-1]) / np.sqrt(
        2
    )  # correlation ½ with the pixel to the right, none with the one below
    findings = {one.test: one for one in autocorrelation(across)}
    assert findings["autocorrelation_0_1"].statistic == pytest.approx(0.5 * np.sqrt(3 * 10 * 9), rel=0.1)
    assert (
        abs(findings["autocorrelation_1_0"].statistic) < 0.5
        and findings["autocorrelation_1_0"].rows == 3 * 9 * 10
    )


def test_a_column_of_the_matrix_gets_what_scipy_gives_its_rows():
    X = np.random.default_rng(0).exponential(size=(40, 9))
    for one in normality("coordinate", X, 250, np.random.default_rng(0)):
        scipy = {
            "anderson_darling": lambda x: stats.anderson(x, method="interpolate"),
            "dagostino_pearson": stats.normaltest,
        }
        theirs = [scipy.get(one.test, stats.shapiro)(x) for x in X.T]
        p = np.array([each.pvalue for each in theirs])
        assert one.rows == 40 and one.statistic == pytest.approx(
            np.median([each.statistic for each in theirs]), abs=1e-9
        )
        assert one.accepted == (p > 0.05).mean()


def test_rows_are_drawn_without_repetition_and_all_alike():
    drawn = random_rows(30, 10, 20_000, np.random.default_rng(0))
    assert (np.diff(np.sort(drawn, axis=0), axis=0) > 0).all() and drawn.min() == 0 and drawn.max() == 29
    counts = np.bincount(drawn.ravel(), minlength=30)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_directions_are_unit_and_everywhere():
    directions = random_directions(50, 4000, np.random.default_rng(0)).astype(float)
    assert np.allclose(np.linalg.norm(directions, axis=0), 1, atol=1e-6)
    assert np.allclose(directions @ directions.T / 4000, np.eye(50) / 50, atol=0.003)


def test_the_same_seed_gives_the_same_findings():
    z = normal(100, 20, 0)
    assert (
        families(z, directions=50, seed=3)
        == families(z, directions=50, seed=3)
        != families(z, directions=50, seed=4)
    )


def test_constant_coordinates_are_left_out_and_not_counted():
    z = normal(300, 30, 0)
    z[:, [3, 17]] = 0.25
    findings = families(z, directions=50)
    assert anderson(findings, "coordinate").tests == 28 and anderson(findings, "component").tests == 28


def test_a_map_of_zeros_is_left_out_and_lags_that_do_not_fit_are_not_asked():
    maps = normal(50, 12, 0).reshape(50, 3, 1, 4)
    maps[7] = 0
    assert [(one.test, one.tests) for one in autocorrelation(maps)] == [("autocorrelation_0_1", 49)]


@pytest.mark.parametrize(
    ("z", "rows", "message"),
    [
        (normal(19, 5, 0), 250, "19 rows per test; the tests of normality hold for 20 to 5,000"),
        (normal(100, 5, 0), 10, "10 rows per test"),
        (normal(5001, 5, 0), 6000, "5,001 rows per test"),
        (np.where(np.arange(40)[:, None] == 7, np.nan, normal(40, 5, 0)), 250, "row 7 is not finite"),
        (np.ones((40, 5), np.float32), 250, "all 40 latents are equal"),
    ],
    ids=["few images", "few rows", "many rows", "nan", "constant"],
)
def test_what_can_not_be_tested_is_refused(z, rows, message):
    with pytest.raises(UneError, match=message):
        families(z, directions=10, rows=rows)
