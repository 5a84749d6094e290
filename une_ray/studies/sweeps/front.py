"""The Pareto front of trials, and its knee: pure functions on arrays. `values` (n, k) are objectives, of
which more is better."""

from __future__ import annotations

import numpy as np


def oriented(values: np.ndarray, goals: list[str]) -> np.ndarray:
    """Objectives whose goals are "max" or "min", turned so that more is better."""
    return values * np.array([1 if goal == "max" else -1 for goal in goals])


def efficient(values: np.ndarray) -> np.ndarray:
    """(n,) bool: no other row is as good in every objective and better in one. A row with a NaN is not, and
    beats none."""
    known = ~np.isnan(values).any(1)
    as_good = (values[:, None] >= values[None]).all(2)
    better = (values[:, None] > values[None]).any(2)
    return known & ~(as_good & better).any(0)


def knee(values: np.ndarray) -> int | None:
    """The row of the front nearest to the ideal point, each objective rescaled to its range on the front;
    None of no front.

    The ideal has the best of every objective at once: 1 after rescaling, where 0 is the worst on the front.
    This is compromise programming's choice (Zeleny 1973); unlike the point furthest from the chord between
    the ends, it means something with more than two objectives."""
    front = np.flatnonzero(efficient(values))
    if not len(front):
        return None
    best, worst = values[front].max(0), values[front].min(0)
    lost = (best - values[front]) / np.where(best > worst, best - worst, 1)
    return int(front[np.square(lost).sum(1).argmin()])
