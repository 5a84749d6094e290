"""Oracles: planted rotations and linear maps, least squares by scikit-learn, all cosines."""

import numpy as np
import pytest
from scipy.stats import ortho_group
from sklearn.linear_model import LinearRegression
from sklearn.metrics.pairwise import cosine_similarity

from une_ray.geometry.pairing import class_retrieval, item_retrieval, nearest, paired_cosine
from une_ray.geometry.peers import PEERS, Anchors
from une_ray.geometry.unit import unit_rows

RANDOM = np.random.default_rng(0)
Z = unit_rows(RANDOM.standard_normal((500, 10)) * np.linspace(1, 0.3, 10) + 0.4)
ROTATION = ortho_group.rvs(10, random_state=1)
ROTATED = Anchors(a=Z[:400], b=Z[:400] @ ROTATION)
BENT = Anchors(a=Z[:400], b=unit_rows(Z @ RANDOM.standard_normal((10, 7)))[:400])


def mapped(name: str, centred: bool, anchors: Anchors) -> np.ndarray:
    return PEERS[name, centred](anchors).source(Z[400:])


@pytest.mark.parametrize("name", ["orthogonal", "affine", "ridge"])
def test_a_rotation_is_found_by_all_that_look_for_one(name):
    assert paired_cosine(mapped(name, True, ROTATED), Z[400:] @ ROTATION) > 0.9999
    assert item_retrieval(mapped(name, True, ROTATED), Z[400:] @ ROTATION) == 1


@pytest.mark.parametrize("name", ["identity", "random"])
def test_what_does_not_look_finds_nothing_but_the_mean(name):
    found = mapped(name, True, ROTATED)
    centre = ROTATED.b.mean(0)
    assert abs(paired_cosine(found - centre, Z[400:] @ ROTATION - centre)) < 0.3
    assert item_retrieval(found, Z[400:] @ ROTATION) < 0.1


def test_affine_is_least_squares_and_the_mlp_learns_what_is_linear():
    expected = LinearRegression().fit(BENT.a, BENT.b).predict(Z[400:])
    assert np.allclose(mapped("affine", True, BENT), expected, atol=1e-8)
    assert paired_cosine(mapped("mlp", True, BENT), expected) > 0.95


def test_relative_representations_of_rotated_spaces_are_the_same():
    peer = PEERS["relative", False](ROTATED)
    assert np.allclose(peer.source(Z[400:]), peer.target(Z[400:] @ ROTATION), atol=1e-9)


def test_a_centred_map_moves_to_other_means_and_one_that_is_not_stays():
    texts, shift = Z[400:] - 3, np.arange(10.0)
    for name in ("orthogonal", "affine"):
        about = PEERS[name, True](ROTATED).about(texts.mean(0), shift)
        assert np.allclose(about.source(texts), (texts - texts.mean(0)) @ ROTATION + shift, atol=1e-6)
    still = PEERS["orthogonal", False](ROTATED)
    assert still.about(texts.mean(0), shift) is still


def test_retrieval_is_the_first_of_all_cosines(monkeypatch):
    monkeypatch.setattr("une_ray.geometry.pairing.BLOCK", 7)
    other = Z[:60] + 0.3 * RANDOM.standard_normal((60, 10))
    cosines = cosine_similarity(Z[:60], other)
    assert (nearest(Z[:60], other) == cosines.argmax(1)).all()
    assert item_retrieval(Z[:60], other) == (cosines.argmax(1) == np.arange(60)).mean()
    np.fill_diagonal(cosines, -2)
    classes = np.arange(60) % 3
    classes[0] = 3  # alone in its class: it has nothing to find
    hits = classes[cosines.argmax(1)] == classes
    assert class_retrieval(Z[:60], other, classes) == pytest.approx(hits[1:].mean())
    assert class_retrieval(Z[:60], other, np.arange(60)) is None
