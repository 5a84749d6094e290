"""Is this picture that one? A metric of `copy_metrics/`, and the similarity from which on a picture counts as
a copy.

What Carlini et al. 2023 choose by eye, the threshold, is calibrated here, and SSCD's in the same way: the one
its authors state, .75 for 90 % precision, is of photographs and says nothing of faces drawn in one style.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch.nn.functional import avg_pool2d, pad

from une_ray.corpora import avatars
from une_ray.corpora.files import absolute
from une_ray.errors import unknown
from une_ray.pictures.tensors import from_bytes, to_image
from une_ray.registry import Registry
from une_ray.studies.memorization.copy_metrics import CopyMetric, MetricKind
from une_ray.studies.memorization.copy_metrics.tiles import TILED
from une_ray.studies.memorization.defaults import COPY_METRIC

COPY_METRICS: Registry[MetricKind] = Registry(
    "copy metric", "une_ray.studies.memorization.copy_metrics", "METRIC", "une_ray.copy_metrics"
)
CALIBRATION_SEED = 4  # avatars of a seed that no model and no other measurement has seen
CALIBRATION_PICTURES = 200


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

    False positives are among `pairs` of different pictures, false negatives among `changed` pairs of a
    picture and its changed self.
    """

    threshold: float
    false_positive_rate: float
    false_negative_rate: float
    pairs: int
    changed: int


@lru_cache(maxsize=2)
def calibration(metric: CopyMetric = TILED) -> Calibration:
    """That of 200 avatars; SSCD's takes a core more than three minutes. A generator's own pictures need one
    of their own: `calibrate`."""
    encoded = [avatars.picture(CALIBRATION_SEED, index) for index in range(CALIBRATION_PICTURES)]
    return calibrate(torch.stack([from_bytes(data) for data in encoded]), metric)


def calibrate(pictures: torch.Tensor, metric: CopyMetric = TILED) -> Calibration:
    """Threshold from the first half of `pictures` (n, 3, h, w), where both kinds of error are equally rare;
    rates on the second half."""
    (same, different), held_out = (_similarities(half, metric) for half in pictures.tensor_split(2))
    threshold = equal_error(same.numpy(), different.numpy())
    same, different = held_out
    return Calibration(
        threshold=threshold,
        false_positive_rate=(different >= threshold).double().mean().item(),
        false_negative_rate=(same < threshold).double().mean().item(),
        pairs=len(different),
        changed=len(same),
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


def _similarities(pictures: torch.Tensor, metric: CopyMetric) -> tuple[torch.Tensor, torch.Tensor]:
    """Of every picture with each of its changed selves, and of every two different pictures."""
    described = metric.describe(pictures)
    changed = [metric.describe(changed) for changed in slightly_changed(pictures).values()]
    same = torch.cat([metric.compare(described, descriptors) for descriptors in changed])
    first, second = torch.triu_indices(len(pictures), len(pictures), 1)
    blocks = zip(first.split(500), second.split(500))
    different = torch.cat([metric.compare(described[i], described[j]) for i, j in blocks])
    return same, different
