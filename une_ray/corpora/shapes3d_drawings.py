"""3DShapes' pictures from their factors: a room, one object and a lamp, cast ray by ray.

The scene was measured in the published animation of the data set (Burgess and Kim 2018, 3dshapes.gif). A
picture is what five sources of colour give it, pixel by pixel, and those shares depend on scale, shape and
orientation alone: 480 scenes are cast once each, and every picture is a sum of colours.

Lengths are in sides of the cube at scale 1: x to the right, y away from the camera, z up; the object stands
on the origin. Camera and lamp stay where they are; room and object turn.
"""

from __future__ import annotations

import colorsys
import functools
from dataclasses import dataclass

import numpy as np

from une_ray.corpora.factor_grid import checked
from une_ray.corpora.shapes3d_bodies import Body, capsule, cube, cylinder, dot, sphere, turned
from une_ray.corpora.sizes import resized

FACTORS = {"floor_hue": 10, "wall_hue": 10, "object_hue": 10, "scale": 8, "shape": 4, "orientation": 15}
SHAPES = ("cube", "cylinder", "sphere", "capsule")
HUES = np.arange(10) / 10
SCALES = np.linspace(0.75, 1.25, 8)
ORIENTATIONS = np.linspace(-30, 30, 15)  # degrees

SIZE = 64
SAMPLES = 2  # rays along each side of a pixel
FOCAL = 72.15  # pixels
CAMERA, PITCH = np.array([0, -3.68, 1.105], np.float32), 0.0125  # radians, downwards
WALL, WALL_HEIGHT = 4.66, 2.71  # half the room's side
CYLINDER = 0.545, 1.1  # radius, height
SPHERE = 0.6
CAPSULE = 0.45, 1.86

LAMP = np.array([-1.35, 0.8, 8], np.float32)
AMBIENT, HEADLIGHT, LAMPLIGHT = 0.27, 0.66, 1.9
SPOT = 9  # power of the cosine with which the lamp, which points down, fades to the sides
GLOSS, SHININESS = 0.3, 12
SKY = (153, 226, 249)
FLOOR, WALLS, OBJECT, WHITE = range(4)  # what a pixel has of them; what is left is sky


def render(factors: np.ndarray, size: int = SIZE) -> np.ndarray:
    """(n, size, size, 3) uint8 RGB: the pictures of factors (n, 6) in the order of `FACTORS`.

    `size` divides 64; smaller pictures are means of squares of pixels. Raises UneError for factors that there
    are not.
    """
    rows = checked(np.asarray(factors, np.int64), FACTORS)
    pictures = np.empty((len(rows), SIZE, SIZE, 3), np.uint8)
    colours = np.array([colorsys.hsv_to_rgb(hue, 1, 1) for hue in HUES], np.float32) * 255
    for row, picture in zip(rows, pictures):
        surfaces, background = scene(*map(int, row[3:]))
        picture[:] = np.minimum(surfaces @ colours[row[:3]] + background, 255)
    return resized(pictures, size)


@functools.lru_cache(maxsize=480)
def scene(scale: int, shape: int, orientation: int) -> tuple[np.ndarray, np.ndarray]:
    """How bright floor, walls and object are in every pixel, (64, 64, 3) float32, and what white gloss and
    sky add to them, (64, 64, 3) float32 of 255 and a half, for rounding."""
    body = _body(shape, float(SCALES[scale]), float(np.deg2rad(ORIENTATIONS[orientation])))
    reach = float(SCALES[scale]) / np.sqrt(2)  # of the widest body, the cube's corners, from its axis
    room = _room(orientation)
    directions = _rays()
    shares = np.zeros((len(directions), 4), np.float32)
    light = _shadowed(room, directions, body, reach)
    shares[room.floor, FLOOR] = light[room.floor]
    shares[room.walls, WALLS] = light[room.walls]
    seen = _object(room, directions, body, reach, shares)
    sky = ~(room.floor | room.walls)
    sky[seen] = False
    pixels = _mean_of_samples(shares)
    background = 255 * pixels[..., WHITE, None] + _mean_of_samples(sky[:, None]) * np.array(SKY)
    return pixels[..., :WHITE].copy(), (background + 0.5).astype(np.float32)


def _mean_of_samples(samples: np.ndarray) -> np.ndarray:
    """(64, 64, k) float32 of (16384, k)."""
    grid = samples.reshape(SIZE, SAMPLES, SIZE, SAMPLES, -1)
    corners = [grid[:, row, :, column] for row in range(SAMPLES) for column in range(SAMPLES)]
    return sum(corners[1:], corners[0].astype(np.float32)) / np.float32(SAMPLES**2)


