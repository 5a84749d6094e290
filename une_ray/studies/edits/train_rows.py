"""The train images that an edit learns from: their latents, and the labels of what it moves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from une_ray.errors import UneError
from une_ray.lake.latents import attributes_of, blocks, image_ids, labels_and_folds
from une_ray.lake.layout import Lake
from une_ray.lake.splits import refuse_one_sided

MOST, SEED = 20_000, 0  # of so many scores the standard deviation is known to half a percent
TOGETHER = "+"  # between attributes that one direction moves


@dataclass(frozen=True, eq=False)
class TrainRows:
    """Train images of the edited space: latents `z` (n, d), `labels` (n,) of 0, 1 or NaN where unknown, their
    ids, and for a baseline the `covariance` (d, d) of an edit whose inner product it is."""

    z: np.ndarray
    labels: np.ndarray
    image_ids: pa.Array
    covariance: np.ndarray | None = None

    @property
    def norms(self) -> tuple[float, float]:
        """Mean and standard deviation of the latents' norms."""
        norms = np.linalg.norm(self.z, axis=1)
        return float(norms.mean()), float(norms.std())


def train_rows(lake: Lake, space: str, attribute: str) -> TrainRows:
    """All train images that have a latent, or MOST of them drawn at random. Raises UneError where there are
    none."""
    return _read(lake, space, attribute, len(image_ids(lake, space)))


def targets_of(attribute: str, known: Collection[str]) -> tuple[str, ...]:
    """The attributes that an edit moves: `Smiling+Eyeglasses` is two, unless an attribute has that very
    name."""
    return (attribute,) if attribute in known else tuple(attribute.split(TOGETHER))


def joint_labels(lake: Lake, ids: pa.Array, attribute: str) -> tuple[np.ndarray, np.ndarray]:
    """Of the images `ids`, labels (n,) of 0, 1 or NaN where unknown, and whether each is one of the corpus'
    own test split (n,).

    Of several attributes 1 is all of them, 0 none, and NaN whatever lies between.
    """
    targets = list(targets_of(attribute, attributes_of(lake)))
    labels, tested = labels_and_folds(lake, ids, targets, [0])
    same = (labels == labels[:, :1]).all(1)
    return np.where(same, labels[:, 0], np.nan), tested[:, 0]


@lru_cache(maxsize=1)  # a sweep's trials share them, as long as the lake has as many `latents`
def _read(lake: Lake, space: str, attribute: str, latents: int) -> TrainRows:
    ids = image_ids(lake, space)
    labels, tested = joint_labels(lake, ids, attribute)
    rows = np.flatnonzero(~tested)
    if not len(rows):
        refuse_one_sided(lake)
        raise UneError(
            f"space {space!r} of {lake.url} has no latents of train images, which doses are scaled by"
        )
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(SEED).choice(rows, MOST, replace=False))
    parts, begin = [], 0
    for block in blocks(lake, space):
        inside = rows[(rows >= begin) & (rows < begin + len(block))]
        parts.append(block[inside - begin])
        begin += len(block)
    if begin != len(ids):
        raise UneError(
            f"space {space!r} of {lake.url} has grown from {len(ids)} to {begin} latents while they "
            "were read; une build is at it"
        )
    return TrainRows(np.concatenate(parts), labels[rows], ids.take(pa.array(rows)))
