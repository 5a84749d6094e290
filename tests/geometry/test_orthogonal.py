"""Oracles: the paper's formula, SciPy's null space, constrained minima, regressions, classifiers."""

import numpy as np
import pytest
from scipy import linalg
from sklearn.linear_model import LinearRegression, LogisticRegression

from une_ray.errors import UneError
from une_ray.geometry.orthogonal import leace, nullspace_probes, orthogonalized

DIM, ROWS = 12, 2000
RNG = np.random.default_rng(0)
Z = RNG.standard_normal((ROWS, DIM)) @ RNG.standard_normal((DIM, DIM)) + 3  # correlated, off-centre
SIGMA = np.cov(Z.T, bias=True)
METRICS = {"plain": None, "covariance": SIGMA}


def draw(seed: int, nuisances: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.integers(
        -6, 6, nuisances + 1
    )  # probes of different methods differ in length by orders of magnitude
    w, *others = rng.standard_normal((nuisances + 1, DIM)) * scale[:, None]
    return w, {f"n{i}": u for i, u in enumerate(others)}


def test_one_nuisance_is_the_papers_formula():
    w, nuisances = draw(0, 1)
    w2 = nuisances["n0"]
    assert np.allclose(orthogonalized(w, nuisances).w, w - (w @ w2 / (w2 @ w2)) * w2, rtol=1e-12)


@pytest.mark.parametrize("count", range(1, DIM))
def test_many_nuisances_leave_the_projection_on_scipys_null_space(count):
    w, nuisances = draw(count, count)
    unit = np.stack([u / np.linalg.norm(u) for u in nuisances.values()])
    null = linalg.null_space(unit)
    edit = orthogonalized(w, nuisances)
    assert np.allclose(edit.w / np.linalg.norm(w), null @ null.T @ w / np.linalg.norm(w), atol=1e-10)
    assert edit.remaining_norm == pytest.approx(np.linalg.norm(null.T @ w) / np.linalg.norm(w))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("count", [0, 1, 3, 8])
def test_a_move_raises_the_targets_score_by_one_and_no_nuisances(metric, count):
    w, nuisances = draw(100 + count, count)
    move = orthogonalized(w, nuisances, METRICS[metric]).move
    assert w @ move == pytest.approx(1)
    for u in nuisances.values():
        assert abs(u @ move) < 1e-10 * np.linalg.norm(u) * np.linalg.norm(move)


@pytest.mark.parametrize("metric", METRICS)
def test_no_other_such_move_is_shorter_in_its_metric(metric):
    """The minimum under the same constraints, from the stationarity equations of Lagrange."""
    w, nuisances = draw(7, 3)
    inverse = np.linalg.inv(np.eye(DIM) if METRICS[metric] is None else SIGMA)
    constraints = np.stack([w, *nuisances.values()])
    constraints /= np.linalg.norm(constraints, axis=1, keepdims=True)
    saddle = np.block([[inverse, constraints.T], [constraints, np.zeros((4, 4))]])
    least = np.linalg.solve(saddle, np.r_[np.zeros(DIM), 1 / np.linalg.norm(w), np.zeros(3)])[:DIM]
    assert np.allclose(orthogonalized(w, nuisances, METRICS[metric]).move, least, rtol=1e-8)


def test_in_the_covariance_inner_product_the_score_is_the_residual_of_the_others():
    w, nuisances = draw(3, 4)
    others = Z @ np.stack(list(nuisances.values())).T
    regression = LinearRegression().fit(others / others.std(0), Z @ w)
    residual = Z @ w - regression.predict(others / others.std(0))
    edit = orthogonalized(w, nuisances, SIGMA)
    score = Z @ edit.w
    assert np.allclose(score - score.mean(), residual, atol=1e-9 * np.std(Z @ w))
    assert edit.remaining_norm == pytest.approx(np.sqrt(1 - regression.score(others / others.std(0), Z @ w)))


def test_the_two_notions_do_not_mix():
    """The uncorrelated must be moved along its pattern, the perpendicular along itself."""
    w, nuisances = draw(5, 1)
    u = nuisances["n0"] / np.linalg.norm(nuisances["n0"])
    plain, uncorrelated = (
        orthogonalized(w, nuisances).w / np.linalg.norm(w),
        orthogonalized(w, nuisances, SIGMA).w / np.linalg.norm(w),
    )
    assert abs(u @ uncorrelated) > 0.01 and abs(u @ SIGMA @ plain) > 0.01
    assert abs(u @ plain) < 1e-12 and abs(u @ SIGMA @ uncorrelated) < 1e-12


def test_in_white_latents_the_two_are_one():
    w, nuisances = draw(6, 3)
    plain, white = orthogonalized(w, nuisances), orthogonalized(w, nuisances, 2.5 * np.eye(DIM))
    assert np.allclose(plain.move, white.move, rtol=1e-9) and plain.remaining_norm == pytest.approx(
        white.remaining_norm
    )


@pytest.mark.parametrize("metric", METRICS)
def test_nuisances_may_repeat_depend_on_one_another_and_be_zero(metric):
    w, nuisances = draw(9, 2)
    a, b = nuisances.values()
    once = orthogonalized(w, nuisances, METRICS[metric])
    again = orthogonalized(
        w, nuisances | {"double": 2 * a, "sum": a + b, "none": np.zeros(DIM)}, METRICS[metric]
    )
    assert np.allclose(once.w, again.w, rtol=1e-9)


def test_a_covariance_of_fewer_rows_than_dims_will_do():
    few = np.cov(Z[:5].T, bias=True)
    w, nuisances = draw(10, 2)
    edit = orthogonalized(w, nuisances, few)
    assert w @ edit.move == pytest.approx(1)
    assert all(
        abs(u @ edit.move) < 1e-9 * np.linalg.norm(u) * np.linalg.norm(edit.move) for u in nuisances.values()
    )


@pytest.mark.parametrize("metric", METRICS)
def test_nuisances_that_span_the_target_are_refused_with_the_nearest_named(metric):
    w, nuisances = draw(11, 2)
    far, _ = nuisances.values()
    with pytest.raises(UneError, match=r"Far, Near span the target: .*e-1\d of its norm.*nearest is Near"):
        orthogonalized(
            w / np.linalg.norm(w),
            {"Far": far, "Near": w / np.linalg.norm(w) + 1e-3 * far / np.linalg.norm(far)},
            METRICS[metric],
        )


def test_a_probe_of_no_length_is_refused():
    with pytest.raises(UneError, match="norm 0"):
        orthogonalized(np.zeros(DIM), {})


def label(seed: int, noise: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    score = Z @ rng.standard_normal(DIM)
    return score + noise * score.std() * rng.standard_normal(ROWS) > score.mean()


def by_logistic(z: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return LogisticRegression(max_iter=1000).fit(z, labels).coef_[0]


def test_iterative_null_space_projection_leaves_nothing_to_a_linear_classifier():
    """In correlated latents one round is not enough, as one is for LEACE: eight of twelve dimensions go."""
    labels = label(1, 0.1)

    def accuracy(rounds: int) -> float:
        probes = nullspace_probes(Z, labels, by_logistic, rounds)
        assert np.allclose(probes @ probes.T, np.eye(rounds))
        left = Z - (Z @ probes.T) @ probes
        return LogisticRegression(max_iter=1000).fit(left, labels).score(left, labels)

    majority = max(labels.mean(), 1 - labels.mean())
    assert accuracy(0) > 0.95 and accuracy(1) > 0.85 and accuracy(8) < majority + 0.02


def test_its_first_probe_is_the_fitted_one_and_all_its_probes_are_one_nuisance():
    labels, w = label(1), draw(12, 0)[0]
    probes = nullspace_probes(Z, labels, by_logistic, 3)
    probe = by_logistic(Z, labels)
    assert np.allclose(probes[0], probe / np.linalg.norm(probe))
    assert np.allclose(orthogonalized(w, {"Male": probes}).w, w - probes.T @ probes @ w)


def test_it_stops_where_a_fit_finds_no_more():
    """The mean difference is one vector: projected out, the means agree."""
    difference = lambda z, y: z[y].mean(0) - z[~y].mean(0)  # noqa: E731
    assert len(nullspace_probes(Z, label(2), difference, 5)) == 1


def eraser(labels: np.ndarray):
    y = labels.reshape(ROWS, -1).astype(float)
    return leace(Z.mean(0), SIGMA, (Z - Z.mean(0)).T @ (y - y.mean(0)) / ROWS)


def test_after_erasure_no_linear_probe_beats_the_majority():
    labels = np.stack([label(1, 0.1), label(2, 0.1), label(3, 0.1)], 1)
    erased = eraser(labels)(Z)
    assert np.abs(LinearRegression().fit(Z, labels).coef_).max() > 0.01
    assert np.abs(LinearRegression().fit(erased, labels).coef_ * erased.std(0)).max() < 1e-8
    for y in labels.T:
        probe = LogisticRegression(solver="newton-cholesky", tol=1e-10).fit(erased, y)
        assert (probe.predict(erased) == (y.mean() > 0.5)).all() and probe.coef_ == pytest.approx(0, abs=1e-8)


def test_erasing_one_label_is_the_closed_form():
    """x − σ σᵀΣ⁻¹(x − μ) / (σᵀΣ⁻¹σ) with σ the covariance of x with the label."""
    labels = label(4)
    sigma = (Z - Z.mean(0)).T @ (labels - labels.mean()) / ROWS
    probe = np.linalg.solve(SIGMA, sigma)
    expected = Z - np.outer((Z - Z.mean(0)) @ probe, sigma) / (sigma @ probe)
    assert np.allclose(eraser(labels)(Z), expected, atol=1e-9)


def test_erasure_changes_less_than_projecting_the_mean_difference_out():
    """Which guards as well (Belrose et al. 2023, section 4): what LEACE adds is the least squared change."""
    labels = label(4)
    difference = Z[labels].mean(0) - Z[~labels].mean(0)
    difference /= np.linalg.norm(difference)
    projected = Z - np.outer((Z - Z.mean(0)) @ difference, difference)
    assert np.allclose(projected[labels].mean(0), projected[~labels].mean(0))
    assert np.square(eraser(labels)(Z) - Z).sum() < np.square(projected - Z).sum()


def test_erasing_a_pattern_move_is_orthogonalising_against_least_squares_probes():
    labels = np.stack([label(1), label(2)], 1)
    probes = LinearRegression().fit(Z, labels).coef_
    w, erase = draw(13, 0)[0], eraser(labels)
    erased = SIGMA @ w - erase.left @ (erase.right @ (SIGMA @ w))
    move = orthogonalized(w, dict(zip("ab", probes)), SIGMA).move
    assert np.allclose(erased / (w @ erased), move, rtol=1e-7)


def test_erasure_works_in_a_space_of_fewer_rows_than_dims():
    few, labels = Z[:8], np.arange(8) % 2 == 0
    centred = few - few.mean(0)
    erased = leace(few.mean(0), np.cov(few.T, bias=True), (centred.T @ (labels - 0.5) / 8)[:, None])(few)
    assert np.allclose(erased[labels].mean(0), erased[~labels].mean(0), atol=1e-9)
