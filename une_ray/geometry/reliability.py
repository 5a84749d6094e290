"""What noisy measurements can agree with a truth at most, from how they agree with one another."""

from __future__ import annotations

import math


def ceiling(halves: float) -> float:
    """What Spearman's ρ with a truth without noise can be expected to reach at most, where even and odd seeds
    agree by `halves`: the root of the reliability of all of them (Spearman 1910; Brown 1910). NaN where they
    do not agree."""
    return math.sqrt(2 * halves / (1 + halves)) if halves > 0 else math.nan
