"""Shards that travel together: a row of the dataset is a parcel, which is a block of its own and so a task.

A block that the driver sends costs it milliseconds and kilobytes. So it sends what is left to do once, in a
few bytes a shard, and a process beside it hands that out, parcel by parcel, as they are asked for.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa
import ray
from ray.actor import ActorHandle
from ray.data import DataContext, TaskPoolStrategy
from ray.util.annotations import RayDeprecationWarning

from une_ray.run.plan import Work
from une_ray.run.rows import ROW, ShardRow

PARCEL = pa.schema([("shards", pa.list_(pa.struct(list(ROW))))])
TOGETHER = 128 << 20  # bytes of pictures, about: a parcel that has them takes no further shard
START = pa.table({"start": [0]})
FEW = 256  # parcels, which cost a driver less than a process that hands them out takes to start
SECONDS_BETWEEN_QUESTIONS = 0.5
RAYS_OWN = 2  # parcels, as for one machine, whose readers would take its actors' cores
MADE_AHEAD = 64  # parcels, each time that Ray Data asks: several times what a driver can hand out
BLOCK = 1  # bytes that Ray Data may put parcels together to: none of them
ONE_BY_ONE: dict[str, Any] = {"batch_size": 1, "batch_format": "pyarrow"}  # how parcels are worked on


def packed(rows: Sequence[ShardRow]) -> pa.Table:
    """One parcel."""
    table = pa.Table.from_pylist([row.to_row() for row in rows], schema=ROW)
    shards = pa.StructArray.from_arrays(
        [column.combine_chunks() for column in table.columns], fields=list(ROW)
    )
    return pa.Table.from_arrays([pa.ListArray.from_arrays([0, len(rows)], shards)], schema=PARCEL)


def unpacked(parcels: pa.Table) -> list[ShardRow]:
    """The shards of some parcels, in their order."""
    return [ShardRow.from_row(row) for parcel in parcels["shards"].to_pylist() for row in parcel]


def tasks(
    _: pa.Table, work: Work, size: int, alone: int, ahead: int, late: ActorHandle | None
) -> Iterator[pa.Table]:
    """Work in parcels of `size` shards; the last `alone` ones in one each, so that all workers end together.

    Where `late` counts what was read, no more than `ahead` shards wait to be.
    """
    together, pace = len(work) - alone, Pace(ahead)
    for start in chain(range(0, together, size), range(together, len(work))):
        stop = min(start + size, together) if start < together else start + 1
        if late:
            _wait(pace, start, late)
        items = enumerate(work[start:stop], start)
        yield packed([ShardRow(shard=item.shard, place=place, spaces=item.spaces) for place, item in items])


def _wait(pace: Pace, handed: int, late: Any) -> None:
    while pace.is_too_far(handed):
        pace.look(ray.get(late.were_read.remote()))
        if pace.is_too_far(handed):
            time.sleep(SECONDS_BETWEEN_QUESTIONS)


class Pace:
    """How far ahead of its readers a plan is handed out: what is handed out costs the driver memory."""

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self.read = self.before = 0

    def look(self, read: int) -> None:
        """So many were read, by a count that begins anew where its process died."""
        if read < self.read:
            self.before += self.read
        self.read = read

    def is_too_far(self, handed: int) -> bool:
        return handed - self.before - self.read >= self.ahead


def handed_out(
    parcels: Callable[..., Iterator[pa.Table]], *arguments: Any, ahead: int = MADE_AHEAD
) -> ray.data.Dataset:
    """The parcels that a generator makes of a table that says nothing and `arguments`: made as they are asked
    for, and again the same where its process dies; it holds no core.

    Ray Data asks ten times a second and takes what it lets a task make `ahead`, by default two: twenty
    parcels a second, whatever the cluster. Only Ray's own argument says otherwise, of which Ray 2.60 warns.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return sent([START]).map_batches(
            parcels,  # type: ignore[arg-type]  # its other arguments are fn_args
            fn_args=arguments,
            num_cpus=0,
            compute=TaskPoolStrategy(size=1),
            _generator_backpressure_num_objects=2 * ahead,  # a parcel and what is said of it
            **ONE_BY_ONE,
        )


def sent(parcels: Sequence[pa.Table]) -> ray.data.Dataset:
    """Parcels by the driver itself, which are there before another process has started."""
    context = DataContext.get_current().copy()
    context.target_max_block_size = BLOCK
    with DataContext.current(context):
        return ray.data.from_arrow(list(parcels))
