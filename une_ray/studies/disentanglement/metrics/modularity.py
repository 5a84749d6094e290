"""Modularity. Ridgeway and Mozer: Learning Deep Disentangled Embeddings with the F-Statistic Loss, arXiv
1802.05312, section 3.

Whether each code says something of one factor only, however many others say the same.
"""

from __future__ import annotations

import numpy as np

from une_ray.studies.disentanglement.metrics.sample import binned, mutual_information, sample


def modularity(
    codes: np.ndarray, factors: np.ndarray, *, seed: int = 0, fast: bool = False
) -> dict[str, float]:
    """`modularity`: mean over codes of 1 − Σ_{k ≠ best} I²ₖ / (I²_best (f − 1)); 0 for a dead code."""
    rows = sample(codes, factors, seed, fast).train
    squares = mutual_information(binned(rows.codes), rows.factors) ** 2
    best = squares.max(1)
    others = (squares.sum(1) - best) / max(squares.shape[1] - 1, 1)
    alive = best > 0
    return {"modularity": float(np.where(alive, 1 - others / np.where(alive, best, 1), 0).mean())}


METRIC = modularity
