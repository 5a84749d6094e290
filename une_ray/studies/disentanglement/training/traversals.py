"""Traversals: one code after another moved over its range, all others held; a row per code."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from une_ray.studies.disentanglement.models.model import Disentangler
from une_ray.studies.disentanglement.training.pictures import Pictures

STEPS = 9
BASES = 2  # pictures that traversals begin at, side by side
TILE = 64  # pixels of a picture in the sheet
MARGIN, GAP = 2, 16


@torch.no_grad()
def traversals(model: Disentangler, pictures: Pictures, seed: int = 0, device: str = "cpu") -> Image.Image:
    """A sheet of `BASES` blocks side by side. Left in each row the picture that codes are read from (a model
    that does not invert begins elsewhere), then the code over the model's `span`.

    Rows are in order of how much they change the picture, most first.
    """
    rows = np.random.default_rng(seed).choice(len(pictures.images), BASES, replace=False)
    originals = pictures.rows(rows)
    bases = model.bases(originals.to(device))
    swept = torch.stack([_swept(model, base) for base in bases]).cpu()  # (bases, codes, steps, c, s, s)
    order = swept.std(2).mean((0, 2, 3, 4)).argsort(descending=True)
    blocks = [_block(original, sweep[order]) for original, sweep in zip(originals, swept)]
    gap = np.full((blocks[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for block in blocks for part in (gap, block)][1:]
    return Image.fromarray(np.concatenate(parts, axis=1))


def _swept(model: Disentangler, base: torch.Tensor) -> torch.Tensor:
    """(codes, steps, c, s, s): every code of one base over the span."""
    values = torch.linspace(*model.span, STEPS, device=base.device)
    latents = base.repeat(len(base), STEPS, 1)
    for code in range(len(base)):
        latents[code, :, code] = values
    return model.decode(latents.flatten(0, 1)).unflatten(0, (len(base), STEPS))


def _block(original: torch.Tensor, swept: torch.Tensor) -> np.ndarray:
    """(h, w, 3) uint8: rows of a code's pictures, each behind the original."""
    first = original.expand(len(swept), 1, *original.shape)
    return np.concatenate([_row(row) for row in torch.cat([first, swept], 1)], axis=0)


def _row(pictures: torch.Tensor) -> np.ndarray:
    """(TILE + margins, …, 3) uint8 of pictures (k, c, s, s) in [0, 1]."""
    grown = torch.nn.functional.interpolate(pictures, size=(TILE, TILE), mode="nearest")
    colours = (grown * 255).round().byte().expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy()
    framed = np.pad(colours, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), constant_values=255)
    return np.concatenate(list(framed), axis=1)
