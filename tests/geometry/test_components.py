"""Oracles: scikit-learn's PCA and LAPACK's whole spectrum."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from tests.helpers.grams import Y, gram_of
from une_ray.geometry.components.exact import component_scores
from une_ray.geometry.components.leading import approximate_components_of_rows, leading_components
from une_ray.geometry.gram import Gram
from une_ray.geometry.logistic import MISSED, MISSED_BY_PASSES

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def wide():
    """3,000 rows of 600 dims with a gap after the twentieth component."""
    spread = np.concatenate([np.geomspace(30, 3, 20), np.linspace(1.5, 0.5, 580)])
    basis = np.linalg.qr(RNG.normal(size=(600, 600)))[0]
    z = (RNG.normal(size=(3000, 600)) * spread) @ basis + 7
    return z.astype(np.float32)


def test_leading_components_are_scikit_learns(wide):
    components, values = leading_components(gram_of(wide, Y), 20, 1e-10)
    pca = PCA(20, svd_solver="full").fit(wide.astype(np.float64))
    assert np.allclose(values / (len(wide) - 1), pca.explained_variance_, rtol=1e-5)
    assert components.dtype == values.dtype == torch.float64
    cosines = np.linalg.svd(pca.components_ @ components.numpy(), compute_uv=False)
    assert cosines.min() > 1 - 1e-6
    assert np.abs(np.abs(np.sum(pca.components_ * components.numpy().T, axis=1)) - 1).max() < 1e-4


@pytest.mark.parametrize("decay", [0.0, 0.1, 0.25, 0.5])
def test_the_papers_chain_misses_less_of_a_flat_spectrum_than_scikit_learns_pca(decay):
    z = RNG.normal(size=(2000, 600)) * np.arange(1, 601) ** -decay
    gram = Gram.empty(600, 1)
    gram.add(torch.as_tensor(z), torch.ones(2000, 1))
    scatter, peer = gram.scatter(), PCA(100, svd_solver="randomized", random_state=0).fit(z).components_.T
    ours = leading_components(gram, 100, MISSED)[1].sum().item()
    exact, theirs = (
        torch.linalg.eigvalsh(scatter)[-100:].sum().item(),
        np.sum(peer * (scatter.numpy() @ peer)),
    )
    assert 1 - ours / exact < min(1e-3, 1 - theirs / exact)


@pytest.mark.parametrize(
    "spread", [np.linspace(1.5, 1, 600), np.geomspace(1, 1e-4, 600)], ids=["flat", "steep"]
)
def test_components_hold_the_most_variance_where_no_gap_marks_them(spread):
    gram = Gram.empty(600, 1)
    gram.add(torch.as_tensor(RNG.normal(size=(2000, 600)) * spread), torch.ones(2000, 1))
    components, values = leading_components(gram, 60, 1e-10)
    exact = torch.linalg.eigvalsh(gram.scatter()).flip(0)[:60]
    captured = torch.trace(components.T @ gram.scatter() @ components)
    assert captured == pytest.approx(exact.sum().item(), rel=1e-4) and values.sum() == pytest.approx(
        captured.item(), rel=1e-9
    )
    assert torch.allclose(components.T @ components, torch.eye(60, dtype=torch.float64), atol=1e-10)


def of_rows(z, rank, missed, size=256):
    """Components by passes over the rows, their number and the Gram that has the scatter."""
    gram, passes = gram_of(z, np.ones((len(z), 1))), []

    def blocks():
        passes.append(1)
        return (torch.as_tensor(z[i : i + size]).float() for i in range(0, len(z), size))

    return *approximate_components_of_rows(blocks, gram, rank, missed), len(passes), gram


@pytest.mark.parametrize("decay", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("missed", [MISSED_BY_PASSES, 1e-4])
def test_approximate_components_of_rows_miss_no_more_than_they_say_nor_than_scikit_learns(decay, missed):
    z = (RNG.normal(size=(1500, 600)) * np.arange(1, 601) ** -decay + 3).astype(np.float16)
    components, values, passes, gram = of_rows(z, 60, missed)
    exact = torch.linalg.eigvalsh(gram.scatter()).flip(0)[:60].sum().item()
    captured = torch.diagonal(components.T @ gram.scatter() @ components)
    peer = PCA(60, svd_solver="randomized", random_state=0).fit(z.astype(np.float32)).components_.T
    theirs = np.sum(peer * (gram.scatter().numpy() @ peer))
    assert 0 <= 1 - captured.sum() / exact < min(missed, 1 - theirs / exact) and torch.allclose(
        values, captured, rtol=1e-5
    )
    assert torch.allclose(components.T @ components, torch.eye(60, dtype=torch.float64), atol=1e-5)


def test_approximate_components_of_rows_far_from_zero_are_scikit_learns(wide):
    components, values, _, _ = of_rows(wide + 500, 20, 1e-10)
    pca = PCA(20, svd_solver="full").fit((wide + 500).astype(np.float64))
    assert np.allclose(values / (len(wide) - 1), pca.explained_variance_, rtol=1e-4)
    assert np.abs(np.abs(np.sum(pca.components_ * components.numpy().T, axis=1)) - 1).max() < 1e-3


HARD = {  # latents and a rank that exceeds what they span, or that one value of many hides
    "fewer rows than components": (RNG.normal(size=(100, 600))[np.arange(700) % 100], 250),
    "equal values": (np.eye(700)[np.arange(1600) % 400], 150),
    "one large coordinate": (
        RNG.normal(size=(2000, 700)) * np.arange(1, 701) ** -0.25 * np.where(np.arange(700) == 9, 300, 1),
        60,
    ),
    "one large row": (RNG.normal(size=(600, 900)) * np.where(np.arange(600) == 5, 300, 1)[:, None], 200),
    "smooth": (np.exp(-(((np.arange(1024) - 1.7 * np.arange(600)[:, None]) / 40) ** 2)), 250),
    "rank close to the dims": (RNG.normal(size=(1500, 300)) * np.geomspace(1, 0.01, 300), 270),
    "hardly more dims than a block": (RNG.normal(size=(500, 100)), 12),
}


@pytest.mark.parametrize("way", ["scatter", "rows"])
@pytest.mark.parametrize("case", HARD)
def test_hard_cases_give_every_component_that_there_is(case, way):
    z, rank = HARD[case]
    z = z.astype(np.float32)
    components, values, passes, gram = of_rows(z, rank, MISSED)
    if way == "scatter":
        components, values = leading_components(gram, rank, MISSED)
    exact = torch.linalg.eigvalsh(gram.scatter()).flip(0)[:rank]
    captured = torch.diagonal(components.T @ gram.scatter() @ components)
    assert components.shape == (z.shape[1], rank)
    assert torch.allclose(components.T @ components, torch.eye(rank, dtype=torch.float64), atol=1e-4)
    assert captured.sum() > (1 - MISSED) * exact.sum()
    assert captured[rank // 2 :].sum() > 0.9 * exact[rank // 2 :].sum() - 1e-5 * gram.spread
    assert torch.allclose(values, captured, rtol=1e-3, atol=1e-5 * gram.spread)


def test_products_end_where_no_variance_is_left():
    z = RNG.normal(size=(40, 700)).astype(np.float32)
    components, values, passes, gram = of_rows(z, 39, MISSED)
    exact = torch.linalg.eigvalsh(gram.scatter()).flip(0)[:39]
    captured = torch.diagonal(components.T @ gram.scatter() @ components)
    assert (
        torch.allclose(values, exact, rtol=1e-4)
        and torch.allclose(captured, exact, rtol=1e-4)
        and passes == 2
    )


def left_vectors(z):
    return np.linalg.svd(z - z.mean(0, dtype=float), full_matrices=False)[0]


@pytest.mark.parametrize("shape", [(50, 20), (20, 50)])
def test_component_scores_of_uneven_coordinates_are_those_of_standardised_ones(shape):
    """One coordinate ten thousand times as wide as the others; another varies by its rounding alone."""
    z = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    z[:, 0] *= 1e4
    z[:, 1] = (1 + 1e-4 * z[:, 1]).astype(np.float16)
    U = left_vectors(StandardScaler().fit_transform(np.delete(z, 1, 1).astype(float)))
    U = U[:, : min(shape[1] - 1, shape[0] - 1)]
    scores = component_scores(z)
    assert scores.shape == U.shape and np.allclose(np.abs((scores * U).sum(0)), 1, atol=1e-6)


def test_what_varies_by_rounding_alone_makes_no_scale_uneven():
    z = np.random.default_rng(0).standard_normal((60, 20)) * np.geomspace(1, 0.1, 20)
    z[:, :10] = (1 + 1e-4 * z[:, :10]).astype(np.float16)
    U = left_vectors(z)[:, :10]
    assert np.allclose(np.abs((component_scores(z) * U).sum(0)), 1, atol=1e-6)


def test_component_scores_are_the_left_singular_vectors():
    for shape in ((50, 20), (20, 50)):
        z = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        U = np.linalg.svd(z - z.mean(0, dtype=float), full_matrices=False)[0][
            :, : min(shape[1], shape[0] - 1)
        ]
        scores = component_scores(z)
        assert scores.shape == U.shape and np.allclose(np.abs((scores * U).sum(0)), 1, atol=1e-6)
