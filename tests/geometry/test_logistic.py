"""Oracle: scikit-learn's LogisticRegression, attribute by attribute, in float64."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from une_ray.geometry.gram import train_grams
from une_ray.geometry.logistic import logistic, reduced, standardised

RNG = np.random.default_rng(0)
N, D = 1500, 40
Z = (RNG.normal(size=(N, D)) @ RNG.normal(size=(D, D)) * np.geomspace(5, 0.02, D) + 3).astype(np.float32)
SCORE = (Z - Z.mean(0)) / Z.std(0) @ RNG.normal(size=(D, 5))
SCORE /= SCORE.std(0)
# From a coin to a line that nearly separates, and from halves to one in a hundred.
Y = (SCORE * [0, 1, 2, 20, 3] + RNG.logistic(size=(N, 5)) > [0, 0, 2, 0, 7.5]).astype(np.float64)
PENALTIES = [0.1, 1.0, 100.0]


def rows(size=600):
    return lambda: (
        (torch.as_tensor(Z[i : i + size]), torch.as_tensor(Y[i : i + size])) for i in range(0, N, size)
    )


def gram(scatter_up_to=D):
    split = np.zeros((N, 1), dtype=bool)
    return next(
        train_grams(lambda: [Z], torch.as_tensor(2 * Y - 1), split, ~split[:, 0], scatter_up_to=scatter_up_to)
    )


def library(penalty, *steps):
    """Scikit-learn's optimum after `steps` and standardising: (d, k) and (k,) of the raw latents."""
    chain = make_pipeline(*steps, StandardScaler()).fit(Z.astype(np.float64))
    features, origin = chain.transform(Z.astype(np.float64)), chain.transform(np.zeros((1, D)))
    fitted = [
        LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=1e-10, max_iter=1000).fit(features, y)
        for y in Y.T
    ]
    w = np.column_stack([f.coef_[0] for f in fitted])
    return (chain.transform(np.eye(D)) - origin) @ w, np.array([f.intercept_[0] for f in fitted]) + (
        origin @ w
    )[0]


def assert_same(solution, expected):
    w, b, converged = solution
    assert converged.all()
    assert (
        np.linalg.norm(w.numpy() - expected[0], axis=0) < 1e-4 * np.linalg.norm(expected[0], axis=0)
    ).all()
    assert np.allclose(b, expected[1], atol=1e-4 * (1 + np.abs(expected[0] * 3).sum(0).max()))


@pytest.mark.parametrize("penalty", PENALTIES)
def test_standardised_logistic_is_scikit_learns(penalty):
    assert_same(standardised(gram(), rows(), penalty), library(penalty))


@pytest.mark.parametrize("scatter_up_to", [D, 0], ids=["scatter", "passes"])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_papers_chain_is_scikit_learns_folded_back(penalty, scatter_up_to):
    assert_same(
        reduced(gram(scatter_up_to), rows(), penalty, 12), library(penalty, PCA(12, svd_solver="full"))
    )


@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_gradient_of_the_whole_loss_vanishes(penalty):
    w, b, _ = (value.numpy() for value in standardised(gram(), rows(), penalty))
    spread, z = Z.std(0, dtype=np.float64), Z.astype(np.float64)
    error = 1 / (1 + np.exp(-(z @ w + b))) - Y
    gradient = (z - z.mean(0)).T @ error / spread[:, None] + penalty * w * spread[:, None]
    assert np.abs(gradient).max() < 1e-4 * N**0.5 and np.abs(error.sum(0)).max() < 1e-4 * N**0.5


def test_attributes_do_not_touch_each_other():
    x = torch.as_tensor((Z - Z.mean(0)) / Z.std(0))
    scatter = x.double().T @ x.double()
    together = logistic(lambda: [(x, torch.as_tensor(Y))], scatter, N, 1.0)[0]
    alone = torch.cat(
        [logistic(lambda y=y: [(x, torch.as_tensor(y)[:, None])], scatter, N, 1.0)[0] for y in Y.T], dim=1
    )
    assert (together - alone).norm(dim=0).max() < 1e-4 * alone.norm()


def test_labels_that_latents_separate_have_the_penaltys_optimum():
    z = torch.linspace(-1, 1, 200)[:, None]
    w, b, converged = logistic(lambda: [(z, (z > 0).double())], z.double().T @ z.double(), 200, 1e-3)
    expected = LogisticRegression(C=1e3, tol=1e-12, max_iter=10_000).fit(
        z.numpy().astype(float), z[:, 0].numpy() > 0
    )
    assert (
        converged.all() and w.item() == pytest.approx(expected.coef_[0, 0], rel=1e-3) and abs(b.item()) < 1e-3
    )


def test_a_constant_coordinate_gets_no_weight():
    constant = np.concatenate([Z, np.full((N, 1), 4, dtype=np.float32)], axis=1)
    split = np.zeros((N, 1), dtype=bool)
    wider = next(train_grams(lambda: [constant], torch.as_tensor(2 * Y - 1), split, ~split[:, 0]))
    w, _, converged = standardised(wider, lambda: [(torch.as_tensor(constant), torch.as_tensor(Y))], 1.0)
    assert converged.all() and w[-1].abs().max() < 1e-9
    assert np.abs(w[:-1].numpy() - library(1.0)[0]).max() < 1e-3 * np.abs(w.numpy()).max()
