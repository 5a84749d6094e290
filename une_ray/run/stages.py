"""What is done to a shard, wherever it is done: its pictures are read, and each space's model reads them.

Ray is asked for no more than it must: a small build does without it (see `run.alone`).
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from une_ray.corpora import open_corpus
from une_ray.corpora.base import has_pictures
from une_ray.errors import UneError, reason
from une_ray.lake import results, schema
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.models.compiled import keep_what_is_compiled
from une_ray.pictures.decode import Reject
from une_ray.run import read, shard
from une_ray.run.clock import Clock, DeviceTurn
from une_ray.run.cluster import own_cores, own_device, own_gpus
from une_ray.run.distant import DistantImages
from une_ray.run.killers import killers
from une_ray.run.rows import FOUND, READ, ShardRow
from une_ray.run.tries import tried
from une_ray.spaces.kind import Step
from une_ray.spaces.space import Space

AT_ONCE = 2  # shards of a process: one computes while the other is decoded or its file is written


def read_shard(shard_row: ShardRow, lake_url: str, corpus: str, tries: Any, late: Any = None) -> ShardRow:
    """Read one shard's bytes, unless another process has done all of it meanwhile; commit its `images`
    table unless it is there; tell `late`. A fault goes on in the row, and costs that shard alone."""
    try:
        return _read(Lake(lake_url), shard_row, corpus, tries)
    except Exception as error:
        return shard_row.with_fault(fault_of(error))
    finally:
        if late:
            late.read.remote(shard_row.place)


def _read(lake: Lake, shard_row: ShardRow, corpus: str, tries: Any) -> ShardRow:
    clock, name = Clock(READ), f"images/{shard_file(shard_row.shard)}"
    if lake.has_shard("images", shard_row.shard) and not _lacking(lake, shard_row):
        table = lake.read_shard("images", shard_row.shard)
        return shard_row.recorded(Clock(FOUND).record(shard_row.shard, table))
    if shard_row.is_copy and lake.has_shard("images", shard_row.shard):
        table = lake.read_shard("images", shard_row.shard)
        return shard_row.with_distant(table, corpus).recorded(clock.record(shard_row.shard, table))
    plan = lake.plan(shard_row.shard)
    sources, opened = plan["source"].to_pylist(), open_corpus(corpus)
    pictures = has_pictures(opened)
    with tried(tries, name) as suspect:
        deadly = killers(shard.trial, (corpus, sources), len(sources)) if suspect and pictures else {}
        contents = shard.Travelling(
            shard.read_bytes(opened, sources, deadly)
            if pictures
            else shard.captions_as_bytes(plan["caption"].to_pylist())
        )
        if lake.has_shard("images", shard_row.shard):
            contents.keep()
            shard.refuse_unreachable(contents.kept)
        else:
            table = shard.images_table(plan, contents, pictures)
            shard.refuse_unreachable(contents.kept)
            metadata = {"shard": str(shard_row.shard)}
            if lake.store.commit(name, schema.parquet(table, metadata), replace=False):
                lake.withdraw_merged("images", shard_row.shard)
    # Another build may have been first: the spaces must agree with its rows.
    table = lake.read_shard("images", shard_row.shard)
    record = clock.record(shard_row.shard, table)
    if contents.is_heavy:
        return shard_row.with_distant(table, corpus).recorded(record)
    return shard_row.with_images(plan, shard.readable(table, contents.kept)).recorded(record)


def _lacking(lake: Lake, row: ShardRow) -> list[str]:
    """Those of a shard's spaces that have no file of it yet."""
    return [space for space in row.spaces if not lake.has_shard(space_folder(space), row.shard)]


