"""Classes of items: the combinations of a few attributes' values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from une_ray.errors import UneError, refuse_empty
from une_ray.lake.latents import refuse_unknown_attributes
from une_ray.lake.layout import Lake

DEFAULT = 4  # attributes, and so at most sixteen classes
NO_CLASS = -1
SHARES = "SELECT attribute FROM attributes GROUP BY attribute ORDER BY abs(avg(value::INT) - 0.5), attribute"


def class_attributes(lake: Lake, names: Sequence[str] | None) -> list[str]:
    """The attributes whose combinations are classes: those named, or the four that are most evenly split.

    Raises UneError for one that the lake has not.
    """
    refuse_empty(names, "attribute", "the four that are most evenly split")
    refuse_unknown_attributes(lake, names or ())
    return list(names) if names else [name for (name,) in lake.rows(SHARES)[:DEFAULT]]


def classes_of(labels: np.ndarray) -> np.ndarray:
    """(n,) a whole number for every combination in `labels` (n, attributes); NO_CLASS where one is unknown.

    The same combination has the same number in every call.
    """
    if labels.shape[1] > 30:
        raise UneError(f"{labels.shape[1]} attributes make too many classes; name a few with --classes")
    unknown = np.isnan(labels)
    digits = np.where(unknown, 0, labels).astype(np.int64)
    numbers = digits @ 2 ** np.arange(labels.shape[1], dtype=np.int64)
    return np.where(unknown.any(1), NO_CLASS, numbers)
