"""dSprites' pictures from their factors: three shapes as inequalities, in the published geometry.

Lengths were fitted to the published animation of the data set (Matthey et al. 2017, dsprites.gif), whose
313 pictures of known factors this agrees with up to half a pixel each on average; see docs/papers/5-did.md.
"""

from __future__ import annotations

import numpy as np

from une_ray.corpora.factor_grid import checked
from une_ray.corpora.sizes import resized

FACTORS = {"shape": 3, "scale": 6, "orientation": 40, "position_x": 32, "position_y": 32}
SHAPES = ("square", "ellipse", "heart")
SCALES = np.linspace(0.5, 1, 6)
ORIENTATIONS = np.linspace(0, 2 * np.pi, 40)  # both ends, as published: the last is the first again
POSITIONS = np.linspace(0, 1, 32)

SIZE = 64
FIRST, RANGE = 16.0, 32.0  # where position 0 is, and how far position 1 is from it, in pixels
HALF_SQUARE = 9.6  # half a side at scale 1, in pixels, as all below
SEMI_AXES = 12.76, 7.22
HEART_WIDTH, HEART_HEIGHT, HEART_DROP = 9.6, 0.663, 1.44
PICTURES = 64  # drawn at a time: their coordinates stay in the processor's cache


def render(factors: np.ndarray, size: int = SIZE) -> np.ndarray:
    """(n, size, size, 1) uint8, black and white: the pictures of factors (n, 5) in the order of `FACTORS`.

    `size` divides 64; smaller pictures are means of squares of pixels, so grey at edges. A pixel is white
    where its centre is in the shape. Raises UneError for factors that there are not.
    """
    rows = checked(np.asarray(factors, np.int64), FACTORS)
    pictures = np.zeros((len(rows), SIZE, SIZE, 1), np.uint8)
    by_shape = np.argsort(rows[:, 0], kind="stable")
    for shape, inside in enumerate((_square, _ellipse, _heart)):
        of_shape = by_shape[rows[by_shape, 0] == shape]
        for start in range(0, len(of_shape), PICTURES):
            chosen = of_shape[start : start + PICTURES]
            pictures[chosen, :, :, 0] = np.where(inside(*_local(rows[chosen])), np.uint8(255), np.uint8(0))
    return resized(pictures, size)


def _local(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 64, 64) twice: every pixel's centre in its shape's own unrotated, unscaled frame, y downwards.
    Positive orientations turn the shape counter-clockwise."""
    centres = np.arange(SIZE) + 0.5
    scale = SCALES[rows[:, 1], None]
    right = (centres - FIRST - RANGE * POSITIONS[rows[:, 3], None]) / scale
    down = (centres - FIRST - RANGE * POSITIONS[rows[:, 4], None]) / scale
    cosine, sine = np.cos(ORIENTATIONS[rows[:, 2], None]), np.sin(ORIENTATIONS[rows[:, 2], None])
    across = (cosine * right)[:, None, :] - (sine * down)[:, :, None]
    along = (sine * right)[:, None, :] + (cosine * down)[:, :, None]
    return across, along


def _square(across: np.ndarray, along: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(across), np.abs(along)) < HALF_SQUARE


def _ellipse(across: np.ndarray, along: np.ndarray) -> np.ndarray:
    return (across / SEMI_AXES[0]) ** 2 + (along / SEMI_AXES[1]) ** 2 < 1


def _heart(across: np.ndarray, along: np.ndarray) -> np.ndarray:
    """x = sin³t, y = 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t, which two t share for every x: y runs from the
    lower one's to the upper one's."""
    inside = np.zeros(across.shape, bool)
    near = np.nonzero(np.abs(across) < HEART_WIDTH)
    sine_squared = np.cbrt(across[near] / HEART_WIDTH) ** 2
    cosine = np.sqrt(1 - sine_squared)
    even = 5 + cosine**2 * (-2 - 8 * cosine**2) - 1  # −5 cos 2t − cos 4t, the same for both t
    odd = cosine * (19 - 8 * cosine**2)  # 13 cos t − 2 cos 3t, of opposite sign
    height = -(along[near] + HEART_DROP) / HEART_HEIGHT
    inside[near] = np.abs(height - even) < odd
    return inside
