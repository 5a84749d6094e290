"""The measures and pictures of the model cards, against closed forms."""

import numpy as np
import pytest
import torch

from une_ray.geometry.frechet import frechet
from une_ray.training import strips
from une_ray.training.evaluate import probe_auc, retrieval


def test_frechet_distance_of_known_gaussians():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((200_000, 3))
    assert frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet(a, a + [1, 2, 0]) == pytest.approx(5, abs=1e-6)
    assert frechet(a, 3 * a) == pytest.approx(3 * (3 - 1) ** 2, rel=0.02)


def test_retrieval_counts_own_captions_among_a_hundred():
    eye = torch.eye(100)
    assert retrieval(eye, eye) == 1 and retrieval(eye, eye.roll(1, 0)) == 0


def test_probes_find_what_is_linear_and_nothing_else():
    rng = np.random.default_rng(0)
    z = rng.standard_normal((4000, 8))
    labels = np.stack([z @ np.arange(8) > 0, rng.random(4000) > 0.5], 1)
    linear, noise = probe_auc(z, labels)
    assert linear > 0.99 and abs(noise - 0.5) < 0.06


def test_a_grid_has_its_pictures_row_by_row():
    shades = torch.linspace(-1, 1, 2 * strips.COLUMNS)
    grid = strips.grid(shades.view(-1, 1, 1, 1).expand(-1, 3, 4, 4))
    assert grid.size == (4 * strips.COLUMNS, 8)
    middles = np.asarray(grid)[2::4, 2::4, 0].ravel()
    assert np.array_equal(middles, np.rint((shades.numpy() + 1) * 127.5))


def test_the_way_between_two_noises_begins_and_ends_at_them_and_is_no_shorter():
    a, b = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    path = strips.great_circle(a, b, torch.linspace(0, 1, 5))
    assert torch.allclose(path[0], a, atol=1e-5) and torch.allclose(path[-1], b, atol=1e-5)
    lengths = path.flatten(1).norm(dim=1)
    assert lengths.min() > 0.9 * min(a.norm(), b.norm())