def _body(shape: int, scale: float, turn: float) -> Body:
    if shape == 0:
        return cube(scale, turn)
    if shape == 1:
        return cylinder(*(scale * length for length in CYLINDER))
    return sphere(scale * SPHERE) if shape == 2 else capsule(*(scale * length for length in CAPSULE))


@functools.cache
def _rays() -> np.ndarray:
    """(16384, 3): unit directions from the camera through the samples, row by row."""
    places = ((np.arange(SIZE * SAMPLES) + 0.5) / SAMPLES - SIZE / 2) / FOCAL
    right, down = np.meshgrid(places, places)
    ahead = np.cos(PITCH) - down * np.sin(PITCH)
    up = -np.sin(PITCH) - down * np.cos(PITCH)
    rays = np.stack([right, ahead, up], -1).reshape(-1, 3)
    return (rays / np.linalg.norm(rays, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Room:
    """What every ray meets in the empty room: how far it is, which of the two, and how bright; (16384,)."""

    distances: np.ndarray
    floor: np.ndarray
    walls: np.ndarray
    light: np.ndarray


@functools.lru_cache(maxsize=15)
def _room(orientation: int) -> Room:
    turn = float(np.deg2rad(ORIENTATIONS[orientation]))
    directions = _rays()
    start, along = turned(CAMERA, turn), turned(directions, turn)
    flat = np.where(np.abs(along[:, :2]) < 1e-9, np.float32(1e-9), along[:, :2])
    to_walls = (np.sign(flat) * np.float32(WALL) - start[:2]) / flat
    axis, to_wall = to_walls.argmin(1), to_walls.min(1)
    rows = np.arange(len(along))
    normals = np.zeros_like(along)
    normals[rows, axis] = -np.sign(along[rows, axis])
    height = start[2] + to_wall * along[:, 2]
    floor = height < 0
    normals[floor] = 0, 0, 1
    to_floor = -start[2] / np.minimum(along[:, 2], np.float32(-1e-9))
    distances = np.where(floor, to_floor, to_wall).astype(np.float32)
    light = _light(CAMERA + directions * distances[:, None], turned(normals, -turn))
    return Room(distances=distances, floor=floor, walls=~floor & (height < WALL_HEIGHT), light=light)


def _shadowed(room: Room, directions: np.ndarray, body: Body, reach: float) -> np.ndarray:
    """The room's light, less the lamp's on the floor where the body stands in between."""
    light = room.light.copy()
    on_floor = np.nonzero(room.floor)[0]
    points = CAMERA + directions[on_floor] * room.distances[on_floor, None]
    towards = LAMP - points
    candidates = _passing(points, towards, reach)
    dark = np.isfinite(body(points[candidates], towards[candidates]).distances)
    light[on_floor[candidates[dark]]] = AMBIENT
    return light


def _object(room: Room, directions: np.ndarray, body: Body, reach: float, shares: np.ndarray) -> np.ndarray:
    """Puts the object in front of what is in `shares`. Returns which rays meet it."""
    candidates = _passing(CAMERA, directions, reach)
    met = body(CAMERA, directions[candidates])
    hit = met.distances < room.distances[candidates]
    seen, normals = candidates[hit], met.normals[hit]
    points = CAMERA + directions[seen] * met.distances[hit, None]
    towards = LAMP - points
    halfway = towards / np.sqrt(dot(towards, towards))[:, None] - directions[seen]
    halfway /= np.sqrt(dot(halfway, halfway))[:, None]
    shares[seen] = 0
    shares[seen, OBJECT] = _light(points, normals)
    shares[seen, WHITE] = GLOSS * np.maximum(dot(normals, halfway), 0) ** SHININESS
    return seen


def _passing(origins: np.ndarray, directions: np.ndarray, reach: float) -> np.ndarray:
    """Which rays pass the object's axis as near as that; the others need not be cast."""
    across = origins[..., 0] * directions[:, 1] - origins[..., 1] * directions[:, 0]
    return np.nonzero(across**2 <= reach**2 * dot(directions[:, :2], directions[:, :2]))[0]


def _light(points: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(n,): up to 1, of surfaces with those normals: ambient, from the camera, and from the lamp."""
    towards = LAMP - points
    reach = np.sqrt(dot(towards, towards))
    from_lamp = np.maximum(dot(normals, towards) / reach, 0) * (towards[:, 2] / reach) ** SPOT
    from_camera = np.maximum(normals[:, 2] * np.sin(PITCH) - normals[:, 1] * np.cos(PITCH), 0)
    return np.minimum(AMBIENT + HEADLIGHT * from_camera + LAMPLIGHT * from_lamp, 1).astype(np.float32)
