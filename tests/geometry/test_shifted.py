"""Ridge's systems: either way is the solution, and a way that does not pay is left."""

import functools
import math

import numpy as np
import pytest
import torch

from une_ray.geometry import shifted
from une_ray.geometry.probes import fit
from une_ray.geometry.shifted import DIRECT, Shifted

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


def assert_solves(x: torch.Tensor, s: torch.Tensor, b: torch.Tensor, shift: float, to: float) -> None:
    left = s @ x + shift * x - b
    assert (left.norm(dim=0) <= to * b.norm(dim=0)).all()


def free(s: torch.Tensor, shift: float, rows: int) -> float:
    """Degrees of freedom that ridge leaves, from all eigenvalues."""
    values = torch.linalg.eigvalsh(s)
    return rows - 1 - (values / (values + shift)).sum().item()


class Counted:
    """A matrix that counts its products."""

    def __init__(self, matrix: torch.Tensor) -> None:
        self.matrix, self.products = matrix, 0

    def __matmul__(self, other: torch.Tensor) -> torch.Tensor:
        self.products += 1
        return self.matrix @ other


@pytest.mark.parametrize("share", [10.0, 1.0, 0.1])
def test_nearly_white_scatters_need_no_factor(share, factors):
    s, b = scatter(0.25), right()
    shift = share * s.trace().item() / DIM
    x, freedom = Shifted(s, b, 3 * DIM).solve(shift)
    assert not factors
    assert_solves(x, s, b, shift, shifted.TOLERANCE)
    assert freedom == pytest.approx(free(s, shift, 3 * DIM), rel=3 * shifted.PRECISION) and freedom != free(
        s, shift, 3 * DIM
    )


def test_a_steep_scatter_gets_a_factor_after_a_few_products_and_keeps_it(factors):
    s, b = scatter(3.0), right()
    system, unit = Shifted(s, b, 3 * DIM), s.trace().item() / DIM
    tried = system.single = Counted(system.single)
    for share in (1e-3, 1e-4):
        x, freedom = system.solve(share * unit)
        assert_solves(x, s, b, share * unit, 1e-9)
        assert freedom == pytest.approx(free(s, share * unit, 3 * DIM), rel=1e-9)
    assert len(factors) == 2 and tried.products <= 3 * shifted.PACE, "hundreds would be allowed"


def test_fewer_products_are_enough_without_degrees_of_freedom(factors):
    s, b = scatter(0.25), right()
    x, freedom = Shifted(s, b).solve(s.trace().item() / DIM)
    assert math.isnan(freedom) and not factors
    assert_solves(x, s, b, s.trace().item() / DIM, shifted.TOLERANCE)


@pytest.mark.parametrize("rows", [200, 400])
def test_of_fewer_rows_than_dims_the_choice_is_that_of_exact_degrees_of_freedom(rows, monkeypatch):
    """Hardly any are left at a small λ, where an estimate of them is worth nothing."""
    draw = np.random.default_rng(rows)
    z = (draw.normal(size=(rows, DIM)) * np.arange(1, DIM + 1) ** -0.125).astype(np.float32)
    labels = (z[:, :5] @ draw.normal(size=(5, 6)) + draw.normal(size=(rows, 6)) > 0).astype(np.float32)
    penalties = []
    for most in (DIRECT, DIM):  # the second by factors alone
        monkeypatch.setattr(shifted, "DIRECT", most)
        (probes,) = fit(lambda: iter([z]), labels, np.arange(rows)[:, None] % 4 == 0)
        penalties.append([probe.penalty for probe in probes])
    assert penalties[0] == penalties[1]


def test_a_column_is_solved_to_the_same_bits_whatever_stands_beside_it(factors):
    s, b = scatter(0.25), right(40)
    shift = s.trace().item() / DIM
    together, freedom = Shifted(s, b, 3 * DIM).solve(shift)
    alone, its_freedom = Shifted(s, b[:, 7:8], 3 * DIM).solve(shift)
    assert not factors and freedom == its_freedom
    assert torch.equal(together[:, 7:8], alone)


def test_a_singular_scatter_is_an_error_either_way():
    for dim in (10, DIM):
        s = torch.zeros(dim, dim, dtype=torch.float64)
        s[:5, :5] = torch.eye(5)
        with pytest.raises(torch.linalg.LinAlgError):
            Shifted(s, torch.ones(dim, 1, dtype=torch.float64)).solve(0.0)
