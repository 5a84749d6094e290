"""What travels between the stages of a build: a row of the dataset is a shard, and what each stage leaves
of its time is a record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from une_ray.lake.schema import OK

BYTES = pa.schema([("image_id", pa.string()), ("caption", pa.string()), ("data", pa.large_binary())])
DISTANT = pa.schema(  # of a shard whose pictures do not travel; sha256 is NULL where `images` has a reject
    [(name, pa.string()) for name in ("image_id", "caption", "source", "sha256")]
)
CORPUS = b"corpus"  # in the metadata of DISTANT: where its pictures are
READ = "read"
FOUND = "found"  # in place of it, of a shard that another process had done: counted, and no row of `runs`
ROW = pa.schema(  # of a shard on its way, as Ray Data has it
    [
        ("shard", pa.int64()),
        ("place", pa.int64()),
        ("is_copy", pa.bool_()),
        ("spaces", pa.string()),
        ("payload", pa.large_binary()),
        ("records", pa.string()),
        ("fault", pa.string()),
    ]
)


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """One stage of one shard, a row of `runs`: `stage` is `READ` or a space's name, `started` as ISO 8601."""

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

    `payload` is an Arrow stream of `BYTES`, or of `DISTANT` where the pictures are too heavy to travel; empty
    before reading and behind the last stage. `place` is where it stands in its turn's work; a copy is made
    by an idle worker of what another is late with (see run.late), and an idle row only asks for one.
    """

    shard: int
    place: int = 0
    is_copy: bool = False
    spaces: tuple[str, ...] = ()
    payload: bytes = b""
    records: tuple[StageRecord, ...] = ()
    fault: str = ""

    @classmethod
    def idle(cls) -> ShardRow:
        """Comes behind all work, to whoever has nothing else to do."""
        return cls(shard=-1, place=-1)

    @property
    def is_idle(self) -> bool:
        return self.place < 0

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> ShardRow:
        return cls(
            shard=row["shard"],
            place=row["place"],
            is_copy=row["is_copy"],
            spaces=tuple(json.loads(row["spaces"])),
            payload=row["payload"],
            records=tuple(StageRecord(**record) for record in json.loads(row["records"])),
            fault=row["fault"],
        )

    def to_row(self) -> dict[str, Any]:
        """Columns that Ray Data's blocks hold well."""
        return {
            "shard": self.shard,
            "place": self.place,
            "is_copy": self.is_copy,
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
        return self._with(pa.table({**columns, "data": pa.array(images, pa.large_binary())}, schema=BYTES))

    def with_distant(self, committed: pa.Table, corpus: str) -> ShardRow:
        """The same with its items as the table `images` has them, whose pictures are read where they are
        used."""
        columns = {name: committed[name] for name in ("image_id", "caption", "source")}
        known = pc.if_else(pc.equal(committed["status"], OK), committed["sha256"], None)
        columns["sha256"] = known
        return self._with(pa.table(columns, schema=DISTANT.with_metadata({CORPUS: corpus})))

    def _with(self, packed: pa.Table) -> ShardRow:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, packed.schema) as writer:
            writer.write_table(packed)
        return replace(self, payload=sink.getvalue().to_pybytes())

    def images(self) -> pa.Table:
        """image_id, caption and data; data is None where an item could not be read, and the caption's own
        bytes where it is all there is. Of pictures that do not travel, `DISTANT`."""
        return pa.ipc.open_stream(self.payload).read_all()
