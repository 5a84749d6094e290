"""What several tests of probes share."""

import pytest

from une_ray.geometry.train_rows import FEW


@pytest.fixture(params=[FEW, 0], ids=["rows", "scatter"])
def either_way(request, monkeypatch):
    """Ridge regressions of the rows themselves, as of few, and of their scatter, as of many."""
    monkeypatch.setattr("une_ray.geometry.train_rows.FEW", request.param)
