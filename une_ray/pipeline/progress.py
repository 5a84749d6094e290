"""Progress that a person can read: a bar on a terminal, a line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from tqdm import tqdm

SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Counts images; shows rate and remaining time. Use as a context manager."""

    def __init__(self, total: int, label: str, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.total, self.label, self.done, self.rejects = total, label, 0, 0
        self.started = self.printed = time.monotonic()
        self.bar = tqdm(total=total, desc=label, unit="img", file=self.stream) if self.stream.isatty() else None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_) -> None:
        if self.bar is not None:
            self.bar.close()

    def advance(self, images: int, rejects: int) -> None:
        """`images` more are done, `rejects` of them in vain."""
        self.done += images
        self.rejects += rejects
        if self.bar is not None:
            self.bar.set_postfix(rejects=self.rejects, refresh=False)
            self.bar.update(images)
        elif time.monotonic() - self.printed > SECONDS_BETWEEN_LINES or self.done == self.total:
            self.printed = time.monotonic()
            rate = self.done / (self.printed - self.started)
            left = (self.total - self.done) / rate if rate else float("inf")
            print(
                f"{self.label}: {self.done:,}/{self.total:,} images, {rate:.1f} images/s, {left:.0f} s left, {self.rejects} rejects",
                file=self.stream,
                flush=True,
            )
