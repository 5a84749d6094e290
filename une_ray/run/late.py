"""Shards that are late at the end of a build, by a worker that is slow or hangs: idle ones do them as well.

Files are created, never replaced, and whoever makes one makes the same, so a copy can do no harm and the
first to end counts. No Ray: `ray_data` asks from workers and tells from the driver.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence

from une_ray.run.plan import ShardWork
from une_ray.run.rows import FOUND, READ, ShardRow

PATIENCE = 2.0  # times what a shard takes: how long a worker is idle before it helps; each may have two to do
COPIES = 2  # of one shard, at most
USUAL = 64  # shards, the last that came, whose median says what one takes

Copy = tuple[int, int, tuple[str, ...]]
"""Place of a shard in its turn's work, its number, and the spaces that it lacks."""


class Late:
    """What was read, and what is still at work when the end begins. One per turn, asked by idle workers."""

    def __init__(self, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Of a turn with `total` shards."""
        self.clock = clock
        self.is_unread = bytearray([1]) * total
        self.unread = total
        self.left: dict[int, Copy] = {}
        self.copies: dict[int, int] = {}
        self.seconds = 0.0
        self.idle_since: float | None = None

    def read(self, place: int) -> None:
        """A shard's pictures were read; again, where its reader died meanwhile."""
        self.unread -= self.is_unread[place]
        self.is_unread[place] = 0

    def were_read(self) -> int:
        """How many shards."""
        return len(self.is_unread) - self.unread

    def are_all_read(self) -> bool:
        """Whether every shard is at a worker or waits for one: nobody may be idle before, or idle workers
        would stand in the way."""
        return not self.unread

    def begin(self, left: Sequence[Copy], seconds: float) -> None:
        """The end begins: what is left, in the order in which it was handed out, and what a shard takes."""
        self.left, self.seconds = {copy[0]: copy for copy in left}, seconds

    def done(self, place: int) -> None:
        """A shard came back."""
        self.left.pop(place, None)

    def next(self) -> Copy | None:
        """What an idle worker is to do again: of the shards with the fewest copies the one that was handed
        out first. None as long as none is late."""
        if self.idle_since is None:
            self.idle_since = self.clock()
        if not self.left or self.clock() - self.idle_since < PATIENCE * self.seconds:
            return None
        place = min(self.left, key=lambda place: self.copies.get(place, 0))
        if self.copies.get(place, 0) >= COPIES:
            return None
        self.copies[place] = self.copies.get(place, 0) + 1
        return self.left[place]


class Returns:
    """Rows that come back to the driver: which count, and what is left."""

    def __init__(self, work: Sequence[ShardWork], near: int) -> None:
        """The end begins with `near` shards left."""
        self.work, self.near = work, near
        self.is_left = bytearray([1]) * len(work)
        self.count = len(work)
        self.seconds: deque[float] = deque(maxlen=USUAL)

    def takes(self, row: ShardRow) -> bool:
        """Whether a row counts: the first of its shard, but a copy's fault is nobody's."""
        if row.is_idle or not self.is_left[row.place] or (row.is_copy and row.fault):
            return False
        self.is_left[row.place] = 0
        self.count -= 1
        if busy := [record.seconds for record in row.records if record.stage not in (READ, FOUND)]:
            self.seconds.append(sum(busy))
        return True

    @property
    def usual(self) -> float:
        """Seconds that a shard takes its worker, as far as is known."""
        return statistics.median(self.seconds) if self.seconds else 1.0

    def left(self) -> list[Copy]:
        """Shards that are not back."""
        places = (place for place, is_left in enumerate(self.is_left) if is_left)
        return [(place, self.work[place].shard, self.work[place].spaces) for place in places]
