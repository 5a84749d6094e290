"""Probes whose eigenvalues are next to nothing, of fewer rows than dims or of tiny λ. Oracle: the singular
values of the rows in float64, and NumPy's least squares."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from une_ray.errors import UneError
from une_ray.geometry.gram import NonFiniteLatents
from une_ray.geometry.linear import PENALTIES
from une_ray.geometry.probes import fit, fit_linear
from une_ray.geometry.train_rows import FEW

RNG = np.random.default_rng(0)
N, D, ATTRIBUTES = 160, 768, 40


def patches() -> np.ndarray:
    """Pixels of photographs, 16 by 16, whose leading component has hundreds of times the mean variance."""
    photographs = load_sample_images().images
    places = zip(RNG.integers(0, 427 - 64, N), RNG.integers(0, 640 - 64, N))
    cut = [photographs[i % 2][y : y + 64 : 4, x : x + 64 : 4].ravel() for i, (y, x) in enumerate(places)]
    return np.stack(cut).astype(np.float32) / 255


def steep(rows: int, dims: int) -> np.ndarray:
    """Normal components whose variances fall with the third power of their number, turned."""
    random = np.random.default_rng(1)
    turn = np.linalg.qr(random.normal(size=(dims, dims)))[0]
    return (random.normal(size=(rows, dims)) * np.arange(1, dims + 1) ** -1.5 @ turn + 3).astype(np.float32)


def labelled(z: np.ndarray) -> np.ndarray:
    """Read in the first sixty components, with less and more noise."""
    components = np.linalg.svd(z - z.mean(0), full_matrices=False)[0][:, :60]
    signal = components @ (RNG.normal(size=(60, ATTRIBUTES)) * np.arange(1, 61)[:, None] ** -0.7)
    noise = RNG.normal(size=signal.shape) * np.geomspace(0.01, 2, ATTRIBUTES)
    return (signal / signal.std(0) + noise > 0).astype(np.float32)


Z = patches()
LABELS = labelled(Z)
TEST = (np.arange(N) % 5 == 0)[:, None]


def of_rows(z: np.ndarray, y: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """Ridge weights (d, k), and generalised cross-validation's V (k,), from singular values."""
    z, y = z.astype(np.float64), 2.0 * y - 1
    z, y = z - z.mean(0), y - y.mean(0)
    u, s, v = np.linalg.svd(z, full_matrices=False)
    rank = min(len(z) - 1, z.shape[1])  # rows are centred
    s, u, v = s[:rank], u[:, :rank], v[:rank]
    kept = s**2 / (s**2 + penalty * (s**2).sum() / z.shape[1])
    rss = ((y - u @ (kept[:, None] * (u.T @ y))) ** 2).sum(0)
    freedom = len(z) - 1 - kept.sum()
    return v.T @ ((kept / s)[:, None] * (u.T @ y)), len(z) * rss / freedom**2


@pytest.mark.usefixtures("either_way")
def test_of_fewer_rows_than_dims_rounding_does_not_choose_the_penalty():
    train = ~TEST[:, 0]
    values = np.array([of_rows(Z[train], LABELS[train], penalty)[1] for penalty in PENALTIES])
    (probes,) = fit(lambda: iter([Z]), LABELS, TEST)
    chosen = [probe.penalty for probe in probes]
    assert chosen == [PENALTIES[place] for place in values.argmin(0)] and len(set(chosen)) > 2


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("penalty", [1e-7, 1e-5])
@pytest.mark.parametrize(("rows", "dims"), [(160, 420), (600, 300)])
def test_tiny_penalties_give_the_weights_of_exact_arithmetic(rows, dims, penalty):
    z, labels = steep(rows, dims), np.resize(LABELS, (rows, 3))
    test = (np.arange(rows) % 5 == 0)[:, None]
    (probes,) = fit(lambda: iter([z]), labels, test, penalties=[penalty])
    train = ~test[:, 0]
    w = of_rows(z[train], labels[train], penalty)[0]
    for probe, expected in zip(probes, w.T):
        assert np.linalg.norm(probe.w - expected) < 1e-5 * np.linalg.norm(expected)
    alone = fit_linear(z[train], labels[train], penalties=[penalty])
    assert np.linalg.norm(alone.w.numpy() - w) < 1e-5 * np.linalg.norm(w)


