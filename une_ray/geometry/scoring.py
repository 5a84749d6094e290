"""Scores of rows by fitted probes, and of train rows by fits without them: what metrics and calibration are
of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from une_ray.geometry.arrays import Floats
from une_ray.geometry.calibration import Classes
from une_ray.geometry.gram import in_panels, passes
from une_ray.geometry.linear import Alike, Linear
from une_ray.geometry.spread import Blocks, taken


@dataclass(frozen=True, eq=False)
class SplitRows:
    """Which rows (n,) a split trains and tests on, labels (n, k) of 0 or 1 of its attributes, and what is
    alike among its train rows."""

    train: torch.Tensor
    test: torch.Tensor
    y: torch.Tensor
    alike: Alike

    def of(self, rows: slice) -> SplitRows:
        """The same of a run of rows."""
        alike = Alike(taken(self.alike.count, rows), taken(self.alike.labels, rows))
        return SplitRows(taken(self.train, rows), taken(self.test, rows), taken(self.y, rows), alike)


@dataclass(frozen=True, eq=False)
class Scored:
    """Of one split: blocks of its test rows' scores (b, k) float64, and its classes' leave-one-out scores
    where they have a closed form."""

    scores: list[Floats]
    classes: Classes

    def __add__(self, other: Scored) -> Scored:
        """Of both, these rows before the other's."""
        return Scored(self.scores + other.scores, self.classes + other.classes)


def score(blocks: Blocks, fits: tuple[Sequence[Linear], str], splits: Sequence[SplitRows]) -> list[Scored]:
    """Of every split, by its own of the `fits`, which stand beside the device; all from one pass."""
    linears, device = fits
    found = [Scored([], Classes(split.y.shape[1], device)) for split in splits]
    for at, z in passes(blocks, len(splits[0].test)):
        for linear, split, scored in zip(linears, splits, found):
            k = split.y.shape[1]
            tested = z[split.test[at]].to(device).double()
            scored.scores.append(
                (tested @ in_panels(linear.w))[:, : len(linear.b)].add(linear.b).cpu().numpy()
            )
            rows = split.train[at]
            if linear.held_out is not None and rows.any():
                own, y = z[rows].to(device).double(), 2 * split.y[at][rows].to(device).double() - 1
                fitted = (own @ in_panels(linear.w[:, :k]))[:, :k] + linear.b[:k]
                alike = Alike(split.alike.count[at][rows].to(own), split.alike.labels[at][rows].to(own))
                scored.classes.add(linear.held_out(own, fitted, y, alike), y)
    return found
