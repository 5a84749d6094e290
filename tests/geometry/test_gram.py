"""Oracle: numpy in float64."""

import pickle

import numpy as np
import pytest
import torch

from tests.helpers.grams import D, N, Y, Z, blocks, gram_of
from une_ray.errors import UneError
from une_ray.geometry.gram import NUMBERS, Gram, NonFiniteLatents, passes, train_grams

RNG = np.random.default_rng(1)
SPLITS = RNG.random((N, 3)) < 0.25
ALL = np.ones(N, dtype=bool)
LOW, HIGH = slice(0, 1000), slice(1000, N)


def moments(z, y):
    z, y = z.astype(np.float64), y.astype(np.float64)
    z0, y0 = z - z.mean(0), y - y.mean(0)
    return {
        "mean_z": z.mean(0),
        "mean_y": y.mean(0),
        "zz": z0.T @ z0,
        "zy": z0.T @ y0,
        "yy": (y0**2).sum(0),
        "spread": (z0**2).sum(),
    }


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
    assert np.allclose(gram.yy, expected["yy"], rtol=1e-6) and gram.spread == pytest.approx(
        expected["spread"], rel=1e-6
    )


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


def test_grams_that_travelled_are_the_same_and_add_up():
    first, second = (pickle.loads(pickle.dumps(gram_of(Z[rows], Y[rows]))) for rows in (LOW, HIGH))
    assert_is(first + second, Z, Y)
    assert (first.scatter() == gram_of(Z[LOW], Y[LOW]).scatter()).all()
    bare = pickle.loads(pickle.dumps(Gram.empty(D, 2, scatter=False)))
    assert not bare.has_scatter and bare.zy.shape == (D, 2) and len(pickle.dumps(bare)) < 8 * 4 * D
    with pytest.raises(UneError, match=rf"several lengths in one space, \[{D - 1}, {D}\]"):
        first + gram_of(Z[:, 1:], Y)


def test_one_pass_gives_the_train_rows_of_every_split():
    passes = []
    grams = list(train_grams(lambda: passes.append(1) or blocks()(), torch.as_tensor(Y), SPLITS, ALL))
    for gram, held_out in zip(grams, SPLITS.T):
        assert_is(gram, Z[~held_out], Y[~held_out])
    assert len(passes) == 1


def test_a_labels_part_has_the_same_bits_whatever_stands_beside_it():
    y = torch.as_tensor(Y).repeat(1, 3)[:, :5]
    for gram, other in zip(
        train_grams(blocks(), y, SPLITS, ALL), train_grams(blocks(), y[:, :1], SPLITS, ALL)
    ):
        assert torch.equal(gram.zy[:, :1], other.zy) and torch.equal(gram.yy[:1], other.yy)


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


def test_wide_latents_need_no_scatter():
    for gram, held_out in zip(
        train_grams(blocks(), torch.as_tensor(Y), SPLITS, ALL, scatter_up_to=D - 1), SPLITS.T
    ):
        expected = moments(Z[~held_out], Y[~held_out])
        assert not gram.has_scatter and not gram.zz.numel() and gram.count == (~held_out).sum()
        assert np.allclose(gram.mean_z, expected["mean_z"], atol=1e-9) and gram.spread == pytest.approx(
            expected["spread"], rel=1e-6
        )
        assert np.allclose(gram.yy, expected["yy"], rtol=1e-6)
        assert (gram - gram).count == 0
    assert next(train_grams(blocks(), torch.as_tensor(Y), SPLITS, ALL, scatter_up_to=D)).has_scatter


@pytest.mark.parametrize("scatter", [False, True])
def test_latents_that_are_all_the_same_are_refused(scatter):
    with pytest.raises(UneError, match="all 3000 train rows have the same latent"):
        none = np.zeros((N, 1), dtype=bool)
        next(
            train_grams(
                blocks(np.full_like(Z, 0.3)), torch.as_tensor(Y), none, ALL, scatter_up_to=D if scatter else 0
            )
        )


def test_a_pass_comes_in_blocks_that_are_quickly_forgotten_or_as_a_gram_wants_them():
    wide = np.zeros((40, NUMBERS // 16), dtype=np.float16)
    assert [len(z) for _, z in passes(blocks(wide, 33), 40)] == [16, 16, 8]
    assert [(at.start, at.stop) for at, _ in passes(blocks(wide, 33), 40, scatter_up_to=wide.shape[1])] == [
        (0, 40)
    ]
