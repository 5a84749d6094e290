"""Oracles: SciPy's orthogonal_procrustes, planted rotations, and an exhaustive look at random rotations."""

import numpy as np
import pytest
from scipy import linalg
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from une_ray.errors import UneError
from une_ray.geometry.procrustes import (
    distance_between,
    procrustes,
    procrustes_of_moments,
    random_orthogonal,
)

RANDOM = np.random.default_rng(0)
Z = RANDOM.standard_normal((300, 12)) * np.logspace(0, -3, 12) + 5


def test_it_is_scipys_rotation():
    other = Z @ ortho_group.rvs(12, random_state=1) + 0.1 * RANDOM.standard_normal(Z.shape)
    a, b = Z - Z.mean(0), other - other.mean(0)
    assert np.allclose(procrustes(Z, other).q, orthogonal_procrustes(a, b)[0], atol=1e-10)
    uncentred = procrustes(Z, other, centred=False)
    assert np.allclose(uncentred.q, orthogonal_procrustes(Z, other)[0], atol=1e-10)
    assert not uncentred.source_mean.any() and not uncentred.target_mean.any()


def test_a_planted_rotation_with_a_reflection_and_a_shift_comes_back():
    planted = ortho_group.rvs(12, random_state=2)
    planted[:, 0] *= -np.sign(np.linalg.det(planted))  # determinant −1
    found = procrustes(Z, (Z - 1) @ planted + 3)
    assert np.abs(found.q - planted).max() < 1e-6
    assert np.abs(found(Z) - ((Z - 1) @ planted + 3)).max() < 1e-9
    assert found.undetermined == 0 and found.scale == 1


@pytest.mark.parametrize(("source", "target"), [(12, 7), (7, 12)])
def test_unequal_widths_go_both_ways_and_back(source, target):
    planted = random_orthogonal(source, target, np.random.default_rng(3))
    hidden = np.random.default_rng(4).standard_normal((200, min(source, target)))
    z = hidden if source < target else hidden @ planted.T  # what lies in the part that the map keeps
    for centred in (True, False):
        found = procrustes(z, z @ planted + (2 if centred else 0), centred=centred)
        assert np.abs(found.q - planted).max() < 1e-6
        assert np.allclose(found.inverse()(found(z)), z, atol=1e-9)
        narrow = found.q.T @ found.q if source > target else found.q @ found.q.T
        assert np.allclose(narrow, np.eye(min(source, target)), atol=1e-10)


def test_no_other_rotation_is_nearer_in_the_wider_space():
    other = np.tanh(Z @ RANDOM.standard_normal((12, 9)))
    best, back = procrustes(Z, other), procrustes(other, Z)
    assert np.allclose(best.q, back.q.T)
    a, b = Z - Z.mean(0), other - other.mean(0)
    error = lambda q: np.square(a - b @ q.T).sum()  # noqa: E731
    random = np.random.default_rng(5)
    others = [random_orthogonal(12, 9, random) for _ in range(100)]
    near = [linalg.polar(best.q + 0.01 * random.standard_normal((12, 9)))[0] for _ in range(100)]
    assert all(error(q) > error(best.q) for q in others + near)


def test_weights_are_repetitions():
    other = Z @ ortho_group.rvs(12, random_state=1) + RANDOM.standard_normal(Z.shape)
    counts = RANDOM.integers(0, 4, len(Z))
    weighted = procrustes(Z, other, weights=counts.astype(float))
    repeated = procrustes(Z.repeat(counts, 0), other.repeat(counts, 0))
    assert np.allclose(weighted.q, repeated.q) and np.allclose(weighted.target_mean, repeated.target_mean)


def test_few_anchors_determine_what_they_span_and_leave_the_rest_at_zero():
    planted = ortho_group.rvs(12, random_state=6)
    few = procrustes(Z[:5], Z[:5] @ planted)
    assert few.rank == 4 and few.undetermined == 8  # five points about their mean span four dimensions
    assert np.allclose(few(Z[:5]), Z[:5] @ planted, atol=1e-9)
    span = np.linalg.svd(Z[:5] - Z[:5].mean(0))[2][4:]
    assert np.abs(span @ few.q).max() < 1e-6
    assert procrustes(Z[:5], Z[:5] @ planted, centred=False).rank == 5


def test_moments_of_a_stream_give_the_same_map():
    other = Z @ RANDOM.standard_normal((12, 9)) + RANDOM.standard_normal((300, 9))
    a, b = Z - Z.mean(0), other - other.mean(0)
    found = procrustes_of_moments(a.T @ b, Z.mean(0), other.mean(0), rows=299, scatter=a.T @ a)
    scaled = procrustes(Z, other, scaled=True)
    assert np.allclose(found.q, scaled.q) and found.scale == pytest.approx(scaled.scale)
    slope = np.linalg.lstsq((a @ found.q).reshape(-1, 1), b.ravel())[0][0]
    assert found.scale == pytest.approx(slope)


@pytest.mark.parametrize("level", [0.1, 1 / 3, 1e-3, 700.1])
@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 2, 101)])
def test_what_rounding_leaves_of_a_constant_space_is_no_map(level, weights):
    flat, other = np.full((101, 5), level), np.random.default_rng(8).standard_normal((101, 6)) + 1
    for source, target in ((flat, other), (other, flat), (flat, flat)):
        with pytest.raises(UneError, match="nothing varies"):
            procrustes(source, target, weights=weights)
    assert procrustes(flat, other, centred=False, weights=weights).rank == 1  # a direction of its own


def test_a_small_spread_far_from_zero_is_a_map_still():
    planted = ortho_group.rvs(5, random_state=9)
    z = 1e-4 * np.random.default_rng(9).standard_normal((200, 5))
    assert np.abs(procrustes(z + 1, z @ planted + 1).q - planted).max() < 1e-6


def test_two_random_maps_are_about_one_apart_and_a_map_is_none_from_itself():
    random = np.random.default_rng(7)
    one, other = (procrustes(Z, Z @ random_orthogonal(12, 12, random)) for _ in range(2))
    assert distance_between(one, one) == 0 and 0.6 < distance_between(one, other) < 1.4


@pytest.mark.parametrize(
    ("source", "target", "weights", "message"),
    [
        (Z, Z[:-1], None, "as many on both sides"),
        (Z[:0], Z[:0], None, "as many on both sides"),
        (np.full_like(Z, np.nan), Z, None, "not finite"),
        (np.ones_like(Z), Z, None, "nothing varies"),
        (Z, Z, np.full(300, -1.0), "weights"),
        (Z, Z, np.zeros(300), "weights"),
    ],
)
def test_what_is_no_pair_of_anchors_is_refused(source, target, weights, message):
    with pytest.raises(UneError, match=message):
        procrustes(source, target, weights=weights)
