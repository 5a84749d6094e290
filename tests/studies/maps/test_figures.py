"""Figures as people read them; the oracle of an interval is SciPy's t test of the mean."""

import numpy as np
import pytest
from scipy import stats

from une_ray.studies.maps.figures import Figure

VALUES = np.array([0.71, 0.74, 0.76, 0.69])


def figure(draws: int) -> Figure:
    values = VALUES[:draws]
    return Figure(
        map="orthogonal",
        centred=True,
        anchors=16,
        classes_fitted=None,
        of="images",
        subset="all",
        metric="cosine",
        value=float(values.mean()),
        sd=float(values.std(ddof=1)) if draws > 1 else None,
        draws=draws,
        items=50,
        any_orthogonal=False,
    )


@pytest.mark.parametrize("draws", [3, 4])
def test_three_draws_or_more_have_students_interval(draws):
    low, high = stats.ttest_1samp(VALUES[:draws], 0).confidence_interval(0.95)
    assert figure(draws).half == pytest.approx((high - low) / 2)
    assert figure(draws).text() == f"{VALUES[:draws].mean():.3f} ± {(high - low) / 2:.3f}"


@pytest.mark.parametrize("draws", [1, 2])
def test_fewer_have_none(draws):
    assert figure(draws).half is None and figure(draws).text() == f"{VALUES[:draws].mean():.3f}"
