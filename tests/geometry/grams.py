"""Grams of arrays, for the tests."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from une_ray.geometry.gram import Gram, train_grams


def blocks_of(z: np.ndarray, size: int = 700) -> Callable[[], Iterator[np.ndarray]]:
    """Starts a pass over the rows, `size` at a time."""
    return lambda: (z[i : i + size] for i in range(0, len(z), size))


def gram_of(z: np.ndarray, y: np.ndarray, size: int = 700) -> Gram:
    """Of all the rows."""
    none, all_rows = np.zeros((len(z), 1), dtype=bool), np.ones(len(z), dtype=bool)
    return next(train_grams(blocks_of(z, size), torch.as_tensor(y), none, all_rows))
