"""Smaller pictures as means of squares of pixels."""

from __future__ import annotations

import numpy as np

from une_ray.errors import UneError


def resized(pictures: np.ndarray, size: int) -> np.ndarray:
    """(n, size, size, c) uint8 of pictures (n, s, s, c). Raises UneError where `size` does not divide s."""
    side = pictures.shape[1]
    if size == side:
        return pictures
    if size < 1 or side % size:
        raise UneError(
            f"pictures of {side} pixels become squares of a divisor of {side}, as {side // 2}; got {size}"
        )
    per = side // size
    blocks = pictures.reshape(len(pictures), size, per, size, per, pictures.shape[-1])
    return ((blocks.sum((2, 4), dtype=np.uint32) + per * per // 2) // (per * per)).astype(np.uint8)
