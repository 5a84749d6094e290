"""Oracles: arithmetic on pictures of one tile's difference, a loop over tiles, an exhaustive search of
thresholds."""

import numpy as np
import pytest
import torch

from une_ray.corpora import avatars
from une_ray.errors import UneError
from une_ray.pictures.tensors import from_bytes, to_image
from une_ray.studies.memorization.copy_metric import at_rate, calibrate, calibration, slightly_changed, twin
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


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5])
def test_the_threshold_is_the_least_that_no_more_than_its_share_reach(rate):
    different = np.random.default_rng(0).random(200).astype(np.float32)
    threshold = at_rate(different, rate)
    assert (
        (different >= threshold).mean()
        <= rate
        < (different >= np.sort(different)[::-1][int(rate * 200)]).mean()
    )


def test_the_threshold_keeps_its_named_rate_on_pictures_of_the_same_features(faces):
    """One that random pairs choose lets a quarter of these pass."""
    alike = torch.stack([from_bytes(twin(9, index)) for index in range(40)])
    random_pairs = similarity(faces[:, None], faces)[~torch.eye(40, dtype=bool)]
    easy = at_rate(random_pairs.numpy(), 0.001)
    found = calibrate(faces, alike=alike)
    assert found.hard == 20 and found.pairs == 20 * 19 // 2
    assert found.changed == 20 * len(slightly_changed(faces)) and set(found.missed) == set(
        slightly_changed(faces)
    )
    shipped = calibration()
    assert shipped.threshold > easy and shipped.hard_rate <= 0.1
    assert (similarity(faces, alike) >= shipped.threshold).double().mean() <= 0.15
    assert shipped.missed["JPEG of quality 50"] == 0


def test_a_picture_survives_the_way_through_bytes(faces):
    assert torch.allclose(from_bytes(avatars.picture(9, 0)), faces[0])
    assert np.allclose(np.asarray(to_image(faces[0])) / 127.5 - 1, faces[0].permute(1, 2, 0), atol=1e-6)
