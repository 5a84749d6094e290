"""One step that moves several attributes: what it promises, and that no shorter one keeps the promise."""

import numpy as np
import pytest
from scipy import optimize

from une_ray.errors import UneError
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.together import JointDirection

DIM = 10
RNG = np.random.default_rng(0)
TRAIN = RNG.standard_normal((500, DIM)) @ RNG.standard_normal((DIM, DIM))
SIGMA = np.cov(TRAIN.T)
SMILE = RNG.standard_normal(DIM)
GLASSES = 1e3 * (SMILE + RNG.standard_normal(DIM))  # of another scale, and leaning towards the first
KEPT = {"Male": RNG.standard_normal(DIM), "Young": RNG.standard_normal(DIM)}
PARTS = [
    Direction.fitted("gen/ddim50", name, "ridge", w, 0.1, TRAIN)
    for name, w in {"Smiling": SMILE, "Eyeglasses": GLASSES}.items()
]
JOINT = JointDirection.of("Smiling+Eyeglasses", PARTS)
INNER = pytest.mark.parametrize("covariance", [None, SIGMA], ids=["plain", "covariance"])


@INNER
def test_both_scores_rise_by_one_deviation_and_those_that_are_kept_by_none(covariance):
    joint = JOINT.keeping(KEPT, covariance)
    for part in PARTS:
        assert part.w @ joint.step == pytest.approx(part.std)
    for w in KEPT.values():
        assert abs(w @ joint.step) < 1e-9 * np.linalg.norm(w) * np.linalg.norm(joint.step)
    assert joint.nuisances == ("Male", "Young") and 0 < joint.remaining_norm < 1


@INNER
def test_no_other_step_that_does_so_is_shorter_in_the_inner_product(covariance):
    joint = JOINT.keeping(KEPT, covariance)
    metric = np.eye(DIM) if covariance is None else np.linalg.inv(covariance)
    rises = np.array([*(part.std for part in PARTS), *np.zeros(len(KEPT))])
    readings = np.stack([*(part.w for part in PARTS), *KEPT.values()])
    scale = np.linalg.norm(readings, axis=1)
    shortest = optimize.minimize(
        lambda v: v @ metric @ v,
        np.zeros(DIM),
        jac=lambda v: 2 * metric @ v,
        constraints={"type": "eq", "fun": lambda v: (readings @ v - rises) / scale},
    )
    assert joint.step @ metric @ joint.step == pytest.approx(shortest.fun, rel=1e-5)
    assert np.allclose(joint.step, shortest.x, atol=1e-3 * np.linalg.norm(joint.step))


def test_of_one_attribute_it_is_that_attributes_own_step():
    alone = JointDirection.of("Smiling", PARTS[:1]).keeping(KEPT)
    assert np.allclose(alone.step, PARTS[0].keeping(KEPT).step)
    assert alone.remaining_norm == pytest.approx(PARTS[0].keeping(KEPT).remaining_norm)


def test_its_own_score_is_the_mean_of_theirs_in_deviations_and_rises_by_one():
    expected = np.mean([part.scores / part.std for part in PARTS], axis=0)
    assert np.allclose(JOINT.scores, expected) and np.allclose(TRAIN @ JOINT.w + JOINT.b, expected)
    assert JOINT.w @ JOINT.step == pytest.approx(JOINT.std)
    assert np.linalg.norm(JOINT.random(0).step) == pytest.approx(np.linalg.norm(JOINT.step))


def test_readings_that_are_one_another_cannot_be_moved_apart():
    twin = Direction.fitted("gen/ddim50", "Twin", "ridge", -2 * SMILE, 0.0, TRAIN)
    with pytest.raises(UneError, match="span the target"):
        JointDirection.of("Smiling+Twin", [PARTS[0], twin])
