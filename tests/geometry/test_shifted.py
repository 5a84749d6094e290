"""Ridge's systems: either way is the solution, and a way that does not pay is left."""

import functools

import numpy as np
import pytest
import torch

from une_ray.geometry import shifted
from une_ray.geometry.shifted import DIRECT, PROBES, Shifted

DIM, COLUMNS = DIRECT + 52, 3


@functools.cache
def scatter(steep: float) -> torch.Tensor:
    """Eigenvalues i^-steep about random axes."""
    axes = torch.linalg.qr(torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(0))).Q.double()
    values = torch.arange(1, DIM + 1, dtype=torch.float64) ** -steep
    return 1e3 * (axes * values) @ axes.T


def right(columns: int = COLUMNS) -> torch.Tensor:
    """Columns of very different lengths, one of them zero."""
    b = torch.randn(DIM, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return b * torch.tensor([0.0, 1e-20, *[1e6] * (columns - 2)], dtype=torch.float64)


@pytest.fixture
def factors(monkeypatch):
    """How often a factor was taken."""
    taken, cholesky = [], torch.linalg.cholesky
    monkeypatch.setattr(torch.linalg, "cholesky", lambda a: taken.append(1) or cholesky(a))
    return taken


def assert_solves(found: torch.Tensor, s: torch.Tensor, b: torch.Tensor, shift: float, to: float) -> None:
    left = s @ found + shift * found - b
    assert (left.norm(dim=0) <= to * b.norm(dim=0)).all()


@pytest.mark.parametrize("share", [10.0, 1.0, 0.1])
def test_nearly_white_scatters_need_no_factor(share, factors):
    s, b = scatter(0.25), right()
    shift = share * s.trace().item() / DIM
    found, trace = Shifted(s, b).solve(shift)
    exact = (1 / (torch.linalg.eigvalsh(s) + shift)).sum().item()
    assert not factors
    assert_solves(found, s, b, shift, shifted.TOLERANCE)
    assert abs(shift * trace() - shift * exact) < 4 * (2 * DIM / PROBES) ** 0.5  # in degrees of freedom: Hutchinson's bound, four times


def test_a_steep_scatter_gets_a_factor_after_a_few_steps_and_keeps_it(factors, monkeypatch):
    products, multiply = [], Shifted._steps
    monkeypatch.setattr(Shifted, "_steps", lambda *arguments: products.append(1) or multiply(*arguments))
    s, b = scatter(3.0), right()
    system, unit = Shifted(s, b), s.trace().item() / DIM
    for share in (1e-3, 1e-4):
        found, trace = system.solve(share * unit)
        assert_solves(found, s, b, share * unit, 1e-9)
        assert np.isclose(trace(), (1 / (torch.linalg.eigvalsh(s) + share * unit)).sum().item(), rtol=1e-9)
    assert len(factors) == 2 and len(products) == 1


def test_many_columns_are_worth_a_factor(factors):
    s, b = scatter(0.25), right(1000)
    assert_solves(Shifted(s, b).solve(s.trace().item() / DIM)[0], s, b, s.trace().item() / DIM, 1e-9)
    assert len(factors) == 1


def test_a_singular_scatter_is_an_error_either_way():
    for dim in (10, DIM):
        s = torch.zeros(dim, dim, dtype=torch.float64)
        s[:5, :5] = torch.eye(5)
        with pytest.raises(torch.linalg.LinAlgError):
            Shifted(s, torch.ones(dim, 1, dtype=torch.float64)).solve(0.0)
