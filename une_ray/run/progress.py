"""Progress that a person can read: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from typing import TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0
SECONDS_OF_SILENCE = 30.0
SHORTEST = 1.0  # seconds that tell a rate: what two actors bring at once is none
WINDOW, FEWEST = 60.0, 4  # seconds that a rate is taken over, and marks that it is taken over at the least


def say(line: str) -> None:
    """To a person who waits, in a terminal or a notebook."""
    print(line, file=sys.stderr, flush=True)


class Progress:
    """Counts images or other units; shows rate and remaining time. Use as a context manager.

    Where there is no terminal, a line is printed after 30 s in which nothing was done: large tasks and slow
    models look alive.
    """

    def __init__(self, total: int, label: str, stream: TextIO | None = None, unit: str = "images") -> None:
        self.stream = stream or sys.stderr
        self.total, self.label, self.unit, self.done, self.rejects = total, label, unit, 0, 0
        self.started = self.printed = time.monotonic()
        # (done, when), from the first units on, by which models were loaded; the latest of them.
        self.marks: deque[tuple[int, float]] = deque()
        self.bar = (
            tqdm(total=total, desc=label, unit=unit, file=self.stream) if self.stream.isatty() else None
        )
        self.ended = threading.Event()

    def __enter__(self) -> Progress:
        if self.bar is None:
            threading.Thread(target=self._break_silence, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        if self.bar is not None:
            self.bar.close()

    def advance(self, images: int, rejects: int) -> None:
        """`images` more are done, `rejects` of them in vain."""
        self.done += images
        self._mark(time.monotonic())
        self.rejects += rejects
        if self.bar is not None:
            self.bar.set_postfix(rejects=self.rejects, refresh=False)
            self.bar.update(images)
        elif time.monotonic() - self.printed > SECONDS_BETWEEN_LINES or self.done == self.total:
            self.line()

    def line(self) -> None:
        """Print where it stands."""
        self.printed = time.monotonic()
        print(
            f"{self.label}: {self.done:,}/{self.total:,} {self.unit}, {self.pace()}, {self.rejects} rejects",
            file=self.stream,
            flush=True,
        )

    def pace(self) -> str:
        """Rate of the last WINDOW seconds, or of the last few units where those took longer, and remaining
        time; before the first units, for how long it runs; of a job that ends before a rate is known, for how
        long it ran."""
        if not self.marks:
            return f"running for {self.printed - self.started:.0f} s"
        before, since = self.marks[0]
        seconds = self.printed - since
        if self.done == before or seconds < SHORTEST:
            is_last = self.done == self.total
            return f"took {self.printed - self.started:.0f} s" if is_last else "rate not known yet"
        rate = (self.done - before) / seconds
        left = f"{(self.total - self.done) / rate:.0f} s left"
        return (
            f"{rate:.1f} {self.unit}/s, {left}" if rate >= 1 else f"{60 * rate:.1f} {self.unit}/min, {left}"
        )

    def _mark(self, now: float) -> None:
        """Keep FEWEST marks, and as many more as WINDOW seconds want."""
        self.marks.append((self.done, now))
        while len(self.marks) > FEWEST and self.marks[1][1] <= now - WINDOW:
            self.marks.popleft()

    def _break_silence(self) -> None:
        """Runs in a thread of its own until the end."""
        while not self.ended.wait(SECONDS_OF_SILENCE):
            if time.monotonic() - self.printed >= SECONDS_OF_SILENCE:
                self.line()
