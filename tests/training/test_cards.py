"""The measures behind the model cards, against closed forms."""

import numpy as np
import pytest
import torch

from une_ray.geometry.frechet import frechet
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
