"""How alike two pictures are, one file each, found by `COPY_METRICS` of `copy_metric`.

A file defines `METRIC`; its name is the metric's. A file of another package is one by its entry point
`une_ray.copy_metrics`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # names are read without torch
    import torch


@dataclass(frozen=True)
class CopyMetric:
    """`describe` pictures (n, 3, h, w) in [-1, 1], then `compare` any two descriptors, which broadcast: 1
    where they are equal, else less."""

    describe: Callable[[torch.Tensor], torch.Tensor]
    compare: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class MetricKind:
    """`load(file, device)` makes the metric. With a `fingerprint` of its file it is named NAME:FILE, without
    one it reads none."""

    load: Callable[[str, str], CopyMetric]
    fingerprint: Callable[[str], str] | None = None
