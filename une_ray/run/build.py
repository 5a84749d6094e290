"""`une build`: make or open the lake, find what is missing, have Ray Data do it, and keep the times."""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from une_ray.corpora import Corpus, open_corpus
from une_ray.corpora.base import has_pictures, remarks
from une_ray.corpora.files import absolute
from une_ray.errors import EmptyCorpus, UneError, unknown
from une_ray.lake import schema
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.listed import last_listing, planned
from une_ray.run import alone
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.run.crews import Turn, turns
from une_ray.run.merging import Merging
from une_ray.run.parked import Parked, left_over
from une_ray.run.plan import Work, missing
from une_ray.run.progress import Progress, say
from une_ray.run.rows import FOUND, READ, ShardRow, StageRecord
from une_ray.spaces.execution import AS_THEY_ARE, Execution
from une_ray.spaces.kind import Modality
from une_ray.spaces.names import refuse_repeated
from une_ray.spaces.space import Space

SECONDS_BETWEEN_SAVES = 30.0
REASONS_SHOWN, SHARDS_ASKED = 4, 16


@dataclass(frozen=True)
class Built:
    """What one build did."""

    images: int
    shards_done: int
    shards_total: int
    rejects: int
    seconds: float
    truncated: Mapping[str, int]  # space → captions that its model read cut off
    unit: str  # what the corpus' items are: images or prompts
    reasons: Sequence[str] = ()  # `ID: why` of some rejects, each with another reason

    @property
    def notes(self) -> list[str]:
        """What a person should know of it besides, a line each."""
        return [
            f"{space}: {count:,} caption{'s are' if count != 1 else ' is'} longer than the model reads and"
            " cut off there (truncations)"
            for space, count in self.truncated.items()
        ]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a build does its work for: `spaces` have their revisions pinned."""

    lake: Lake
    corpus: str
    spaces: Sequence[Space]
    fingerprints: Mapping[str, dict[str, Any]]
    cluster: Cluster
    place: Mapping[str, Mapping[str, str]]
    unit: str


def build(
    lake_url: str,
    corpus: str,
    spaces: Sequence[str],
    shard_size: int | None = None,
    execution: Execution = AS_THEY_ARE,
    cluster: Cluster = DEFAULT,
    place: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    check_corpus: bool = False,
) -> Built:
    """Bring the lake to hold every one of `spaces` for every image of `corpus`; does only what is missing.

    A corpus that has grown since gets new shards after the last. It is listed where its stamp says that it
    may have changed, or with `check_corpus`.

    Safe to kill at any moment and run again, and to run twice at once: shards are visited from a random
    start, so that two builds mostly share the work. `cluster` says which Ray and how much of it; `place`
    has labels of the nodes for a space's actors, {space: {label: value}}. Raises UneError for whatever the
    caller can mend.
    """
    started = time.monotonic()
    parsed = execution.of_all([Space.parse(text) for text in spaces])
    _refuse_other_names(parsed, place)
    opened, lake = open_corpus(corpus), Lake(absolute(lake_url))
    known = lake.fingerprints()
    _refuse_other_modality(opened, [space for space in parsed if space.name not in known])
    pinned = [space.as_in(known.get(space.name)).pinned() for space in parsed]
    lake = _planned(lake, opened, shard_size, check_corpus)
    for space, fingerprint in pinned:  # all are checked before any is registered
        lake.refuse_another(space.name, fingerprint)
    for space, fingerprint in pinned:
        lake.register(space.name, fingerprint)
    lake.store.sweep()
    work = missing(lake, parsed)
    fresh = {space.name: mine for space, mine in pinned if space.name not in known}
    try:
        job = Job(
            lake=lake,
            corpus=opened.name,
            spaces=[space for space, _ in pinned],
            fingerprints={space.name: fingerprint for space, fingerprint in pinned},
            cluster=cluster,
            place=place,
            unit="images" if has_pictures(opened) else "prompts",
        )
        runs = _done(job, work)
    except UneError:
        lake.forget_empty(fresh)
        raise
    seconds = time.monotonic() - started
    return Built(
        images=lake.manifest["images"],
        shards_done=len(work),
        shards_total=lake.shards,
        rejects=runs.rejects if runs else 0,
        seconds=seconds,
        truncated=_truncated(lake, parsed),
        unit=job.unit,
        reasons=_reasons(lake, list(runs.rejected)) if runs else (),
    )


def _refuse_other_names(spaces: Sequence[Space], place: Mapping[str, Mapping[str, str]]) -> None:
    """Raise UneError for a space that is named twice, and a place of one that is not built."""
    names = [space.name for space in spaces]
    refuse_repeated(names)
    for name in place:
        if name not in names:
            raise unknown("space", name, names)


def _refuse_other_modality(corpus: Corpus, spaces: Sequence[Space]) -> None:
    """Raise UneError, by name, for a space that reads what the corpus has not: pictures or captions."""
    kinds: dict[Modality, list[str]] = {"pictures": [], "captions": []}
    for space in spaces:
        kinds[space.modality].append(space.name)
    if kinds["pictures"] and not has_pictures(corpus):
        raise UneError(
            f"{corpus.name} has no pictures, which {', '.join(kinds['pictures'])} would read; spaces of"
            " captions are MODEL/text of an image–text model, as mini-clip-a/text"
        )
    if kinds["captions"] and all(item.caption is None for item in corpus.items()):
        raise UneError(
            f"{corpus.name} has no captions, which {', '.join(kinds['captions'])} would read; give it some"
            " (une corpus says how), or leave the space out"
        )


def _truncated(lake: Lake, spaces: Sequence[Space]) -> dict[str, int]:
    texts = [space.name for space in spaces if space.modality == "captions"]
    query = "SELECT space, count(*) FROM truncations WHERE list_contains(?, space) GROUP BY space"
    return dict(lake.rows(query, [texts])) if texts else {}


def _planned(lake: Lake, corpus: Corpus, shard_size: int | None, check: bool) -> Lake:
    """The lake with a shard for every item; says what was read, and how much of it is new. Raises UneError,
    with what was left out, where nothing was read."""
    before = lake.manifest if lake.exists() else None
    try:
        lake = planned(lake, corpus, shard_size, check)
    except EmptyCorpus as error:
        raise UneError(": ".join([str(error), *remarks(corpus)])) from error
    listing = last_listing(lake)
    for remark in listing.remarks if listing else ():
        say(remark)
    if before and (images := lake.manifest["images"] - before["images"]):
        shards = lake.shards - before["shards"]
        what = f"{images:,} new item{'s' * (images > 1)}, {shards:,} new shard{'s' * (shards > 1)}"
        say(f"{lake.url} grows: {what}")
    return lake


def _reasons(lake: Lake, shards: Sequence[int]) -> Sequence[str]:
    """`ID: why` of images of these shards that could not be read, each with another reason: no more than are
    read by people, of no more shards than are read at once."""
    found: dict[str, str] = {}
    for shard in shards[:SHARDS_ASKED]:
        for row in lake.read_shard("images", shard).select(["image_id", "status", "error"]).to_pylist():
            if row["status"] == schema.REJECT:
                found.setdefault(row["error"], f"{row['image_id']}: {row['error']}")
    return tuple(found.values())[:REASONS_SHOWN]


def _done(job: Job, work: Work) -> Runs | None:
    """Do the work, if any is left, and merge what it wrote; takes up a merging that was killed."""
    folders = ["images", *(space_folder(space.name) for space in job.spaces)]
    with Merging(job.lake, folders, job.cluster) as merging:
        runs = _do(job, work) if work else None
        merging.finish(wrote=bool(work))
    return runs


def _do(job: Job, work: Work) -> Runs:
    """Do the work with progress and a table of times, which has how many images were rejected. Shards that
    fail are parked and tried once more behind all others.

    Raises UneError with what is left then.
    """
    _say_compiled(job.spaces)
    schedule = turns(job.spaces, work.begun_at(random.randrange(len(work))), job.place)
    images = sum(job.lake.images_in(part.work.shards) for part in schedule)
    with Runs(job.lake) as runs, Progress(images, "building", unit=job.unit) as progress:
        parked = _attempt(job, schedule, runs, progress)
        if parked.is_worth_another_try:
            again = missing(job.lake, job.spaces)
            count = f"{len(again):,} of {len(work):,} shards"
            say(f"{count} failed and are tried once more")
            parked = _attempt(job, turns(job.spaces, again, job.place), runs, progress)
    if parked.faults:
        raise UneError(left_over(parked.faults, len(work), len(missing(job.lake, job.spaces))))
    return runs


def _say_compiled(spaces: Sequence[Space]) -> None:
    compiled = [space.name for space in spaces if space.compiled]
    rest = [space.name for space in spaces if not space.compiled]
    if compiled:
        say(f"compiled: {', '.join(compiled)}" + (f"; as they are: {', '.join(rest)}" if rest else ""))


def _attempt(job: Job, schedule: Sequence[Turn], runs: Runs, progress: Progress) -> Parked:
    parked = Parked()
    for turn in schedule:
        for row in _rows(job, turn):
            parked.note(row.shard, row.fault)
            rejects = runs.add(row.records)
            if not row.fault:
                progress.advance(job.lake.images_in({row.shard}), rejects)
            if parked.is_hopeless:
                return parked
    return parked


def _rows(job: Job, turn: Turn) -> Iterator[ShardRow]:
    """Those of a turn: by one process beside this where that is enough, by Ray what is left."""
    done: set[int] = set()
    if alone.is_enough(job.lake, turn, job.cluster):
        with contextlib.suppress(OSError):  # it can't be started: too many files, no Python of its own
            for row in alone.run(job.lake, job.corpus, turn, job.fingerprints):
                done.add(row.shard)
                yield row
        if len(done) == len(turn.work):
            return
    from une_ray.run import ray_data

    for row in ray_data.run(job.lake, job.corpus, turn, job.fingerprints, job.cluster):
        if row.shard not in done:
            yield row


class Runs:
    """The `runs` table of one build: what is new becomes a file of its own now and then and at the end, also
    of a build that fails. So a save costs what is new, however long the build."""

    def __init__(self, lake: Lake) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        self.lake, self.run_id = lake, f"{stamp}-{uuid.uuid4().hex[:8]}"
        self.rows: list[dict[str, Any]] = []
        self.files = self.rejects = 0
        self.rejected: dict[int, int] = {}  # shard → how many of its images can't be read, where any can't
        self.saved = time.monotonic()

    def __enter__(self) -> Runs:
        return self

    def __exit__(self, *_: object) -> None:
        self.save()

    def add(self, records: Sequence[StageRecord]) -> int:
        """How many images were found unreadable, of a shard that was not read before."""
        self.rows += [record.to_row(self.run_id) for record in records if record.stage != FOUND]
        read = {item.shard: item.rejects for item in records if item.stage in (READ, FOUND) and item.rejects}
        new = {shard: count for shard, count in read.items() if shard not in self.rejected}
        self.rejected |= new
        rejects = sum(new.values())
        self.rejects += rejects
        if time.monotonic() - self.saved > SECONDS_BETWEEN_SAVES:
            self.save()
        return rejects

    def save(self) -> None:
        if self.rows:
            table = pa.Table.from_pylist(self.rows, schema=schema.RUNS)
            name = f"runs/{self.run_id}-{self.files:05d}.parquet"
            self.lake.store.commit(name, schema.parquet(table, {}))
            self.rows, self.files = [], self.files + 1
        self.saved = time.monotonic()
