"""The tiled distance of Carlini et al. 2023, "Extracting Training Data from Diffusion Models", section 4.

They cut pictures into 4 × 4 tiles and take the largest of the tiles' ℓ2 distances, so that two pictures do
not pass for one because most of both is the same flat background.
"""

from __future__ import annotations

import torch

from une_ray.errors import UneError
from une_ray.studies.memorization.copy_metrics import CopyMetric, MetricKind

TILES = 4


def similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(…) from 0, black on white, to 1, equal: 1 less half the root-mean-square difference of the tile where
    it is largest.

    `a` and `b` (…, 3, h, w) in [-1, 1] broadcast; raises UneError for sizes that differ or that 4 × 4 tiles
    do not divide.
    """
    height, width = a.shape[-2:]
    if a.shape[-2:] != b.shape[-2:] or height % TILES or width % TILES:
        raise UneError(
            f"pictures of {tuple(a.shape[-2:])} and {tuple(b.shape[-2:])} pixels can't be compared in "
            "4 × 4 tiles of equal size"
        )
    squares = (a - b).square().mean(-3)
    tiles = squares.unflatten(-1, (TILES, -1)).unflatten(-3, (TILES, -1)).mean((-3, -1))
    return 1 - tiles.flatten(-2).amax(-1).sqrt() / 2


TILED = CopyMetric(lambda pictures: pictures, similarity)
METRIC = MetricKind(load=lambda file, device: TILED)
