"""Against scipy, and against what follows for Gaussian rows."""

import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis

from une_ray.errors import UneError
from une_ray.geometry.mahalanobis import Mahalanobis

DRAW = np.random.default_rng(0)


def test_it_is_scipys_over_the_root_of_the_dimension():
    real, made = DRAW.normal(size=(50, 4)) @ DRAW.normal(size=(4, 4)) + 3, DRAW.normal(size=(5, 4))
    inverse = np.linalg.inv(np.cov(real.T))
    assert Mahalanobis(real)(made) == pytest.approx(
        [mahalanobis(row, real.mean(0), inverse) / 2 for row in made]
    )


def test_it_does_not_depend_on_the_scale_or_the_axes_of_the_space():
    real, made, change = DRAW.normal(size=(80, 6)), DRAW.normal(size=(5, 6)), DRAW.normal(size=(6, 6))
    assert Mahalanobis(real @ change + 7)(made @ change + 7) == pytest.approx(Mahalanobis(real)(made))


def test_fitted_rows_are_at_1_on_average_and_others_further_by_what_the_fit_is_short_of_rows():
    real, others = DRAW.normal(size=(1000, 500)), DRAW.normal(size=(1000, 500))
    distance = Mahalanobis(real)
    assert np.square(distance(real)).mean() == pytest.approx(1 - 1 / 1000, abs=1e-3)
    assert np.sqrt(np.square(distance(others)).mean()) == pytest.approx((1000 / 500) ** 0.5, rel=0.02)


def test_too_few_rows_are_refused():
    with pytest.raises(UneError, match="4 pictures can't fit a Gaussian of 4 dimensions"):
        Mahalanobis(np.eye(4))
