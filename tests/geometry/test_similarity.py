"""Oracles: CKA by n × n kernels, scikit-learn's CCA and neighbours, SciPy's Spearman; independent spaces."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import ortho_group, spearmanr
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from une_ray.errors import UneError
from une_ray.geometry.pairing import nearest_others, overlap
from une_ray.geometry.similarity import MEASURES, similarity

RANDOM = np.random.default_rng(0)
HIDDEN = RANDOM.standard_normal((240, 5))
A = HIDDEN @ RANDOM.standard_normal((5, 8)) + 0.2 * RANDOM.standard_normal((240, 8)) + 4
B = HIDDEN @ RANDOM.standard_normal((5, 6)) + 0.2 * RANDOM.standard_normal((240, 6))
IN_ORDER = np.arange(240)


@pytest.mark.parametrize("measure", MEASURES)
def test_what_shares_nothing_is_at_its_null_and_what_shares_is_far_above(measure):
    found = similarity(A, B, measure)
    assert found.deviations > 5 and found.p_value == pytest.approx(1 / 21)
    nothing = similarity(A, RANDOM.standard_normal((240, 6)), measure)
    assert abs(nothing.deviations) < 4 and nothing.p_value > 1 / 21


@pytest.mark.parametrize("measure", MEASURES)
def test_a_rotation_and_a_shift_change_nothing(measure):
    turned = similarity(A @ ortho_group.rvs(8, random_state=1) - 2, B, measure, permutations=2)
    assert turned.value == pytest.approx(similarity(A, B, measure, permutations=2).value, abs=1e-6)


def test_the_null_grows_as_rows_get_fewer_though_nothing_is_shared():
    few, many = (
        similarity(RANDOM.standard_normal((n, 30)), RANDOM.standard_normal((n, 30)), "cka") for n in (60, 240)
    )
    assert few.null_mean > 2 * many.null_mean > 0.1 and max(few.value, many.value) < 3 * few.null_mean


@pytest.mark.parametrize("rows", [12, 240])  # fewer than the columns of both, and more
def test_cka_is_that_of_centred_kernels(rows):
    kernels = [z @ z.T for z in (A[:rows] - A[:rows].mean(0), B[:rows] - B[:rows].mean(0))]
    order = np.random.default_rng(1).permutation(rows)
    scale = np.prod([np.linalg.norm(kernel) for kernel in kernels])
    expected = (kernels[0] * kernels[1][np.ix_(order, order)]).sum() / scale
    assert MEASURES["cka"](A[:rows], B[:rows])(order) == pytest.approx(expected)


def test_cca_is_scikit_learns():
    a, b = (PCA(z.shape[1]).fit_transform(z) for z in (A, B))
    x, y = CCA(6, max_iter=5000, tol=1e-10).fit_transform(a, b)
    expected = np.mean([np.corrcoef(x[:, k], y[:, k])[0, 1] ** 2 for k in range(6)])
    assert MEASURES["cca"](A, B)(IN_ORDER) == pytest.approx(expected, abs=1e-4)


def test_neighbours_are_scikit_learns_in_any_pairing():
    order = RANDOM.permutation(240)
    lists = []
    for z in (A, B[order]):
        unit = (z - z.mean(0)) / np.linalg.norm(z - z.mean(0), axis=1, keepdims=True)
        lists.append(NearestNeighbors(n_neighbors=11).fit(unit).kneighbors(unit)[1][:, 1:])
    expected = np.mean([len(set(one) & set(other)) / 10 for one, other in zip(*lists)])
    assert MEASURES["mutual-neighbours"](A, B)(order) == pytest.approx(expected)


@pytest.mark.parametrize("distinct", [2, 4, 16])
def test_neighbours_of_independent_spaces_of_few_distinct_vectors_are_at_their_null(distinct):
    random = np.random.default_rng(distinct)
    one, other = (random.standard_normal((distinct, 6))[random.integers(distinct, size=256)] for _ in "ab")
    found = similarity(one, other, "mutual-neighbours", permutations=40)
    assert abs(found.deviations) < 4 and found.null_mean == pytest.approx(10 / 255, abs=0.01)


def test_equal_rows_are_neighbours_before_all_others_and_which_of_them_is_by_chance():
    kinds = np.arange(120) % 4
    z = np.random.default_rng(1).standard_normal((4, 7))[kinds]
    one, other = (nearest_others(z, z, 10, seed) for seed in (0, 1))
    for found in (one, other):
        assert (kinds[found] == kinds[:, None]).all() and (found != np.arange(120)[:, None]).all()
        assert all(len(set(row)) == 10 for row in found.tolist())
    # ten of the 29 others, twice independently: 10/29 in common
    assert overlap(one, other) == pytest.approx(10 / 29, abs=0.15)


def test_rank_correlation_is_scipys():
    order = RANDOM.permutation(240)
    far = [pdist(z - z.mean(0), "cosine") for z in (A, B[order])]
    expected = spearmanr(*far).statistic
    assert MEASURES["rank-correlation"](A, B)(order) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (A, B[:-1], "pairs of rows"),
        (A[:20], B[:20], "40 or more"),
        (A, np.ones_like(B), "nothing to compare"),
    ],
)
def test_what_cannot_be_compared_is_refused(a, b, message):
    with pytest.raises(UneError, match=message):
        similarity(a, b, "cka")
