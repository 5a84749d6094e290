"""Oracles: an SVD of the stacked whitened views (cca-zoo's way), scikit-learn's ridge, planted spaces."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.linear_model import Ridge

from une_ray.errors import UneError
from une_ray.geometry.gcca import HeldOut, Scatters, ScoreMoments, agreement_in, gcca
from une_ray.geometry.partners import Partners

DIMS = {"a": 12, "b": 9, "c": 7}
HIDDEN = 4


def views(rows: int = 400, noise: float = 0.3, seed: int = 0) -> dict[str, np.ndarray]:
    """Three linear views of four hidden numbers, far from zero."""
    planted, random = np.random.default_rng(99), np.random.default_rng(seed)
    hidden = random.standard_normal((rows, HIDDEN))
    return {
        view: hidden @ planted.standard_normal((HIDDEN, dim))
        + noise * random.standard_normal((rows, dim))
        + 9
        for view, dim in DIMS.items()
    }


def fitted(
    rows: dict[str, np.ndarray], dim: int, ridge: float = 0.01, rank: int = 50, block: int = 64, **options
):
    count = len(next(iter(rows.values())))
    batches = [{view: z[i : i + block] for view, z in rows.items()} for i in range(0, count, block)]
    scatters = Scatters()
    for batch in batches:
        scatters.add(batch)
    moments = ScoreMoments(components := scatters.components(rank))
    for batch in batches:
        moments.add(batch)
    return gcca(components, moments.blocks(), moments.rows, dim, ridge, **options)


def by_stacked_svd(rows: dict[str, np.ndarray], dim: int, ridge: float):
    """X (n, dim) of unit variance, each view's weights, and the squared singular values."""
    whitened, regressions = [], []
    for z in rows.values():
        u, s, vt = np.linalg.svd(z - z.mean(0), full_matrices=False)
        penalty = ridge * (s**2).mean()
        whitened.append(u * (s / np.sqrt(s**2 + penalty)))
        regressions.append((vt.T * (s / (s**2 + penalty))) @ u.T)
    left, values, _ = np.linalg.svd(np.concatenate(whitened, axis=1), full_matrices=False)
    x = left[:, :dim] * np.sqrt(len(left))
    return x, [regression @ x for regression in regressions], values[:dim] ** 2


@pytest.mark.parametrize("ridge", [0.0, 0.01, 1.0])
def test_it_is_the_svd_of_the_stacked_whitened_views(ridge):
    rows = views()
    shared = fitted(rows, 6, ridge)
    x, weights, values = by_stacked_svd(rows, 6, ridge)
    found = shared.transform(rows)
    signs = np.sign((found * x).sum(0))
    assert np.abs(found * signs - x).max() < 1e-6 and np.allclose(shared.variances, values)
    for view, expected in zip(rows, weights):
        assert np.allclose(shared.weights[view] * signs, expected, atol=1e-7)


def test_what_all_views_share_is_found_to_six_digits():
    rows = views(noise=0)
    hidden = np.random.default_rng(0).standard_normal((400, HIDDEN))
    shared = fitted(rows, HIDDEN, ridge=0)
    assert np.allclose(shared.variances, len(DIMS), atol=1e-9)
    angles = subspace_angles(shared.transform(rows), hidden - hidden.mean(0))
    assert np.sin(angles).max() < 1e-6
    for view in rows:  # any one view says it all
        assert np.allclose(shared.transform({view: rows[view]}), shared.transform(rows), atol=1e-6)


def test_rank_deficient_and_constant_columns_change_nothing():
    rows = views()
    wider = rows | {"a": np.hstack([rows["a"], rows["a"][:, :3] * 2 - 1, np.full((400, 2), 5.0)])}
    x, y = fitted(rows, 5, ridge=0).transform(rows), fitted(wider, 5, ridge=0).transform(wider)
    assert np.abs(x - y * np.sign((x * y).sum(0))).max() < 1e-6


def test_a_view_that_is_an_image_of_another_adds_no_dimension():
    rows = views()
    both = {"a": rows["a"], "b": rows["a"] @ np.random.default_rng(2).standard_normal((12, 9))}
    with pytest.raises(UneError, match="15 shared dimensions are more than vary: 12 do"):
        fitted(both, 15, ridge=0)
    shared = fitted(both, 15, ridge=0, or_fewer=True)
    assert len(shared.variances) == 12 and np.allclose(shared.variances[:9], 2, atol=1e-6)
    assert np.allclose(shared.variances[9:], 1, atol=1e-6)


