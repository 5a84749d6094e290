"""Oracles: the definition by pairs, and draws of one law, of which what intervals hold is counted."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from une_ray.geometry.kernel_distance import kernel_distance

RANDOM = np.random.default_rng(0)


def by_definition(a: np.ndarray, b: np.ndarray, paired: bool) -> float:
    """Means over pairs of different rows, as the papers write them."""
    aa, bb, ab = (
        polynomial_kernel(x, y, degree=3, gamma=1 / a.shape[1], coef0=1) for x, y in ((a, a), (b, b), (a, b))
    )
    apart = ~np.eye(len(a), dtype=bool)
    between = ab[apart].mean() if paired else ab.mean()
    return aa[apart].mean() + bb[~np.eye(len(b), dtype=bool)].mean() - 2 * between


@pytest.mark.parametrize(("others", "paired"), [(12, True), (12, False), (7, False)])
def test_it_is_the_definition(others, paired):
    a, b = RANDOM.standard_normal((12, 5)), RANDOM.standard_normal((others, 5)) + 0.5
    assert kernel_distance(a, b, paired).value == pytest.approx(by_definition(a, b, paired))


@pytest.mark.parametrize("rows", [8, 32, 128])
def test_of_one_law_it_is_0_however_few_the_rows(rows):
    """Fréchet's between such halves was 2,264 at 8 rows and 49 at 400."""
    values = [kernel_distance(*RANDOM.standard_normal((2, rows, 64))).value for _ in range(60)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(60) + 1e-3


def test_intervals_hold_the_distance():
    truth = kernel_distance(RANDOM.standard_normal((3000, 4)), RANDOM.standard_normal((3000, 4)) + 1).value
    held = []
    for _ in range(200):
        found = kernel_distance(RANDOM.standard_normal((24, 4)), RANDOM.standard_normal((30, 4)) + 1)
        held.append(abs(found.value - truth) <= found.margin)
    assert np.mean(held) > 0.9
    assert np.isnan(kernel_distance(np.ones((2, 3)), np.ones((2, 3))).value)
