"""Pictures that tests make."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def png(size: tuple[int, int] = (70, 60), mode: str = "RGB", seed: int = 0, format: str = "PNG") -> bytes:
    """Bytes of a random picture."""
    channels = {"RGB": 3, "RGBA": 4, "L": 1, "CMYK": 4}[mode]
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)
    out = io.BytesIO()
    Image.frombytes(mode, size, values.tobytes()).save(out, format)
    return out.getvalue()
