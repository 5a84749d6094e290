"""Pictures as tensors in [-1, 1] and as 8-bit arrays: the one place where either becomes the other."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image


def to_uint8(x: torch.Tensor) -> np.ndarray:
    """(b, h, w, 3) uint8 of pictures (b, 3, h, w) in [-1, 1], rounded; what lies beyond is cut off."""
    return ((x + 1) * 127.5).round().clamp(0, 255).byte().permute(0, 2, 3, 1).cpu().numpy()


def from_uint8(pictures: np.ndarray, device: str = "cpu") -> torch.Tensor:
    """(b, 3, h, w) float32 in [-1, 1], channels last in memory, of pictures (b, h, w, 3) uint8."""
    return torch.from_numpy(pictures).to(device).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def to_image(picture: torch.Tensor) -> Image.Image:
    """The Pillow picture of (3, h, w) in [-1, 1]."""
    return Image.fromarray(to_uint8(picture[None])[0])


def from_bytes(data: bytes) -> torch.Tensor:
    """(3, h, w) float32 in [-1, 1] of an encoded picture."""
    return from_uint8(np.array(Image.open(io.BytesIO(data)).convert("RGB"))[None])[0]
