"""Oracles: arithmetic on pictures of one tile's difference, a loop over tiles, an exhaustive search of
thresholds."""

import numpy as np
import pytest
import torch

from une_ray.corpora import avatars
from une_ray.errors import UneError
from une_ray.pictures.tensors import from_bytes, to_image
from une_ray.studies.memorization.copy_metric import calibrate, equal_error, slightly_changed
from une_ray.studies.memorization.copy_metrics.tiles import similarity

PICTURES = torch.rand(5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def faces() -> torch.Tensor:
    return torch.stack([from_bytes(avatars.picture(9, index)) for index in range(40)])


def test_black_on_white_is_0_and_a_picture_with_itself_1():
    white = torch.ones(3, 8, 8)
    assert similarity(white, -white) == 0 and similarity(PICTURES, PICTURES).eq(1).all()


def test_one_wrong_tile_of_sixteen_counts_in_full():
    changed = PICTURES[0].clone()
    changed[:, 4:8, 8:12] -= 0.5
    assert torch.isclose(similarity(PICTURES[0], changed), torch.tensor(0.75))


def test_it_is_the_worst_tile_of_a_loop_over_tiles():
    a, b = PICTURES[:2].numpy()
    tiles = [(slice(y, y + 4), slice(x, x + 4)) for y in range(0, 16, 4) for x in range(0, 16, 4)]
    worst = max(np.sqrt(np.mean((a[:, y, x] - b[:, y, x]) ** 2)) for y, x in tiles)
    assert np.isclose(similarity(PICTURES[0], PICTURES[1]), 1 - worst / 2)


def test_every_picture_can_be_held_against_every_other():
    pairs = similarity(PICTURES[:, None], PICTURES)
    assert (
        pairs.shape == (5, 5)
        and torch.equal(pairs, pairs.T)
        and torch.isclose(pairs[1, 3], similarity(PICTURES[1], PICTURES[3]))
    )


@pytest.mark.parametrize(("a", "b"), [((3, 8, 8), (3, 16, 16)), ((3, 10, 8), (3, 10, 8))])
def test_sizes_that_can_not_be_compared_are_refused(a, b):
    with pytest.raises(UneError, match="4 × 4 tiles"):
        similarity(torch.zeros(a), torch.zeros(b))


def test_the_threshold_has_the_least_worse_error_of_all():
    draw = np.random.default_rng(0)
    same, different = draw.normal(1, 1, 80), draw.normal(-1, 1, 120)

    def worse(threshold: float) -> float:
        return max((same < threshold).mean(), (different >= threshold).mean())

    assert worse(equal_error(same, different)) == min(
        worse(threshold) for threshold in np.linspace(-4, 4, 20001)
    )


def test_between_kinds_that_do_not_overlap_the_threshold_keeps_its_distance_from_both():
    assert 0.4 < equal_error(np.array([0.8, 0.9]), np.array([0.1, 0.2])) < 0.6


def test_slightly_changed_faces_are_told_from_other_faces(faces):
    found = calibrate(faces)
    assert found.pairs == 20 * 19 // 2 and found.changed == 20 * len(slightly_changed(faces))
    assert found.false_positive_rate < 0.02 and found.false_negative_rate < 0.02


def test_a_picture_survives_the_way_through_bytes(faces):
    assert torch.allclose(from_bytes(avatars.picture(9, 0)), faces[0])
    assert np.allclose(np.asarray(to_image(faces[0])) / 127.5 - 1, faces[0].permute(1, 2, 0), atol=1e-6)
