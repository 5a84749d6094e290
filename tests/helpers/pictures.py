"""Pictures that tests make."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def png(size: tuple[int, int] = (70, 60), mode: str = "RGB", seed: int = 0, format: str = "PNG") -> bytes:
    """Bytes of a random picture."""
    channels = {"RGB": 3, "RGBA": 4, "L": 1, "CMYK": 4}[mode]
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), np.uint8)
    out = io.BytesIO()
    Image.frombytes(mode, size, values.tobytes()).save(out, format)
    return out.getvalue()


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """A PNG of a few bytes that announces 3.6 gigapixels."""
    return _png_of(width, height, bits=8, color_type=2, others=b"", rows=b"\0" * 1000)


def raw_png(values: np.ndarray, bits: int, color_type: int, clear: np.ndarray) -> bytes:
    """A PNG of values (h, w, c) of 1 to 16 bits as they are, in which the pixels that equal `clear` (c,) are
    transparent: what Pillow itself does not write."""
    height, width, _ = values.shape
    rows = b""
    for row in values.reshape(height, -1):
        digits = "".join(f"{value:0{bits}b}" for value in row)
        digits += "0" * (-len(digits) % 8)
        rows += b"\0" + int(digits, 2).to_bytes(len(digits) // 8, "big")  # 0: no filter
    return _png_of(width, height, bits, color_type, _chunk(b"tRNS", clear.astype(">u2").tobytes()), rows)


def _png_of(width: int, height: int, bits: int, color_type: int, others: bytes, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    image = _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + others + image


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
