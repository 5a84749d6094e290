"""A step is one standard deviation of the probe's score, whatever it keeps; baselines are what they are
said to be."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from une_ray.errors import UneError
from une_ray.studies.edits.directions import Direction, mean_difference
from une_ray.studies.edits.probe_row import ProbeRow

DIM = 10
RNG = np.random.default_rng(0)
TRAIN = RNG.standard_normal((500, DIM)) @ RNG.standard_normal((DIM, DIM)) + 1
SIGMA = np.cov(TRAIN.T, bias=True)
ROW = ProbeRow(
    space="gen/ddim50",
    attribute="Smiling",
    method="ridge",
    config="c",
    w=RNG.standard_normal(DIM) * 1e-3,
    b=0.1,
)
OTHERS = {"Male": RNG.standard_normal(DIM), "Young": 1e4 * RNG.standard_normal(DIM)}


@pytest.fixture
def direction() -> Direction:
    return Direction.from_probe(ROW, TRAIN)


def test_a_probes_row_becomes_a_direction_with_its_scores(direction):
    scores = TRAIN @ ROW.w + ROW.b
    assert (direction.space, direction.attribute, direction.method) == ("gen/ddim50", "Smiling", "ridge")
    assert direction.scores == pytest.approx(scores) and direction.std == pytest.approx(scores.std())


def test_the_plain_step_is_a_standard_deviation_of_the_unit_score_along_the_unit_vector(direction):
    unit = direction.w / np.linalg.norm(direction.w)
    assert np.allclose(direction.step, (TRAIN @ unit).std() * unit)


@pytest.mark.parametrize("covariance", [None, SIGMA], ids=["plain", "covariance"])
def test_a_step_that_keeps_others_still_raises_its_own_score_by_one_deviation(direction, covariance):
    kept = direction.keeping(OTHERS, covariance)
    assert kept.w @ kept.step == pytest.approx(kept.std)
    for w in OTHERS.values():
        assert abs(w @ kept.step) < 1e-9 * np.linalg.norm(w) * np.linalg.norm(kept.step)
    assert kept.nuisances == ("Male", "Young") and kept.inner_product == (
        "plain" if covariance is None else "covariance"
    )


def test_what_is_kept_costs_length(direction):
    kept = direction.keeping(OTHERS)
    assert np.linalg.norm(kept.step) == pytest.approx(np.linalg.norm(direction.step) / kept.remaining_norm)
    assert kept.remaining_norm < 1 == direction.remaining_norm


def test_in_the_covariance_inner_product_the_step_is_the_slope_of_z_on_the_score(direction):
    scores = TRAIN @ direction.w
    slope = [np.polyfit((scores - scores.mean()) / scores.std(), column, 1)[0] for column in TRAIN.T]
    assert np.allclose(direction.keeping({}, SIGMA).step, slope)


def test_random_steps_are_as_long_and_repeat_by_seed(direction):
    kept = direction.keeping(OTHERS)
    one, same, other = kept.random(1), kept.random(1), kept.random(2)
    assert np.linalg.norm(one.step) == pytest.approx(np.linalg.norm(kept.step))
    assert (one.step == same.step).all() and not np.allclose(one.step, other.step)
    assert one.method == "random" and one.nuisances == () and (one.w == kept.w).all()


def test_random_steps_are_drawn_in_the_inner_product_of_the_step_they_stand_beside(direction):
    kept = direction.keeping(OTHERS, SIGMA)
    drawn = kept.random(1, SIGMA).drawn([f"image-{n}" for n in range(64)])
    lengths = np.einsum("bi,ij,bj->b", drawn, np.linalg.inv(SIGMA), drawn)
    assert np.allclose(lengths, kept.step @ np.linalg.solve(SIGMA, kept.step))
    assert len(np.unique(drawn[:, 0])) == 64
    many = kept.random(2, SIGMA).drawn([f"image-{n}" for n in range(256)])
    shape = many.T @ many / np.trace(many.T @ many) - SIGMA / np.trace(SIGMA)
    assert np.linalg.norm(shape) < 0.3 * np.linalg.norm(SIGMA / np.trace(SIGMA))


def test_the_mean_difference_is_the_nearest_centroid_classifier():
    labels = RNG.random(len(TRAIN)) < 1 / (1 + np.exp(-TRAIN[:, 0]))
    w, b = mean_difference(TRAIN, labels)
    assert ((TRAIN @ w + b > 0) == NearestCentroid().fit(TRAIN, labels).predict(TRAIN)).all()


def test_bad_readings_are_refused_with_their_reason():
    with pytest.raises(UneError, match="no ridge probe .* 3 positives"):
        Direction.from_probe(replace(ROW, w=None, error="3 positives"), TRAIN)
    with pytest.raises(UneError, match="all 500 train rows score 0.1"):
        Direction.from_probe(replace(ROW, w=np.zeros(DIM)), TRAIN)
    with pytest.raises(UneError, match="all 500 labels are True"):
        mean_difference(TRAIN, np.ones(500, bool))
