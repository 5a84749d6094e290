"""What travels between the stages of a build: a row of the dataset is a shard, and what each stage leaves
of its time is a record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

BYTES = pa.schema([("image_id", pa.string()), ("caption", pa.string()), ("data", pa.large_binary())])
ROW = pa.schema(  # of a shard on its way, as Ray Data has it
    [
        ("shard", pa.int64()),
        ("spaces", pa.string()),
        ("payload", pa.large_binary()),
        ("records", pa.string()),
        ("fault", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """One stage of one shard, a row of `runs`: `stage` is read, or a space's name; `started` as ISO 8601."""

    shard: int
    stage: str
    images: int
    rejects: int
    seconds: float
    started: str
    host: str
    device: str

    def to_row(self, run_id: str) -> dict[str, Any]:
        """As the table `runs` has it."""
        return asdict(self) | {"run_id": run_id, "started": datetime.fromisoformat(self.started)}


@dataclass(frozen=True, kw_only=True)
class ShardRow:
    """A shard on its way: the spaces it still lacks, its encoded images, what the stages so far recorded,
    and a fault of the input if any.

    `payload` is an Arrow stream of `BYTES`, empty before reading and behind the last stage.
    """

    shard: int
    spaces: tuple[str, ...] = ()
    payload: bytes = b""
    records: tuple[StageRecord, ...] = ()
    fault: str = ""

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> ShardRow:
        return cls(
            shard=row["shard"],
            spaces=tuple(json.loads(row["spaces"])),
            payload=row["payload"],
            records=tuple(StageRecord(**record) for record in json.loads(row["records"])),
            fault=row["fault"],
        )

    def to_row(self) -> dict[str, Any]:
        """Columns that Ray Data's blocks hold well."""
        return {
            "shard": self.shard,
            "spaces": json.dumps(self.spaces),
            "payload": self.payload,
            "records": json.dumps([asdict(record) for record in self.records]),
            "fault": self.fault,
        }

    def recorded(self, record: StageRecord) -> ShardRow:
        return replace(self, records=(*self.records, record))

    def with_fault(self, fault: str) -> ShardRow:
        """Several spaces may fail on one shard."""
        return replace(self, fault="; ".join(filter(None, [self.fault, fault])))

    def with_images(self, plan: pa.Table, images: list[bytes | None]) -> ShardRow:
        """The same with its items: ids and captions of the `plan`, and bytes."""
        columns = {"image_id": plan["image_id"], "caption": plan["caption"]}
        table = pa.table({**columns, "data": pa.array(images, pa.large_binary())}, schema=BYTES)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return replace(self, payload=sink.getvalue().to_pybytes())

    def images(self) -> pa.Table:
        """image_id, caption and data; data is None where an item could not be read, and the caption's own
        bytes where it is all there is."""
        return pa.ipc.open_stream(self.payload).read_all()
