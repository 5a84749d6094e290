"""Rows with labels, more dims than one panel of the product has, and their Gram matrices."""

from __future__ import annotations

import numpy as np
import torch

from une_ray.geometry.gram import train_grams

RNG = np.random.default_rng(0)
N, D, K = 3000, 600, 3  # more dims than one panel of the product
Z = (RNG.normal(size=(N, D)) * np.geomspace(1, 30, D) + np.linspace(-500, 500, D)).astype(np.float32)
Y = np.where(RNG.random((N, K)) < 0.3, 1.0, -1.0)


def blocks(z=Z, size=700):
    return lambda: (z[i : i + size] for i in range(0, len(z), size))


def gram_of(z, y, size=700):
    return next(
        train_grams(
            blocks(z, size),
            torch.as_tensor(y),
            np.zeros((len(z), 1), dtype=bool),
            np.ones(len(z), dtype=bool),
        )
    )
