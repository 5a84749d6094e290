"""How long the stages of a build take: of a space, only while its device computes."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime
from threading import Lock, local

import pyarrow as pa

from une_ray.lake.schema import REJECT
from une_ray.run.metrics import count
from une_ray.run.rows import StageRecord


class Clock:
    """Times one stage of one shard for the `runs` table, and has it counted."""

    def __init__(self, stage: str, device: str = "cpu") -> None:
        self.stage, self.device = stage, device
        self.started, self.begin = datetime.now(UTC), time.monotonic()
        self.seconds: float | None = None  # until now

    def record(self, shard: int, table: pa.Table) -> StageRecord:
        count(self.stage, table)
        return StageRecord(
            shard=shard,
            stage=self.stage,
            images=len(table),
            rejects=sum(status == REJECT for status in table["status"].to_pylist()),
            seconds=time.monotonic() - self.begin if self.seconds is None else self.seconds,
            started=self.started.isoformat(),
            host=socket.gethostname(),
            device=self.device,
        )


class DeviceTurn:
    """Held by the one of an actor's threads whose shard is computed; every thread's last turn was timed."""

    def __init__(self) -> None:
        self.lock, self.own = Lock(), local()

    def __enter__(self) -> None:
        self.lock.acquire()
        self.begin()

    def begin(self) -> None:
        """What counts begins here."""
        self.own.clock = Clock("")

    def __exit__(self, *_: object) -> None:
        self.own.clock.seconds = time.monotonic() - self.own.clock.begin
        self.lock.release()

    def last(self, stage: str, device: str) -> Clock:
        """The time of this thread's last turn: waiting for it and what came after are not the device's."""
        clock = self.own.clock
        clock.stage, clock.device = stage, device
        return clock
