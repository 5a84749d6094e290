"""3DShapes cast ray by ray: the published grid, and where the bodies' surfaces are."""

import colorsys

import numpy as np
import pytest

from une_ray.corpora import open_corpus
from une_ray.corpora.shapes3d_bodies import capsule, cube, cylinder, sphere
from une_ray.corpora.shapes3d_drawings import FACTORS, render
from une_ray.pictures.decode import decode

FLOOR, WALL, BODY = 0, 1, 2  # columns of the hues


def test_the_grid_has_the_published_sizes_and_order():
    corpus = open_corpus("shapes3d:all")
    assert len(corpus.grid) == 480_000 and list(FACTORS.values()) == [10, 10, 10, 8, 4, 15]
    assert corpus.grid.factors_of([1, 15, 60, 480, 4800, 48000, 479999]).tolist() == [
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [1, 0, 0, 0, 0, 0],
        [9, 9, 9, 7, 3, 14],
    ]


def outside(points, shape):
    """Signed distances (n,) of points (n, 3) from a body of size 1 on the origin, by the usual formulas."""
    radius = np.hypot(points[:, 0], points[:, 1])
    if shape == "sphere":
        return np.hypot(radius, points[:, 2] - 0.6) - 0.6
    if shape == "capsule":
        return np.hypot(radius, points[:, 2] - np.clip(points[:, 2], 0.45, 1.86 - 0.45)) - 0.45
    if shape == "cylinder":
        gap = np.stack([radius - 0.5, np.abs(points[:, 2] - 0.55) - 0.55], 1)
    else:
        angle = 0.4
        x = np.cos(angle) * points[:, 0] - np.sin(angle) * points[:, 1]
        y = np.sin(angle) * points[:, 0] + np.cos(angle) * points[:, 1]
        gap = np.abs(np.stack([x, y, points[:, 2] - 0.5], 1)) - 0.5
    return np.linalg.norm(np.maximum(gap, 0), axis=1) + np.minimum(gap.max(1), 0)


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("cube", cube(1, 0.4)),
        ("cylinder", cylinder(0.5, 1.1)),
        ("sphere", sphere(0.6)),
        ("capsule", capsule(0.45, 1.86)),
    ],
)
def test_rays_meet_a_body_where_its_distance_function_is_zero(shape, body):
    generator = np.random.default_rng(0)
    origin = np.array([0.3, -3.5, 1.6], np.float32)
    aims = np.stack([generator.uniform(-1, 1, 3000), np.zeros(3000), generator.uniform(0, 2.2, 3000)], 1)
    directions = (aims - origin).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    marched = np.zeros(len(directions))
    for _ in range(300):
        marched += np.minimum(np.maximum(outside(origin + directions * marched[:, None], shape), 0), 1)
    hit = marched < 20
    met = body(origin, directions)
    assert np.mean(hit != np.isfinite(met.distances)) < 0.01, "but for rays that graze it"
    both = hit & np.isfinite(met.distances)
    assert 300 < both.sum() < 2900
    assert np.quantile(np.abs(met.distances[both] - marched[both]), 0.99) < 1e-3
    points = origin + directions[both] * met.distances[both, None]
    slopes = [outside(points + step, shape) - outside(points - step, shape) for step in 1e-3 * np.eye(3)]
    normals = np.stack(slopes, 1) / 2e-3
    assert np.quantile(np.linalg.norm(normals - met.normals[both], axis=1), 0.97) < 0.02


def test_hues_colour_their_surface_and_nothing_else():
    base = render([[0, 3, 6, 3, 2, 7]])[0].astype(int)
    places = {FLOOR: (60, 10), WALL: (25, 32), BODY: (45, 32)}
    for column in (FLOOR, WALL, BODY):
        row = [0, 3, 6, 3, 2, 7]
        for hue in range(10):
            row[column] = hue
            picture = render([row])[0].astype(int)
            rgb = picture[places[column]] / 255
            seen, _, value = colorsys.rgb_to_hsv(*rgb)
            assert abs(seen - hue / 10) < 0.02 and value > 0.5
            for other, place in places.items():
                assert other == column or (picture[place] == base[place]).all()


def test_the_sky_is_always_the_same_and_opposite_turns_mirror_the_room():
    left, middle, right = render([[0, 3, 6, 0, 2, turn] for turn in (0, 7, 14)]).astype(int)
    assert (left[:10] == middle[:10]).all() and (left[0, 0] == (153, 226, 249)).all()
    walls = [(picture == picture[0, 0]).all(-1) for picture in (left, right)]
    assert (walls[0] == walls[1][:, ::-1]).all(), "where the walls end against the sky"


def test_bodies_grow_with_scale_and_only_the_cube_shows_its_turn():
    def body(row):
        red, blue = render([row, [*row[:2], 6, *row[3:]]]).astype(int)
        return (red != blue).any(-1)

    for shape in range(4):
        areas = [body([3, 3, 0, scale, shape, 7]).sum() for scale in range(8)]
        assert (np.diff(areas) > 0).all() and areas[-1] / areas[0] == pytest.approx(
            (1.25 / 0.75) ** 2, rel=0.35
        )
        same = (body([3, 3, 0, 4, shape, 1]) == body([3, 3, 0, 4, shape, 7])).all()
        assert same == (shape != 0)


def test_items_are_read_by_their_index():
    corpus = open_corpus("shapes3d:20?seed=1")
    pictures = corpus.pictures(corpus.indices())
    for item, picture in list(zip(corpus.items(), pictures))[:4]:
        assert (np.asarray(decode(corpus.read(item.source))) == picture).all()
        assert (render([list(item.factors.values())])[0] == picture).all()
        assert item.attributes["Capsule"] == (item.factors["shape"] == 3)
