"""Oracles: numpy in float64, scikit-learn's PCA and LAPACK's whole spectrum."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from une_ray.errors import UneError
from une_ray.geometry.gram import Gram, NonFiniteLatents, principal_components, train_grams
from une_ray.geometry.logistic import GROWTH

RNG = np.random.default_rng(0)
N, D, K = 3000, 600, 3  # more dims than one panel of the product
Z = (RNG.normal(size=(N, D)) * np.geomspace(1, 30, D) + np.linspace(-500, 500, D)).astype(np.float32)
Y = np.where(RNG.random((N, K)) < 0.3, 1.0, -1.0)
SPLITS = RNG.random((N, 3)) < 0.25
ALL = np.ones(N, dtype=bool)


def blocks(z=Z, size=700):
    return lambda: (z[i : i + size] for i in range(0, len(z), size))


def moments(z, y):
    z, y = z.astype(np.float64), y.astype(np.float64)
    z0, y0 = z - z.mean(0), y - y.mean(0)
    return {"mean_z": z.mean(0), "mean_y": y.mean(0), "zz": z0.T @ z0, "zy": z0.T @ y0, "yy": (y0**2).sum(0)}


def assert_is(gram, z, y):
    expected, scatter = moments(z, y), gram.scatter().numpy()
    scale = np.sqrt(np.diag(expected["zz"]))
    assert gram.count == len(z)
    assert np.abs(gram.mean_z.numpy() - expected["mean_z"]).max() < 1e-9 and np.allclose(
        gram.mean_y, expected["mean_y"], rtol=0, atol=1e-12
    )
    assert np.abs((scatter - expected["zz"]) / np.outer(scale, scale)).max() < 1e-6 and np.allclose(
        scatter, scatter.T, rtol=0, atol=1e-6 * scale.max() ** 2
    )
    assert np.abs((gram.zy.numpy() - expected["zy"]) / np.outer(scale, np.sqrt(expected["yy"]))).max() < 1e-6
    assert np.allclose(gram.yy, expected["yy"], rtol=1e-6)


def gram_of(z, y, size=700):
    return next(train_grams(blocks(z, size), torch.as_tensor(y), np.zeros((len(z), 1), dtype=bool), np.ones(len(z), dtype=bool)))


@pytest.mark.parametrize("size", [7, 700, 5000])
def test_a_gram_is_numpys_whatever_the_blocks_and_however_far_the_mean(size):
    assert_is(gram_of(Z, Y, size), Z, Y)


def test_float16_latents_are_read_as_they_are():
    z = (Z - Z.mean(0)).astype(np.float16)
    assert_is(gram_of(z, Y), z, Y)


def test_grams_of_parts_add_up_and_can_be_taken_away():
    first, second = gram_of(Z[:1000], Y[:1000]), gram_of(Z[1000:], Y[1000:])
    assert_is(first + second, Z, Y)
    assert_is(gram_of(Z, Y) - first, Z[1000:], Y[1000:])
    assert (first - first).count == 0


def test_one_pass_gives_the_train_rows_of_every_split():
    passes = []
    grams = list(train_grams(lambda: passes.append(1) or blocks()(), torch.as_tensor(Y), SPLITS, ALL))
    for gram, held_out in zip(grams, SPLITS.T):
        assert_is(gram, Z[~held_out], Y[~held_out])
    assert len(passes) == 1


def test_rows_that_are_not_known_touch_nothing():
    known, y = RNG.random(N) < 0.8, Y.copy()
    y[~known] = np.nan
    for gram, held_out in zip(train_grams(blocks(), torch.as_tensor(y), SPLITS, known), SPLITS.T):
        assert_is(gram, Z[known & ~held_out], Y[known & ~held_out])


def test_rows_with_nan_are_named():
    z = Z.copy()
    z[[5, 2900], [0, 9]] = np.nan, np.inf
    with pytest.raises(NonFiniteLatents, match=r"positions \[5\]") as caught:
        gram_of(z, Y)
    assert caught.value.rows == [5]


def test_latents_and_labels_of_different_rows_are_refused():
    with pytest.raises(UneError, match="2999 latents came for 3000 rows"):
        list(train_grams(blocks(Z[:-1]), torch.as_tensor(Y), SPLITS, ALL))


@pytest.fixture(scope="module")
def wide():
    """3,000 rows of 600 dims with a gap after the twentieth component."""
    spread = np.concatenate([np.geomspace(30, 3, 20), np.linspace(1.5, 0.5, 580)])
    basis = np.linalg.qr(RNG.normal(size=(600, 600)))[0]
    z = (RNG.normal(size=(3000, 600)) * spread) @ basis + 7
    return z.astype(np.float32)


def test_principal_components_are_scikit_learns(wide):
    components, values = principal_components(gram_of(wide, Y), 20)
    pca = PCA(20, svd_solver="full").fit(wide.astype(np.float64))
    assert np.allclose(values / (len(wide) - 1), pca.explained_variance_, rtol=1e-5)
    cosines = np.linalg.svd(pca.components_ @ components.numpy(), compute_uv=False)
    assert cosines.min() > 1 - 1e-6
    assert np.abs(np.abs(np.sum(pca.components_ * components.numpy().T, axis=1)) - 1).max() < 1e-4


@pytest.mark.parametrize("decay", [0.0, 0.1, 0.25, 0.5])
def test_the_papers_chain_misses_less_of_a_flat_spectrum_than_scikit_learns_pca(decay):
    z = RNG.normal(size=(2000, 600)) * np.arange(1, 601) ** -decay
    gram = Gram.empty(600, 1)
    gram.add(torch.as_tensor(z), torch.ones(2000, 1))
    scatter, peer = gram.scatter(), PCA(100, svd_solver="randomized", random_state=0).fit(z).components_.T
    ours = principal_components(gram, 100, GROWTH)[1].sum().item()
    exact, theirs = torch.linalg.eigvalsh(scatter)[-100:].sum().item(), np.sum(peer * (scatter.numpy() @ peer))
    assert 1 - ours / exact < min(1e-3, 1 - theirs / exact)


@pytest.mark.parametrize("spread", [np.linspace(1.5, 1, 600), np.geomspace(1, 1e-4, 600)], ids=["flat", "steep"])
def test_components_hold_the_most_variance_where_no_gap_marks_them(spread):
    gram = Gram.empty(600, 1)
    gram.add(torch.as_tensor(RNG.normal(size=(2000, 600)) * spread), torch.ones(2000, 1))
    components, values = principal_components(gram, 60)
    exact = torch.linalg.eigvalsh(gram.scatter()).flip(0)[:60]
    captured = torch.trace(components.T @ gram.scatter() @ components)
    assert captured == pytest.approx(exact.sum().item(), rel=1e-4) and values.sum() == pytest.approx(captured.item(), rel=1e-9)
    assert torch.allclose(components.T @ components, torch.eye(60, dtype=torch.float64), atol=1e-10)
