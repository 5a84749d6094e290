"""Rows of unit length."""

from __future__ import annotations

import numpy as np

from une_ray.geometry.arrays import AnyFloats, Floats


def unit_rows(z: AnyFloats) -> Floats:
    """(…, d) float64, each row divided by its Euclidean length; a row of zeros stays one."""
    z = np.asarray(z, np.float64)
    lengths = np.linalg.norm(z, axis=-1, keepdims=True)
    return z / np.where(lengths > 0, lengths, 1)
