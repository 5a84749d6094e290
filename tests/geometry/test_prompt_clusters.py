"""Clusters of prompts, on planted categories and on none."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from une_ray.geometry.prompt_clusters import clusters, map_of

DIM, SEEDS, NAMES = 32, 8, ["hair", "mouth", "hat"]


def planted(strength: float, seed: int = 0, prompts: int = 36):
    """h, neutral and the categories; `strength` 0 is prompts that have nothing in common."""
    generator = np.random.default_rng(seed)
    axes = np.linalg.qr(generator.normal(size=(DIM, len(NAMES))))[0].T
    labels = np.arange(prompts) % len(NAMES)
    shared = 3 * generator.normal(size=(SEEDS, DIM))
    draw = lambda mean: mean + shared + 0.1 * generator.normal(size=(SEEDS, DIM))  # noqa: E731
    h = np.stack([draw(strength * axes[label] + generator.normal(size=DIM) / 4) for label in labels])
    return h, draw(np.zeros(DIM)), [NAMES[label] for label in labels]


def test_planted_categories_are_found_far_beyond_shuffled_ones():
    h, neutral, names = planted(3.0)
    found = clusters(h, neutral, names, resamples=20, shuffles=200)
    assert found.nmi.value == pytest.approx(normalized_mutual_info_score(names, found.assigned))
    assert found.ari.value == pytest.approx(adjusted_rand_score(names, found.assigned))
    assert found.ari.value > 0.95 and found.ari.low > 0.8 and found.ari.p < 0.01 and found.halves > 0.9
    assert found.nmi.shuffled < 0.5 and abs(found.ari.shuffled) < 0.2


def test_of_prompts_without_categories_nmi_is_that_of_shuffled_ones():
    found = [clusters(*planted(0.0, seed), resamples=4, shuffles=100) for seed in range(8)]
    assert np.mean([one.nmi.p < 0.05 for one in found]) < 0.4
    assert np.mean([one.ari.value for one in found]) < 0.1
    assert all(one.nmi.value > 0 for one in found)  # which is why it needs its control


def test_one_seed_has_no_interval():
    h, neutral, names = planted(3.0)
    found = clusters(h[:, :1], neutral[:1], names, shuffles=50)
    assert np.isnan([found.nmi.low, found.ari.high, found.halves]).all() and found.ari.value > 0.5


def test_a_map_keeps_neighbours_and_is_the_same_again():
    h, neutral, names = planted(3.0)
    directions = (h - neutral).mean(1)
    found = map_of(directions)
    assert found.places.shape == (36, 2) and found.trust > 0.8
    assert np.array_equal(found.places, map_of(directions).places)
    distances = np.linalg.norm(found.places[:, None] - found.places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert np.mean([names[i] == names[j] for i, j in enumerate(distances.argmin(1))]) > 0.9
    with pytest.raises(ValueError, match="four prompts or more, got 3"):
        map_of(directions[:3])
