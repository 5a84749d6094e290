"""Oracles: scikit-learn's ridge and CCA by hand, SciPy's Procrustes with a scale, R² by scikit-learn."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score

from une_ray.geometry import fidelity
from une_ray.geometry.fidelity import FIDELITIES, Halves
from une_ray.geometry.transfer import PENALTIES

RANDOM = np.random.default_rng(0)
A = RANDOM.standard_normal((300, 7)) * np.linspace(2, 0.5, 7) + 3
B = A @ RANDOM.standard_normal((7, 7)) + 0.5 * RANDOM.standard_normal((300, 7)) - 1
IN_ORDER = np.arange(150)


def score(name: str, a=A, b=B, order=IN_ORDER) -> float:
    return FIDELITIES[name](Halves.of(a), Halves.of(b))(order)


def about_train_mean(predicted: np.ndarray) -> float:
    return 1 - np.square(B[150:] - predicted).sum() / np.square(B[150:] - B[:150].mean(0)).sum()


def test_a_rotation_is_scipys_with_the_scale_of_least_squares():
    a, b = A[:150] - A[:150].mean(0), B[:150] - B[:150].mean(0)
    q, total = orthogonal_procrustes(a, b)
    predicted = total / np.square(a).sum() * (A[150:] - A[:150].mean(0)) @ q + B[:150].mean(0)
    assert score("orthogonal") == pytest.approx(about_train_mean(predicted), abs=1e-9)


def test_ridge_is_one_of_scikit_learns_and_near_the_best_of_them():
    a = A[:150] - A[:150].mean(0)
    grid = PENALTIES * np.square(a).sum() / 7
    scores = [about_train_mean(Ridge(alpha=p).fit(A[:150], B[:150]).predict(A[150:])) for p in grid]
    assert min(abs(score("ridge") - s) for s in scores) < 1e-9 and score("ridge") > max(scores) - 0.01
    near = Ridge(alpha=1e-3).fit(A[:150], B[:150]).predict(A[150:])
    expected = r2_score(B[150:], near, multioutput="variance_weighted")
    assert score("ridge") == pytest.approx(expected, abs=0.02)


def test_through_all_canonical_directions_it_is_ridge_and_through_few_it_is_less(monkeypatch):
    assert score("cca-map") == pytest.approx(score("ridge"), abs=1e-9)
    monkeypatch.setattr(fidelity, "SHARED", 2)
    assert score("cca-map") < score("ridge") - 0.1


@pytest.mark.parametrize("name", FIDELITIES)
def test_mixed_up_pairs_explain_nothing_and_components_left_out_count_as_unexplained(name, monkeypatch):
    assert abs(score(name, order=RANDOM.permutation(150))) < 0.15
    whole = score(name)
    monkeypatch.setattr(fidelity, "COMPONENTS", 3)
    kept = Halves.of(B)
    share = np.square(kept.test).sum() / (np.square(kept.test).sum() + kept.test_rest)
    assert score(name) < min(whole, share) and kept.train.shape == (150, 3)


def test_a_planted_rotation_is_explained_whole_both_ways():
    turn = np.linalg.qr(RANDOM.standard_normal((7, 7)))[0]
    for a, b in ((A, 3 * A @ turn), (3 * A @ turn, A)):
        assert score("orthogonal", a, b) == pytest.approx(1, abs=1e-9)