@pytest.mark.usefixtures("either_way")
def test_least_squares_of_components_of_all_sizes_is_numpys():
    z, labels, test = steep(600, 300), np.resize(LABELS, (600, 3)), np.zeros((600, 1), bool)
    test[:100] = True
    (probes,) = fit(lambda: iter([z]), labels, test, "least-squares")
    train = z[100:].astype(np.float64)
    w = np.linalg.lstsq(train - train.mean(0), 2.0 * labels[100:] - 2 * labels[100:].mean(0), rcond=None)[0]
    for probe, expected in zip(probes, w.T):
        assert np.linalg.norm(probe.w - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("method", ["ridge", "lda", "mean-difference"])
@pytest.mark.parametrize("groups", [None, np.arange(60) // 2])
def test_wide_latents_of_few_rows_need_no_square_of_their_dims(method, groups):
    """Of 60,000 dims, which has 29 GB."""
    z = np.random.default_rng(2).normal(size=(60, 60_000)).astype(np.float32)
    z[:, 0] *= 90
    labels = (z[:, :1] > 0).astype(np.float32)
    test = (np.arange(60) % 6 < 2)[:, None]  # pairs together
    (probes,) = fit(lambda: iter([z]), labels, test, method, groups=groups)
    assert len(z) < FEW and probes[0].metrics["auc"] > 0.95 and probes[0].w.shape == (60_000,)


def passes_of(z: np.ndarray) -> tuple[list[int], object]:
    passes: list[int] = []

    def blocks():
        passes.append(1)
        return iter([z])

    return passes, blocks


@pytest.mark.parametrize("method", ["ridge", "lda", "least-squares"])
def test_attributes_known_in_few_images_each_read_the_latents_twice(method, monkeypatch):
    """Once for the rows, once for scores, whatever the number of splits."""
    monkeypatch.setattr("une_ray.geometry.train_rows.FEW", 300)
    z = np.random.default_rng(0).normal(size=(2000, 12)).astype(np.float32)
    labels = (z[:, :3] > 0).astype(np.float32)
    for column in range(3):
        labels[np.arange(2000) % 8 != column, column] = np.nan
    passes, blocks = passes_of(z)
    fitted = fit(blocks, labels, np.arange(2000)[:, None] % 5 == np.arange(5), method)
    assert len(passes) == 2 * 3 and all(probe.metrics["auc"] > 0.9 for probes in fitted for probe in probes)


@pytest.mark.parametrize("mean", [0, 1000])
@pytest.mark.parametrize("penalty", [1e-8, 1e-4])
def test_standardised_coordinates_are_exact_too(mean, penalty):
    random = np.random.default_rng(0)
    z = random.normal(size=(240, 500)) + mean
    z[:, :3] *= 1e3
    z = z.astype(np.float32)
    labels = (z[:, 3:6] - mean + random.normal(size=(240, 3)) > 0).astype(np.float32)
    test = (np.arange(240) % 5 == 0)[:, None]
    (probes,) = fit(lambda: iter([z]), labels, test, penalties=[penalty])
    train = z[~test[:, 0]].astype(np.float64)
    deviations = train.std(0)
    w = of_rows((train - train.mean(0)) / deviations, labels[~test[:, 0]], penalty)[0] / deviations[:, None]
    for probe, expected in zip(probes, w.T):
        assert np.linalg.norm(probe.w - expected) < 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("value", [0.1, 1000.3])
def test_train_rows_that_are_all_the_same_in_one_split_are_refused(value):
    z = np.random.default_rng(0).normal(size=(60, 20)).astype(np.float32)
    z[:40] = value
    labels = (np.arange(60)[:, None] % 2).astype(np.float32)
    test = np.c_[np.arange(60) >= 40, np.arange(60) % 5 == 0]
    with pytest.raises(UneError, match="all 40 train rows have the same latent"):
        fit(lambda: iter([z]), labels, test)


def test_latents_that_are_not_finite_are_named_by_their_row():
    z = Z.copy()
    z[[7, 90], 3] = np.nan
    with pytest.raises(NonFiniteLatents, match="2 rows") as caught:
        fit(lambda: iter([z[:50], z[50:]]), LABELS, TEST)
    assert caught.value.rows == [7, 90]


def test_fitted_rows_are_not_kept_for_what_is_measured_later():
    (probes,) = fit(lambda: iter([Z]), LABELS, TEST)
    sizes = {len(pickle.dumps(probe)) for probe in probes}
    assert max(sizes) < 8 * D + 4000
    calls: list[int] = []

    def spread(work, shared, own, pieces):
        calls.append(len(pickle.dumps(shared)))
        return work(lambda: iter([Z]), shared, own(slice(0, N)))

    fit(lambda: iter([Z]), LABELS, TEST, spread=spread)
    assert len(calls) == 2 and calls[1] < 4 * 8 * D * ATTRIBUTES  # weights travel to where scores are made
