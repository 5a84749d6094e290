"""Where ties and zeros are exact in arithmetic but not in floating point, rounding decides nothing."""

from math import factorial

import numpy as np
import pytest
from scipy.stats import spearmanr

from une_ray.errors import UneError
from une_ray.geometry.agreement import agreement, cosines
from une_ray.geometry.dose_response import dose_response
from une_ray.geometry.fidelity import FIDELITIES, Halves
from une_ray.geometry.mahalanobis import Mahalanobis
from une_ray.geometry.orthogonal import orthogonalized
from une_ray.geometry.similarity import similarity
from une_ray.geometry.transfer import PENALTIES, JointMoments, Ridge, row_cosines


def one_hot(rows: int, classes: int) -> np.ndarray:
    return np.eye(classes, dtype=np.float32)[np.arange(rows) % classes]


@pytest.mark.parametrize(("rows", "classes"), [(80, 8), (512, 8), (512, 50)])
@pytest.mark.parametrize("turned", [False, True])
def test_rank_correlation_of_few_distinct_vectors_ranks_ties_as_ties(rows, classes, turned):
    """The same space in other axes, and a noisy image of it, by SciPy on cosines that are written out."""
    random, a = np.random.default_rng(1), one_hot(rows, classes)
    axes = np.linalg.qr(random.normal(size=(classes, classes)))[0] if turned else np.eye(classes)[::-1]
    assert similarity(a, a @ axes, "rank-correlation", 2).value == pytest.approx(1, abs=1e-9)
    noisy = a @ random.normal(size=(classes, 12)) + 0.5 * random.normal(size=(rows, 12))
    shares = np.bincount(np.arange(rows) % classes) / rows
    same = np.add.outer(np.arange(rows), -np.arange(rows)) % classes == 0
    exact = same - shares[np.arange(rows) % classes][:, None] - shares[np.arange(rows) % classes][None]
    exact += (shares**2).sum()
    length = np.sqrt(np.diag(exact))
    exact = np.round(exact / np.outer(length, length), 12)
    centred = noisy - noisy.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    upper = np.triu_indices(rows, 1)
    expected = spearmanr(exact[upper], (centred @ centred.T)[upper]).statistic
    assert similarity(a, noisy, "rank-correlation", 2).value == pytest.approx(expected, abs=1e-4)


@pytest.mark.filterwarnings("ignore:All-NaN slice")
@pytest.mark.parametrize("same", [0.1, 1.0, 1e6 + 0.1])
def test_figures_that_are_all_the_same_correlate_with_nothing(same):
    found = agreement(np.full(8, same), np.arange(8.0) ** 2, 200)
    assert all(np.isnan([each.value, each.p_value]).all() for each in found.values())


def test_what_is_too_small_to_square_correlates_with_nothing():
    small = np.arange(8.0) * 1e-200
    assert np.isnan(agreement(small, small, 200)["pearson"].value)


@pytest.mark.filterwarnings("ignore:All-NaN slice")
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_agreement_does_not_depend_on_units(scale):
    x = np.random.default_rng(0).standard_normal(8)
    y = x + 0.3 * np.random.default_rng(1).standard_normal(8)
    found = agreement(scale * x, scale * y, 200)["pearson"].value
    assert found == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_cosines_along_directions_without_variance_are_none():
    random = np.random.default_rng(0)
    axes = np.linalg.qr(random.normal(size=(4, 4)))[0]
    covariance = axes @ np.diag([1, 1e-6, 0, 0]) @ axes.T
    a, b = axes[:, [0, 1, 2, 2]], axes[:, [0, 1, 3, 0]]
    found = cosines(a, b, covariance)
    assert found[:2] == pytest.approx([1, 1]) and np.isnan(found[2:]).all()


@pytest.mark.parametrize("seed", range(0, 200, 10))
def test_doses_turned_round_are_as_steep_as_they_were(seed):
    """Three doses at one distance, of whole runs: of 3! orders the true one and its mirror are as steep, so p
    is a third, where no other is steeper."""
    random = np.random.default_rng(seed)
    doses = np.tile([0.1, 0.2, 0.3], (5, 1)) * random.uniform(0.5, 2, (5, 1))
    responses = doses * random.normal(2, 0.3, (5, 1)) + random.normal(0, 1e-3, (5, 3))
    found = dose_response(doses, responses, resamples=4000)
    assert found.unit == "runs" and found.p == pytest.approx(2 / factorial(3), abs=0.03)


