"""Is this picture that one? The tiled distance of Carlini et al. 2023, "Extracting Training Data from Diffusion Models", section 4, or SSCD.

They cut pictures into 4 × 4 tiles and take the largest of the tiles' ℓ2 distances, so that two pictures do not pass for one because
most of both is the same flat background. What they choose by eye, the threshold, is calibrated here, and SSCD's in the same way: the one its authors
state, .75 for 90 % precision, is of photographs and says nothing of faces drawn in one style.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import avg_pool2d

from une_ray.corpora import avatars
from une_ray.corpora.files import absolute
from une_ray.errors import UneError, unknown
from une_ray.studies.memorization import sscd

TILES = 4
DEFAULT = "tiles"
CALIBRATION_SEED, CALIBRATION_PICTURES = (
    4,
    200,
)  # avatars of a seed that no model and no other measurement has seen


def similarity(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """(…) from 0, black on white, to 1, equal: 1 less half the root-mean-square difference of the tile where it is largest.

    `a` and `b` (…, 3, h, w) in [-1, 1] broadcast; raises UneError for sizes that differ or that 4 × 4 tiles do not divide.
    """
    height, width = a.shape[-2:]
    if a.shape[-2:] != b.shape[-2:] or height % TILES or width % TILES:
        raise UneError(
            f"pictures of {tuple(a.shape[-2:])} and {tuple(b.shape[-2:])} pixels can't be compared in 4 × 4 tiles of equal size"
        )
    squares = (a - b).square().mean(-3)
    tiles = squares.unflatten(-1, (TILES, -1)).unflatten(-3, (TILES, -1)).mean((-3, -1))
    return 1 - tiles.flatten(-2).amax(-1).sqrt() / 2


@dataclass(frozen=True)
class CopyMetric:
    """`describe` pictures (n, 3, h, w) in [-1, 1], then `compare` any two descriptors, which broadcast: 1 where they are equal, else less."""

    describe: Callable[[torch.Tensor], torch.Tensor]
    compare: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


TILED = CopyMetric(lambda pictures: pictures, similarity)


@lru_cache(maxsize=2)
def find_metric(name: str = DEFAULT, device: str = "cpu") -> CopyMetric:
    """`tiles`, or `sscd:FILE` of safetensors (see `sscd`). Raises UneError for any other name and for weights that are not SSCD's."""
    if name == DEFAULT:
        return TILED
    kind, _, file = name.partition(":")
    if kind != "sscd" or not file:
        raise unknown("copy metric", name, (DEFAULT, "sscd:FILE"))
    return CopyMetric(sscd.load(absolute(file), device), sscd.cosine)


def metric_facts(name: str) -> dict[str, str]:
    """What of a metric names a task's rows; nothing of the default. Raises what `find_metric` does."""
    find_metric(name)
    if name == DEFAULT:
        return {}
    file = absolute(name.removeprefix("sscd:"))
    return {"copy_metric": f"sscd:{file}", "copy_metric_weights": sscd.fingerprint(file)}


@dataclass(frozen=True)
class Calibration:
    """The similarity from which on a picture counts as a copy, and its error rates on pictures that did not choose it."""

    threshold: float
    false_positive_rate: float  # of pairs of different pictures
    false_negative_rate: float  # of pictures and their slightly changed selves
    pairs: int
    changed: int


@lru_cache(maxsize=2)
def calibration(metric: CopyMetric = TILED) -> Calibration:
    """That of 200 avatars; SSCD's takes a core more than three minutes. A generator's own pictures need one of their own: `calibrate`."""
    seen = [avatars.picture(CALIBRATION_SEED, index) for index in range(CALIBRATION_PICTURES)]
    return calibrate(torch.stack([from_bytes(data) for data in seen]), metric)


def calibrate(pictures: torch.Tensor, metric: CopyMetric = TILED) -> Calibration:
    """Threshold from the first half of `pictures` (n, 3, h, w), where both kinds of error are equally rare; rates on the second half."""
    (same, different), held_out = (_similarities(half, metric) for half in pictures.tensor_split(2))
    threshold = equal_error(same.numpy(), different.numpy())
    same, different = held_out
    return Calibration(
        threshold,
        (different >= threshold).double().mean().item(),
        (same < threshold).double().mean().item(),
        len(different),
        len(same),
    )


def equal_error(same: np.ndarray, different: np.ndarray) -> float:
    """The threshold whose worse error rate is least; of a range of such, its middle."""
    values = np.unique(np.concatenate([same, different]))
    thresholds = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2])
    missed = np.searchsorted(np.sort(same), thresholds) / len(same)
    mistaken = 1 - np.searchsorted(np.sort(different), thresholds) / len(different)
    worse = np.maximum(missed, mistaken)
    return float(np.median(thresholds[worse == worse.min()]))


def slightly_changed(pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    """Name → `pictures` (n, 3, h, w) as they look after what happens to pictures: each is still the same one to any eye."""
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    return {
        "JPEG of quality 50": torch.stack([_jpeg(picture, 50) for picture in pictures]),
        "blur over 3 × 3": avg_pool2d(pictures, 3, 1, padding=1, count_include_pad=False),
        "noise of a tenth": (pictures + 0.1 * noise).clamp(-1, 1),
        "a tenth darker": (pictures + 1) * 0.9 - 1,
        "half a pixel down and right": avg_pool2d(
            torch.nn.functional.pad(pictures, (1, 0, 1, 0), mode="replicate"), 2, 1
        ),
    }


def from_bytes(data: bytes) -> torch.Tensor:
    """(3, h, w) float32 in [-1, 1] of an encoded picture."""
    pixels = np.array(Image.open(io.BytesIO(data)).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 127.5 - 1


def to_image(picture: torch.Tensor) -> Image.Image:
    """The Pillow picture of (3, h, w) in [-1, 1]."""
    return Image.fromarray(
        ((picture.permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).byte().cpu().numpy()
    )


def _jpeg(picture: torch.Tensor, quality: int) -> torch.Tensor:
    out = io.BytesIO()
    to_image(picture).save(out, "JPEG", quality=quality)
    return from_bytes(out.getvalue())


def _similarities(pictures: torch.Tensor, metric: CopyMetric) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every picture with each of its changed selves, and of every two different pictures."""
    seen = metric.describe(pictures)
    same = torch.cat(
        [metric.compare(seen, metric.describe(changed)) for changed in slightly_changed(pictures).values()]
    )
    first, second = torch.triu_indices(len(pictures), len(pictures), 1)
    different = torch.cat(
        [metric.compare(seen[i], seen[j]) for i, j in zip(first.split(500), second.split(500))]
    )
    return same, different