def test_some_views_give_the_ridge_regression_of_x_on_them():
    rows = views()
    shared = fitted(rows, 5, ridge=0.05)
    x = shared.transform(rows)
    both = {view: rows[view] - rows[view].mean(0) for view in ("a", "c")}
    scaled = np.hstack([z / np.sqrt(shared.penalties[view]) for view, z in both.items()])
    expected = Ridge(alpha=1, fit_intercept=False).fit(scaled, x).predict(scaled)
    assert np.allclose(shared.transform({view: rows[view] for view in both}), expected, atol=1e-6)
    assert np.allclose(shared.transform({"b": rows["b"]}), shared.predicted("b", rows["b"]), atol=1e-9)


def test_the_way_back_is_the_shortest_step_that_is_seen_as_asked():
    rows = views()
    shared = fitted(rows, 5)
    step = np.random.default_rng(1).standard_normal(5)
    moved = step @ shared.back("a")
    assert np.allclose(moved @ shared.weights["a"], step)
    assert np.allclose(moved, np.linalg.lstsq(shared.weights["a"].T, step)[0])


def test_held_out_correlation_is_high_where_something_is_shared_and_the_null_is_none():
    shared = fitted(views(), 8)
    held_out = HeldOut(shared)
    fresh = views(seed=5)
    partners = Partners(fresh, 400)
    for start in range(0, 400, 100):
        held_out.add({view: z[start : start + 100] for view, z in fresh.items()}, partners.mixed(100))
    correlations = held_out.correlations()
    seen = {view: shared.predicted(view, z) for view, z in fresh.items()}
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    for k in range(8):
        expected = np.mean([np.corrcoef(seen[a][:, k], seen[b][:, k])[0, 1] for a, b in pairs])
        assert correlations[k] == pytest.approx(expected, abs=1e-9)
    centred = {view: z - z.mean(0) + shared.means[view] for view, z in fresh.items()}
    moments = ScoreMoments(shared.components)
    moments.add(centred)
    assert np.allclose(agreement_in(shared, moments.blocks()), correlations)
    assert correlations[:HIDDEN].min() > 0.8 and np.abs(correlations[HIDDEN:]).max() < 0.2
    assert np.abs(held_out.correlations(shuffled=True)).max() < 0.2


def test_the_null_of_rows_that_are_sorted_is_that_of_rows_in_any_order():
    """Sorted by class, an image's neighbours are of its class, and share what its views do."""
    generator = np.random.default_rng(0)
    classes = np.repeat(np.arange(8), 100)
    rows = {
        view: 3 * generator.standard_normal((8, 12))[classes] + generator.standard_normal((800, 12))
        for view in "ab"
    }
    shared = fitted(rows, 4)
    held_out, partners = HeldOut(shared), Partners(rows, 800)
    for start in range(0, 800, 100):
        batch = {view: z[start : start + 100] for view, z in rows.items()}
        held_out.add(batch, partners.mixed(100))
    assert held_out.correlations().min() > 0.8
    assert np.abs(held_out.correlations(shuffled=True)).max() < 0.15


@pytest.mark.parametrize(
    ("dim", "names", "message"),
    [(4, ["a"], "two views or more"), (29, list("abc"), "have 28 together"), (0, list("abc"), "0 shared")],
)
def test_what_has_no_shared_space_is_refused(dim, names, message):
    rows = views()
    with pytest.raises(UneError, match=message):
        fitted({name: rows[name] for name in names}, dim)


def test_unknown_views_nan_and_a_space_of_one_point_are_refused():
    rows = views()
    with pytest.raises(UneError, match="views are of a, b, c; got d"):
        fitted(rows, 3).maps(["d"])
    with pytest.raises(UneError, match="'a' has a latent that is not finite"):
        fitted(rows | {"a": np.full((400, 2), np.nan)}, 3)
    with pytest.raises(UneError, match="same for every image"):
        fitted(rows | {"a": np.ones((400, 2))}, 3)