class ReadSpace:
    """A model in memory that turns shards into files of one space.

    What may fail comes with the first shard: a fault then is one of that shard's, not a dead actor. Several
    threads may have a shard each: the one whose `device_turn` it is computes.
    """

    def __init__(
        self,
        lake_url: str,
        space: Space,
        fingerprint: dict[str, Any],
        tries: Any,
        device_turn: DeviceTurn,
    ) -> None:
        self.lake, self.space, self.tries = Lake(lake_url), space, tries
        self.fingerprint, self.device_turn = fingerprint, device_turn
        if space.compiled:
            keep_what_is_compiled()

    @functools.cached_property
    def device(self) -> str:
        return own_device()

    @functools.cached_property
    def place(self) -> str:
        """For the `runs` table: the device with Ray's numbers, and whether torch.compile has the networks."""
        device = ":".join([self.device, *own_gpus()])
        return f"{device} compiled" if self.space.compiled else device

    @functools.cached_property
    def decoders(self) -> int:
        """Threads that decode ahead of the device: a photograph takes a hundred times as long as an encoder
        on a GPU."""
        return max(read.DECODE_THREADS, own_cores())

    @functools.cached_property
    def step(self) -> Step[Any]:
        return self.space.load(self.device)

    def __call__(self, shard_row: ShardRow) -> ShardRow:
        """The row with what this space recorded of it. Raises UneError for a fault of the input."""
        space = self.space.name
        name = f"{space_folder(space)}/{shard_file(shard_row.shard)}"
        if space not in shard_row.spaces or self.lake.has_shard(space_folder(space), shard_row.shard):
            return shard_row
        with tried(self.tries, name) as suspect:
            table, besides = self.read(shard_row.images(), suspect)
            clock = self.device_turn.last(space, self.place)
            if shard_row.is_copy and self.lake.has_shard(space_folder(space), shard_row.shard):
                return shard_row.recorded(clock.record(shard_row.shard, table))  # the other was first
            self.keep_seeds(shard_row.shard, besides.seeds)
            stamp: dict[str, Any] = {"shape": list(self.step.shape)} if self.step.shape else {}
            stamp |= {"truncated": besides.truncated} if besides.truncated else {}
            self.lake.commit_shard(space, shard_row.shard, table, self.fingerprint, stamp)
        return shard_row.recorded(clock.record(shard_row.shard, table))

    def keep_seeds(self, shard_number: int, seeds: list[read.SeedRow]) -> None:
        """The rows of one shard in the table `seeds`, of a space that is a mean over them."""
        if seeds:
            fingerprint = results.config_hash(self.fingerprint)
            config = {"space": self.space.name, "space_fingerprint": fingerprint, "shard": shard_number}
            rows = [{"space": self.space.name, "space_fingerprint": fingerprint, **row} for row in seeds]
            results.commit(self.lake, "seeds", config, rows)

    def read(self, packed: pa.Table, suspect: bool) -> tuple[pa.Table, read.Besides]:
        """The space's table of one shard, and what its step gave besides."""
        is_text, model = self.space.modality == "captions", self.space.model
        ids, is_distant = packed["image_id"].to_pylist(), "data" not in packed.column_names
        known = packed["sha256" if is_distant else "data"].is_valid().to_pylist()
        items: Any = (
            read.captions_of(packed["caption"].to_pylist(), known)
            if is_text
            else DistantImages(packed)
            if is_distant
            else packed["data"].to_pylist()
        )
        if suspect:
            plain = replace(self.space, compiled=None)  # a process each, which would compile
            for place, reason in killers(read.trial, (plain, self.device, items), len(items)).items():
                items[place] = Reject(reason)
        if is_text:
            with self.device_turn:
                step = self.step
                self.device_turn.begin()  # to load and to compile is no shard's time
                return read.read_captions(step, model.batch_size, ids, items)
        batches = read.decoded(model.preprocessing, model.batch_size, items, self.decoders)
        with self.device_turn:
            step = self.step
            self.device_turn.begin()
            rows = read.read_batches(step, ids, batches)
        return rows.table(), read.Besides()


def read_spaces(readers: Sequence[ReadSpace], shard_row: ShardRow) -> ShardRow:
    """The row with what every space recorded of it, and with their faults."""
    for reader in readers if shard_row.payload else []:
        try:
            shard_row = reader(shard_row)
        except Exception as error:  # of a model or a store: it costs this shard of this space
            shard_row = shard_row.with_fault(fault_of(error, reader.space.name))
    return shard_row


def stage(space: Space) -> type[ReadSpace]:
    """What reads a space; tests put others in its place."""
    return ReadSpace


def fault_of(error: Exception, what: str = "") -> str:
    """One line of what went wrong; of an exception that is none of ours the worker's log has the rest."""
    if isinstance(error, UneError):
        return str(error)
    logging.getLogger(__name__).error("%s", what, exc_info=error)
    return f"{what}: {reason(error)}" if what else reason(error)
