"""dSprites drawn from factors: the published grid, and the geometry of its shapes."""

import numpy as np
import pytest
from matplotlib.path import Path

from une_ray.corpora import open_corpus
from une_ray.corpora.dsprites_drawings import FACTORS, render
from une_ray.errors import UneError
from une_ray.pictures.decode import decode

CENTRES = np.stack(np.meshgrid(np.arange(64) + 0.5, np.arange(64) + 0.5), -1).reshape(-1, 2)


def drawn(*rows):
    return render(np.array(rows))[..., 0] > 0


def polygon(shape):
    """The outline at scale 1 about (0, 0), y downwards, from sines and cosines."""
    t = np.linspace(0, 2 * np.pi, 721)[:-1]
    if shape == 0:
        return 9.6 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    if shape == 1:
        return np.stack([12.76 * np.cos(t), 7.22 * np.sin(t)], 1)
    height = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([9.6 * np.sin(t) ** 3, -0.663 * height - 1.44], 1)


def test_the_grid_has_the_published_sizes_and_order():
    corpus = open_corpus("dsprites:all")
    assert len(corpus.grid) == 737_280 and list(FACTORS.values()) == [3, 6, 40, 32, 32]
    assert corpus.grid.factors_of([0, 1, 32, 1024, 40960, 245760, 737279]).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0],
        [1, 0, 0, 0, 0],
        [2, 5, 39, 31, 31],
    ]


@pytest.mark.parametrize("shape", range(3))
def test_a_shape_fills_the_pixels_whose_centres_are_in_its_outline(shape):
    generator = np.random.default_rng(shape)
    rows = [[shape, *(generator.integers(size) for size in list(FACTORS.values())[1:])] for _ in range(40)]
    wrong = []
    for row, picture in zip(rows, drawn(*rows)):
        angle, scale = 2 * np.pi * row[2] / 39, 0.5 + 0.1 * row[1]
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # as seen, ccw
        outline = scale * polygon(shape) @ turn.T + [16 + 32 * row[3] / 31, 16 + 32 * row[4] / 31]
        wrong.append((Path(outline).contains_points(CENTRES) != picture.ravel()).sum())
    assert np.mean(wrong) < 0.5


def test_squares_have_as_many_pixels_as_the_published_ones():
    """10, 12, 14, 16, 18, 20 pixels a side: what the published animation shows, frame by frame."""
    areas = drawn(*([0, scale, 0, 0, 0] for scale in range(6))).sum((1, 2))
    assert areas.tolist() == [100, 144, 196, 256, 324, 400]


def test_positions_move_a_shape_from_a_quarter_to_three_quarters_of_the_picture():
    for column, axis in ((3, 1), (4, 0)):
        rows = np.zeros((32, 5), int)
        rows[:, column] = range(32)
        places = [np.argwhere(picture)[:, axis].mean() + 0.5 for picture in drawn(*rows)]
        assert places[0] == 16 and places[-1] == 48 and (np.diff(places) > 0).all()


def test_a_heart_turns_counter_clockwise_and_the_last_orientation_is_the_first():
    first, tenth, last = drawn([2, 5, 0, 16, 16], [2, 5, 10, 16, 16], [2, 5, 39, 16, 16])
    assert (first == last).all()
    middle = 16 + 32 * 16 / 31 - 0.5
    assert np.argwhere(first)[:, 0].mean() < middle - 1.5, "its lobes are above its tip"
    assert np.argwhere(tenth)[:, 1].mean() < middle - 1.5, "and after a quarter turn on its left"


def test_all_pictures_differ_but_those_of_both_ends_of_a_turn():
    generator = np.random.default_rng(0)
    rows = np.stack([generator.integers(size, size=4000) for size in FACTORS.values()], 1)
    rows = np.unique(rows[rows[:, 2] < 39], axis=0)
    pictures = np.packbits(drawn(*rows).reshape(len(rows), -1), axis=1)
    assert len(np.unique(pictures, axis=0)) == len(rows)


def test_smaller_pictures_are_means():
    rows = np.array([[1, 3, 5, 7, 9]])
    small = render(rows, 32)
    assert small.shape == (1, 32, 32, 1)
    blocks = render(rows).reshape(32, 2, 32, 2).mean((1, 3))
    assert np.abs(small[0, :, :, 0] - blocks).max() <= 0.5
    with pytest.raises(UneError, match="divisor of 64.*got 48"):
        render(rows, 48)


def test_items_are_read_by_their_index():
    corpus = open_corpus("dsprites:50?seed=4")
    items = list(corpus.items())
    assert len({item.image_id for item in items}) == 50
    pictures = corpus.pictures(corpus.indices())
    for item, picture in zip(items[:5], pictures):
        assert (np.asarray(decode(corpus.read(item.source)))[..., 0] == picture[..., 0]).all()
        assert (render([list(item.factors.values())])[0] == picture).all()
        assert item.attributes["Heart"] == (item.factors["shape"] == 2)
        assert item.attributes["Scale_High"] == (item.factors["scale"] >= 3)


def test_factors_that_there_are_not_are_refused():
    with pytest.raises(UneError, match="scale is 0 to 5; got 6"):
        render([[0, 6, 0, 0, 0]])
    with pytest.raises(UneError, match="rows of shape, scale"):
        render([[0, 0, 0]])
    with pytest.raises(UneError, match="item 737280 is outside"):
        open_corpus("dsprites:1").read("737280")
