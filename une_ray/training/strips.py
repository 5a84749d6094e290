"""What a generator makes, as pictures for its card: samples, inversions, and ways between pictures."""

from __future__ import annotations

import torch
from PIL import Image

from une_ray.pictures.tensors import to_image
from une_ray.spaces.ddim import Invert
from une_ray.spaces.space import Space
from une_ray.training.data import Pictures
from une_ray.training.sampling import generate, normalised

COLUMNS = 12


def samples(name: str, data: Pictures, rows: int = 4) -> Image.Image:
    """A grid for the first held-out captions, not selected."""
    return grid(generate(name, data.captions()[: COLUMNS * rows]))


def inversions(name: str, data: Pictures) -> Image.Image:
    """A grid of a dozen pictures and what becomes of them.

    Rows: pictures; through the autoencoder; through noise and back; two on the great circle between two
    noises.
    """
    step = Invert(Space.parse(f"{name}/ddim50"))
    x = normalised(data, slice(COLUMNS))
    noise = step.noise(x)
    between = [great_circle(noise[i], noise[i + 1], torch.linspace(0, 1, COLUMNS)) for i in (0, 2)]
    alone = step.generator.decode(step.generator.encode(x))
    return grid(torch.cat([x, alone, step.image(noise), *(step.image(path) for path in between)]))


def great_circle(a: torch.Tensor, b: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """Spherical interpolation (Shoemake 1985) from `a` to `b`: one for every t in [0, 1]."""
    angle = torch.arccos(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))
    t = t.view(-1, *(1 for _ in a.shape))
    return (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)


def grid(pictures: torch.Tensor) -> Image.Image:
    """Pictures (rows · COLUMNS, 3, s, s) in [-1, 1] as one, row by row."""
    channels, side = pictures.shape[1:3]
    tiles = pictures.reshape(-1, COLUMNS, channels, side, side).permute(2, 0, 3, 1, 4)
    return to_image(tiles.reshape(channels, -1, COLUMNS * side))
