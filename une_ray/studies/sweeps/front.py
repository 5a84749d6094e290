"""The Pareto front of trials, and its knee: pure functions on arrays. `values` (n, k) are objectives, of
which more is better."""

from __future__ import annotations

import numpy as np


def oriented(values: np.ndarray, goals: list[str]) -> np.ndarray:
    """Objectives whose goals are "max" or "min", turned so that more is better."""
    return values * np.array([1 if goal == "max" else -1 for goal in goals])


def efficient(values: np.ndarray) -> np.ndarray:
    """(n,) bool: no other row is as good in every objective and better in one. A row with a value that is
    not finite is not, and beats none."""
    known = np.isfinite(values).all(1)
    values = np.where(known[:, None], values, np.nan)
    as_good = (values[:, None] >= values[None]).all(2)
    better = (values[:, None] > values[None]).any(2)
    return known & ~(as_good & better).any(0)


def knee(values: np.ndarray, worst: np.ndarray, best: np.ndarray) -> int | None:
    """The row of the front nearest to the ideal point `best` (k,), each objective rescaled to its range from
    `worst` (k,); None of no front.

    This is compromise programming's choice (Zeleny 1973); unlike the point furthest from the chord between
    the ends, it means something with more than two objectives. The ranges are fixed: those of the front
    itself would move with every useless trial at its ends, and the knee with them.
    """
    front = np.flatnonzero(efficient(values))
    if not len(front):
        return None
    lost = (best - values[front]) / (best - worst)
    return int(front[np.square(lost).sum(1).argmin()])
