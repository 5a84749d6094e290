"""Traversals: one code after another moved over its range, all others held; a row per code, named by the
factor that it says most of."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from une_ray.studies.disentanglement.measure import codes_of
from une_ray.studies.disentanglement.metrics.sample import binned, entropies, mutual_information
from une_ray.studies.disentanglement.models.model import Disentangler
from une_ray.studies.disentanglement.training.pictures import Pictures

STEPS = 9
BASES = 2  # pictures that traversals begin at, side by side
TILE = 64  # pixels of a picture in the sheet
MARGIN, GAP = 2, 16
LABEL, HEAD = 132, 18  # pixels of a row's name and of the codes' values
READ, LEAST = 2000, 0.02  # pictures that decide what a code says; the least share that counts


@torch.no_grad()
def traversals(model: Disentangler, pictures: Pictures, seed: int = 0, device: str = "cpu") -> Image.Image:
    """A sheet of `BASES` blocks side by side, of fewer where there are fewer pictures. Left in each row the
    picture that codes are read from (a model that does not invert begins elsewhere), then the code over the
    model's `span`.

    Rows are in order of how much they change the picture, most first.
    """
    bases = min(BASES, len(pictures.images))
    rows = np.random.default_rng(seed).choice(len(pictures.images), bases, replace=False)
    originals = pictures.rows(rows)
    latents = model.bases(originals.to(device))
    swept = torch.stack([_swept(model, base) for base in latents]).cpu()  # (bases, codes, steps, c, s, s)
    order = swept.std(2).mean((0, 2, 3, 4)).argsort(descending=True)
    blocks = [_block(original, sweep[order]) for original, sweep in zip(originals, swept)]
    gap = np.full((blocks[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for block in blocks for part in (gap, block)][1:]
    names = said(model, pictures, device)
    sheet = np.concatenate(parts, axis=1)
    return _titled(sheet, [names[code] for code in order.tolist()], bases, model.span)


def said(model: Disentangler, pictures: Pictures, device: str = "cpu") -> list[str]:
    """Of each code the factor that it says most of, and which share of that factor's entropy: mutual
    information as MIG counts it, less what as many bins of chance would have (Miller and Madow), over random
    pictures."""
    rows = np.random.default_rng(0).permutation(len(pictures.images))[:READ]
    some = Pictures(images=pictures.images[rows], factors=pictures.factors[rows], names=pictures.names)
    bins = binned(codes_of(model, some, device))
    factors = np.stack([np.unique(column, return_inverse=True)[1] for column in some.factors.T], axis=1)
    chance = np.outer(_occupied(bins) - 1, _occupied(factors) - 1) / (2 * len(rows))
    entropy = entropies(factors)
    shares = (mutual_information(bins, factors) - chance) / np.where(entropy > 0, entropy, np.inf)
    return [
        f"{some.names[code.argmax()]} {100 * code.max():.0f} %" if code.max() > LEAST else "nothing"
        for code in shares
    ]


def _occupied(bins: np.ndarray) -> np.ndarray:
    """(d,): how many values each column has."""
    return np.array([len(np.unique(column)) for column in bins.T])


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


def _titled(sheet: np.ndarray, names: list[str], bases: int, span: tuple[float, float]) -> Image.Image:
    """The sheet with the rows' names on its left, and above each picture what it is."""
    height, width, _ = sheet.shape
    titled = Image.new("RGB", (LABEL + width, HEAD + height), "white")
    titled.paste(Image.fromarray(sheet), (LABEL, HEAD))
    pen, font = ImageDraw.Draw(titled), ImageFont.load_default(12)
    pitch = TILE + 2 * MARGIN
    for row, name in enumerate(names):
        pen.text((2, HEAD + row * pitch + pitch // 2), name, "black", font, anchor="lm")
    heads = ["picture", *(f"{value:g}" for value in np.linspace(*span, STEPS))]
    for base in range(bases):
        left = LABEL + base * (len(heads) * pitch + GAP)
        for column, head in enumerate(heads):
            pen.text((left + column * pitch + pitch // 2, HEAD // 2), head, "black", font, anchor="mm")
    return titled