@pytest.mark.parametrize("offset", [0, 1000])
def test_a_mean_far_from_zero_gives_a_ridge_map_no_rank(offset):
    random = np.random.default_rng(0)
    a = random.standard_normal((460, 200)) * 10.0 ** -np.linspace(0, 3, 200)
    b = a @ random.standard_normal((200, 5))
    moments = [JointMoments({"a": 200, "b": 5}) for _ in range(2)]
    for part, rows in zip(moments, (slice(0, 25), slice(25, 60))):
        part.add({"a": a[rows] + offset, "b": b[rows]})
    whole = moments[0] + moments[1]
    z = a[:60] - a[:60].mean(0)
    assert np.abs(whole.scatter("a", "a") - z.T @ z).max() < 1e-9 and whole.rows == 60
    assert whole.mean("a") == pytest.approx(a[:60].mean(0) + offset, abs=1e-9)
    assert whole.scatter("a", "b") == pytest.approx(z.T @ (b[:60] - b[:60].mean(0)), abs=1e-9)
    ridge = Ridge(whole, "a")
    assert ridge.varying.sum() == 59
    unit = ridge.eigenvalues[ridge.varying].sum() / 200
    assert ridge.fit("b").penalty / unit == pytest.approx(PENALTIES[0])


def test_shuffled_moments_of_parts_add_up_about_one_mean():
    random, whole = np.random.default_rng(0), JointMoments({"a": 3, "b": 2})
    rows, others = (
        {"a": random.normal(size=(40, 3)) + 9, "b": random.normal(size=(40, 2)) - 9} for _ in "ab"
    )
    for part in (slice(0, 7), slice(7, 40)):
        one = JointMoments({"a": 3, "b": 2})
        one.add(*({space: z[part] for space, z in each.items()} for each in (rows, others)))
        whole = whole + one
    a, b = rows["a"] - rows["a"].mean(0), others["b"] - others["b"].mean(0)
    assert whole.scatter("a", "b", shuffled=True) == pytest.approx(a.T @ b, abs=1e-9)


def test_features_that_never_fire_and_copies_of_others_are_no_distance():
    random = np.random.default_rng(0)
    real, made = random.normal(size=(500, 20)), random.normal(size=(5, 20))
    for dead in (0.1, 0.0, 1000.1):
        wider = [np.c_[z, np.full(len(z), dead)] for z in (real, made)]
        assert Mahalanobis(wider[0])(wider[1]) == pytest.approx(Mahalanobis(real)(made))
    sizes = np.geomspace(1e-4, 1e4, 20)
    assert Mahalanobis(real * sizes)(made * sizes) == pytest.approx(Mahalanobis(real)(made))
    twice = [np.c_[z, z[:, :1]] for z in (real, made)]
    assert Mahalanobis(twice[0])(twice[1]) == pytest.approx(Mahalanobis(real)(made))
    with pytest.raises(UneError, match="all 500 pictures are the same to the encoder"):
        Mahalanobis(np.full((500, 3), 0.1))


def test_a_nuisance_and_its_copy_in_float32_are_one():
    w, a = np.random.default_rng(0).normal(size=(2, 30))
    alone = orthogonalized(w, {"a": a})
    both = orthogonalized(w, {"a": a, "copy": a.astype(np.float32).astype(float)})
    assert both.remaining_norm == pytest.approx(alone.remaining_norm, rel=1e-6)


def test_row_cosines_of_half_precision_do_not_overflow():
    z = (20 * np.random.default_rng(0).standard_normal((4, 300))).astype(np.float16)
    assert row_cosines(z, z) == pytest.approx(np.ones(4), abs=1e-6)
    assert row_cosines(z.astype(float), z) == pytest.approx(np.ones(4), abs=1e-6)


def test_a_space_that_does_not_vary_in_one_half_is_explained_by_nothing():
    random = np.random.default_rng(0)
    rare = np.zeros((80, 4))
    rare[60:] = random.normal(size=(20, 4))
    one, other = Halves.of(rare), Halves.of(random.normal(size=(80, 6)))
    for name, fidelity in FIDELITIES.items():
        for a, b in ((one, other), (other, one)):
            assert fidelity(a, b)(np.arange(40)) == pytest.approx(0, abs=0.05), name
