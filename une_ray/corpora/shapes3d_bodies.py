"""Where rays meet the four bodies of 3DShapes: nearest distance and the surface's normal there.

Rays are origins (n, 3) or (3,) and directions (n, 3); a body stands on the origin, z up. Distances are
infinite where a ray misses; normals (n, 3) point outwards, and are anything there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

NEAR = 1e-4  # a surface does not shade itself


@dataclass(frozen=True, kw_only=True)
class Hits:
    """distances (n,), normals (n, 3)."""

    distances: np.ndarray
    normals: np.ndarray


Body = Callable[[np.ndarray, np.ndarray], Hits]


def dot(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(n,): products of rows (n, k) with rows (n, k)."""
    return np.einsum("ij,ij->i", first, second)


def turned(vectors: np.ndarray, angle: float) -> np.ndarray:
    """(…, 3) about the vertical by `angle` in radians, counter-clockwise from above."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    x, y, z = vectors[..., 0], vectors[..., 1], vectors[..., 2]
    return np.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=-1)


def cube(side: float, angle: float) -> Body:
    """Of that side, turned by −`angle` in radians."""

    def meet(origins: np.ndarray, directions: np.ndarray) -> Hits:
        middle = np.array([0, 0, side / 2], np.float32)
        start, along = turned(origins - middle, angle), turned(directions, angle)
        along = np.where(np.abs(along) < 1e-9, np.float32(1e-9), along)
        enters = (-np.sign(along) * side / 2 - start) / along
        leaves = (np.sign(along) * side / 2 - start) / along
        face = enters.argmax(1)
        entry = enters.max(1)
        meets = (entry < leaves.min(1)) & (entry > NEAR)
        normals = np.zeros_like(along)
        rows = np.arange(len(along))
        normals[rows, face] = -np.sign(along[rows, face])
        return Hits(distances=np.where(meets, entry, np.inf), normals=turned(normals, -angle))

    return meet


def cylinder(radius: float, height: float) -> Body:
    """Upright, with a flat top."""

    def meet(origins: np.ndarray, directions: np.ndarray) -> Hits:
        return _nearest(
            _tube(origins, directions, radius, 0, height), _disc(origins, directions, radius, height)
        )

    return meet


def sphere(radius: float) -> Body:
    def meet(origins: np.ndarray, directions: np.ndarray) -> Hits:
        return _ball(origins, directions, radius, radius)

    return meet


def capsule(radius: float, height: float) -> Body:
    """Upright; the height is that of the whole."""

    def meet(origins: np.ndarray, directions: np.ndarray) -> Hits:
        tube = _tube(origins, directions, radius, radius, height - radius)
        ends = [_ball(origins, directions, radius, middle) for middle in (radius, height - radius)]
        return _nearest(tube, *ends)

    return meet


def _tube(origins: np.ndarray, directions: np.ndarray, radius: float, low: float, high: float) -> Hits:
    """The outer side of an upright cylinder between two heights."""
    flat, from_axis = directions[..., :2], origins[..., :2]
    distances = _first_root(flat, from_axis, radius)
    points = _along(origins, directions, distances)
    met = (points[:, 2] >= low) & (points[:, 2] <= high)
    normals = np.concatenate([points[:, :2] / np.float32(radius), np.zeros((len(points), 1), np.float32)], 1)
    return Hits(distances=np.where(met, distances, np.inf), normals=normals)


def _ball(origins: np.ndarray, directions: np.ndarray, radius: float, height: float) -> Hits:
    """A sphere whose middle stands at that height."""
    from_middle = origins - np.array([0, 0, height], np.float32)
    distances = _first_root(directions, from_middle, radius)
    return Hits(distances=distances, normals=_along(from_middle, directions, distances) / np.float32(radius))


def _disc(origins: np.ndarray, directions: np.ndarray, radius: float, height: float) -> Hits:
    """A level disc at that height, seen from above."""
    down = np.minimum(directions[..., 2], np.float32(-1e-9))
    distances = (height - origins[..., 2]) / down
    points = _along(origins, directions, distances)
    met = (directions[..., 2] < 0) & (distances > NEAR) & (dot(points[:, :2], points[:, :2]) <= radius**2)
    normals = np.broadcast_to(np.array([0, 0, 1], np.float32), directions.shape)
    return Hits(distances=np.where(met, distances, np.inf), normals=normals)


def _first_root(directions: np.ndarray, from_middle: np.ndarray, radius: float) -> np.ndarray:
    """(n,): where rays of two or three dimensions enter a ball of that radius; infinity where they miss."""
    starts = np.broadcast_to(from_middle, directions.shape)
    square, half = dot(directions, directions), dot(directions, starts)
    discriminant = half**2 - square * (dot(starts, starts) - np.float32(radius**2))
    with np.errstate(divide="ignore", invalid="ignore"):
        root = (-half - np.sqrt(np.maximum(discriminant, 0))) / square
    return np.where((discriminant > 0) & (root > NEAR), root, np.float32(np.inf))


def _along(origins: np.ndarray, directions: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """(n, 3): points at those distances; the origin where a ray misses."""
    reach = np.where(np.isfinite(distances), distances, 0).astype(np.float32)
    return origins + directions * reach[:, None]


def _nearest(*surfaces: Hits) -> Hits:
    distances = np.stack([surface.distances for surface in surfaces])
    first = distances.argmin(0)
    rows = np.arange(distances.shape[1])
    normals = np.stack([surface.normals for surface in surfaces])[first, rows]
    return Hits(distances=distances[first, rows], normals=normals)
