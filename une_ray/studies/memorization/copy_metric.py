"""Is this picture that one? A metric of `copy_metrics/`, and the similarity from which on a picture counts as
a copy.

What Carlini et al. 2023 choose by eye, the threshold, is calibrated here, and SSCD's in the same way: the one
its authors state, .75 for 90 % precision, is of photographs and says nothing of faces drawn in one style.
Random pairs would be too easy: what must not pass for a copy is a picture of the same description. The
threshold is the one that HARD_RATE of those pass; every study and the cards use it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, pad

from une_ray.corpora import avatars
from une_ray.corpora.avatar_features import Dice
from une_ray.corpora.files import absolute
from une_ray.errors import unknown
from une_ray.pictures.tensors import from_bytes, to_image
from une_ray.registry import Registry
from une_ray.studies.memorization.copy_metrics import CopyMetric, MetricKind
from une_ray.studies.memorization.copy_metrics.tiles import TILED
from une_ray.studies.memorization.defaults import COPY_METRIC, HARD_RATE

COPY_METRICS: Registry[MetricKind] = Registry(
    "copy metric", "une_ray.studies.memorization.copy_metrics", "METRIC", "une_ray.copy_metrics"
)
CALIBRATION_SEED = 4  # avatars of a seed that no model and no other measurement has seen
CALIBRATION_PICTURES = 200
TWIN = 7  # the stream of dice of an avatar's other details


@lru_cache(maxsize=2)
def find_metric(name: str = COPY_METRIC, device: str = "cpu") -> CopyMetric:
    """`tiles`, `sscd:FILE` of safetensors, or another package's. Raises UneError for any other name and for a
    file that can't be read."""
    kind, file = _kind(name)
    return kind.load(file, device)


def metric_facts(name: str) -> dict[str, str]:
    """What of a metric names a task's rows; nothing of the default. Raises what `find_metric` does."""
    kind, file = _kind(name)
    find_metric(name)
    if name == COPY_METRIC:
        return {}
    if kind.fingerprint is None:
        return {"copy_metric": name, "copy_metric_weights": name}
    return {"copy_metric": f"{name.partition(':')[0]}:{file}", "copy_metric_weights": kind.fingerprint(file)}


def _kind(name: str) -> tuple[MetricKind, str]:
    """The metric, and the absolute path of its file or nothing."""
    kind_name, _, file = name.partition(":")
    kind = COPY_METRICS.find(kind_name) if kind_name in COPY_METRICS else None
    if kind is None or bool(file) != (kind.fingerprint is not None):
        known = [
            known if kind.fingerprint is None else f"{known}:FILE" for known, kind in COPY_METRICS.items()
        ]
        raise unknown("copy metric", name, known)
    return kind, absolute(file) if file else ""


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The similarity from which on a picture counts as a copy, and its error rates on pictures that did not
    choose it.

    False positives are among `pairs` of any two pictures and, `hard_rate`, among `hard` pairs of the same
    description; false negatives among `changed` pairs of a picture and its changed self, `missed` by change.
    """

    threshold: float
    false_positive_rate: float
    hard_rate: float
    false_negative_rate: float
    missed: Mapping[str, float]
    pairs: int
    hard: int
    changed: int


def calibration(metric: CopyMetric = TILED) -> Calibration:
    """That of 200 avatars and others of the same features; SSCD's takes a core more than three minutes. A
    generator's own pictures need one of their own: `calibrate`."""
    return _calibration(metric, CALIBRATION_PICTURES)


@lru_cache(maxsize=2)
def _calibration(metric: CopyMetric, count: int) -> Calibration:
    own = [avatars.picture(CALIBRATION_SEED, index) for index in range(count)]
    twins = [twin(CALIBRATION_SEED, index) for index in range(count)]
    pictures, alike = (torch.stack([from_bytes(data) for data in encoded]) for encoded in (own, twins))
    return calibrate(pictures, metric, alike)


def twin(seed: int, index: int) -> bytes:
    """PNG bytes of an avatar of the same features as `avatars.picture(seed, index)`, other in all details."""
    from une_ray.corpora.avatar_drawings import render

    return render(avatars.features(seed, index), Dice(seed, index, TWIN), avatars.SIZE)


def calibrate(
    pictures: torch.Tensor, metric: CopyMetric = TILED, alike: torch.Tensor | None = None
) -> Calibration:
    """Threshold from the first half of `pictures` (n, 3, h, w), rates on the second.

    `alike` (n, 3, h, w) is another picture of each one's description; if None, its most similar other is.
    """
    halves = zip(pictures.tensor_split(2), (None, None) if alike is None else alike.tensor_split(2))
    (_, _, hard), held_out = (_similarities(half, metric, twins) for half, twins in halves)
    threshold = at_rate(hard.numpy(), HARD_RATE)
    changed, different, hard = held_out
    missed = {name: (values < threshold).double().mean().item() for name, values in changed.items()}
    return Calibration(
        threshold=threshold,
        false_positive_rate=(different >= threshold).double().mean().item(),
        hard_rate=(hard >= threshold).double().mean().item(),
        false_negative_rate=float(np.mean(list(missed.values()))),
        missed=missed,
        pairs=len(different),
        hard=len(hard),
        changed=sum(map(len, changed.values())),
    )


def at_rate(different: np.ndarray, rate: float) -> float:
    """The least threshold that no more than the share `rate` of these similarities reach."""
    ordered = np.sort(different)[::-1]
    passing = int(rate * len(ordered))
    return float(np.nextafter(ordered[passing], np.inf, dtype=ordered.dtype))


def slightly_changed(pictures: torch.Tensor) -> dict[str, torch.Tensor]:
    """Name → `pictures` (n, 3, h, w) as they look after what happens to pictures: each is still the same one
    to any eye."""
    noise = torch.randn(pictures.shape, generator=torch.Generator().manual_seed(0))
    return {
        "JPEG of quality 50": torch.stack([_jpeg(picture, 50) for picture in pictures]),
        "blur over 3 × 3": avg_pool2d(pictures, 3, 1, padding=1, count_include_pad=False),
        "noise of a tenth": (pictures + 0.1 * noise).clamp(-1, 1),
        "a tenth darker": (pictures + 1) * 0.9 - 1,
        "half a pixel down and right": avg_pool2d(pad(pictures, (1, 0, 1, 0), mode="replicate"), 2, 1),
    }


def _jpeg(picture: torch.Tensor, quality: int) -> torch.Tensor:
    out = io.BytesIO()
    to_image(picture).save(out, "JPEG", quality=quality)
    return from_bytes(out.getvalue())


def _similarities(
    pictures: torch.Tensor, metric: CopyMetric, alike: torch.Tensor | None
) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """Of every picture with each of its changed selves, of every two different pictures, and of every picture
    with the one that is `alike`, or else with its most similar other."""
    described = metric.describe(pictures)
    changed = {
        name: metric.compare(described, metric.describe(selves))
        for name, selves in slightly_changed(pictures).items()
    }
    first, second = torch.triu_indices(len(pictures), len(pictures), 1)
    blocks = zip(first.split(500), second.split(500))
    different = torch.cat([metric.compare(described[i], described[j]) for i, j in blocks])
    if alike is not None:
        return changed, different, metric.compare(described, metric.describe(alike))
    nearest = torch.full((len(pictures),), -torch.inf)
    for rows in (first, second):
        nearest.scatter_reduce_(0, rows, different.to(nearest), "amax")
    return changed, different, nearest
