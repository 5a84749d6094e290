"""Shards that failed are parked while the others go on; what is left of them in the end is named."""

from __future__ import annotations

from collections.abc import Mapping

SHARDS_IN_A_ROW = 16  # that fail, none between them done: then it is not the shards
REASONS_SHOWN, SHARDS_SHOWN = 5, 4


class Parked:
    """Faults by shard, of one attempt at a build's work."""

    def __init__(self) -> None:
        self.faults: dict[int, str] = {}
        self.done = 0
        self.in_a_row = 0

    def note(self, shard: int, fault: str) -> None:
        """A shard came back, with a fault or none."""
        if fault:
            self.faults[shard] = fault
            self.in_a_row += 1
        else:
            self.done += 1
            self.in_a_row = 0

    @property
    def is_hopeless(self) -> bool:
        """Whether to go on is in vain: so many shards failed one after the other."""
        return self.in_a_row >= SHARDS_IN_A_ROW

    @property
    def is_worth_another_try(self) -> bool:
        """Whether anything failed, and not everything."""
        return bool(self.faults) and self.done > 0 and not self.is_hopeless


def left_over(faults: Mapping[int, str], tried: int, left: int | None = None) -> str:
    """What is left and why, the most frequent reason first; of a single reason and no success, that alone.
    `left` is how many shards are not done, where some were never tried."""
    shards: dict[str, list[int]] = {}
    for shard, fault in sorted(faults.items()):
        shards.setdefault(fault, []).append(shard)
    if len(shards) == 1 and len(faults) == tried:
        return next(iter(shards))
    reasons = sorted(shards.items(), key=lambda pair: -len(pair[1]))
    lines = [f"{_named(some)}: {fault}" for fault, some in reasons[:REASONS_SHOWN]]
    if more := len(reasons) - REASONS_SHOWN:
        lines += [f"and {more:,} other reasons"] if more > 0 else []
    count = f"{len(faults):,} shard{'s' * (len(faults) > 1)}"
    others = "all others are"
    if left is not None and left > len(faults):
        others = f"the build stopped there, with {left:,} of {tried:,} left"
    return (
        f"{count} could not be done; {others}, and the same command tries again what is left:\n  "
        + "\n  ".join(lines)
    )


def _named(shards: list[int]) -> str:
    shown = ", ".join(map(str, shards[:SHARDS_SHOWN])) + (", …" if len(shards) > SHARDS_SHOWN else "")
    return f"shard {shown}" if len(shards) == 1 else f"shards {shown}"
