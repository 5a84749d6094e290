"""Taking nuisances out of a step: what each erasure promises, by closed forms and scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from une_ray.errors import UneError
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.erasures import Nuisances, shrunk
from une_ray.studies.edits.registries import ERASURES

RANDOM = np.random.default_rng(0)
Z = RANDOM.standard_normal((400, 12)) @ RANDOM.standard_normal((12, 12))
W = RANDOM.standard_normal((3, 12))
LABELS = ((Z @ W.T + RANDOM.standard_normal((400, 3))) > 0).astype(float)[:, 1:]
TARGET = Direction.fitted("space", "target", "ridge", W[0], 0.0, Z)


def nuisances(labels: np.ndarray = LABELS, shrinkage: float = 0.0) -> Nuisances:
    return Nuisances({"a": W[1], "b": W[2]}, Z, labels, shrunk(np.cov(Z.T, bias=True), shrinkage))


@pytest.mark.parametrize("erasure", ERASURES.names())
@pytest.mark.parametrize("covariant", [False, True])
def test_every_erasure_leaves_a_step_of_one_deviation_and_names_what_it_keeps(erasure, covariant):
    told = nuisances()
    found = ERASURES.find(erasure).erase(TARGET, told, told.covariance if covariant else None, 2)
    assert (
        found.w @ found.step == pytest.approx(found.std)
        and found.nuisances == ("a", "b")
        and 0 < found.remaining_norm
    )


def test_iterative_erasure_of_one_round_keeps_the_score_of_a_ridge_probe_and_of_more_rounds_more():
    centred = Z - Z.mean(0)
    unit = np.trace(centred.T @ centred) / 12
    ridge = np.linalg.solve(centred.T @ centred + unit * np.eye(12), centred.T @ (2 * LABELS - 1))
    steps = [ERASURES.find("iterative").erase(TARGET, nuisances(), None, rounds).step for rounds in (1, 3)]
    for step in steps:
        assert np.abs(ridge.T @ step).max() < 1e-5 * np.linalg.norm(ridge) * np.linalg.norm(step)
    assert (
        ERASURES.find("iterative").erase(TARGET, nuisances(), None, 3).remaining_norm
        < ERASURES.find("iterative").erase(TARGET, nuisances(), None, 1).remaining_norm
    )


def test_after_leace_no_least_squares_reading_of_the_labels_moves():
    readings = LinearRegression().fit(Z, LABELS).coef_
    step = ERASURES.find("leace").erase(TARGET, nuisances(), None, 0).step
    assert np.abs(readings @ step).max() < 1e-9 * np.linalg.norm(readings) * np.linalg.norm(step)


def test_in_the_covariance_inner_product_leace_is_orthogonality_to_the_least_squares_readings():
    told, readings = nuisances(), LinearRegression().fit(Z, LABELS).coef_
    found = ERASURES.find("leace").erase(TARGET, told, told.covariance, 0)
    assert np.allclose(found.step, TARGET.keeping(dict(zip("ab", readings)), told.covariance).step)


def test_leace_passes_over_images_whose_labels_are_not_all_known_and_needs_some():
    partly = LABELS.copy()
    partly[300:, 1] = np.nan
    step = (
        ERASURES.find("leace")
        .erase(TARGET, Nuisances({"a": W[1], "b": W[2]}, Z, partly, np.cov(Z[:300].T, bias=True)), None, 0)
        .step
    )
    readings = LinearRegression().fit(Z[:300], LABELS[:300]).coef_
    assert np.abs(readings @ step).max() < 1e-9 * np.linalg.norm(readings) * np.linalg.norm(step)
    with pytest.raises(UneError, match="no train image has a label of each of a, b"):
        ERASURES.find("leace").erase(TARGET, nuisances(np.full((400, 2), np.nan)), None, 0)


def test_erasing_the_target_itself_is_refused():
    readings = LinearRegression().fit(Z, LABELS).coef_
    spanned = Direction.fitted("space", "target", "ridge", readings[0], 0.0, Z)
    told = nuisances()
    with pytest.raises(UneError, match="erasing a, b leaves a step along target"):
        ERASURES.find("leace").erase(spanned, told, told.covariance, 0)


def test_shrinkage_goes_from_the_covariance_to_its_mean_variance():
    covariance = np.cov(Z.T)
    assert np.array_equal(shrunk(covariance, 0), covariance)
    assert np.allclose(shrunk(covariance, 1), np.trace(covariance) / 12 * np.eye(12))
    assert np.trace(shrunk(covariance, 0.3)) == pytest.approx(np.trace(covariance))
