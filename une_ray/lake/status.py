"""How far a lake is, from its files alone: what is committed, and how fast it came by the `runs` of the
last minutes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from une_ray.lake.files import ShardFile
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.session import duckdb_path

RECENT_SECONDS = 600.0  # runs are saved every half minute, but one shard of a large model may take five

# What builds counted as they wrote; of a shard that was done twice the last count.
COUNTED = """SELECT if(stage = 'read', 'images', stage) AS name, shard, arg_max(rejects, started) AS rejects
FROM runs GROUP BY ALL"""
UNCOUNTED = "SELECT count(*) FROM read_parquet(?, hive_partitioning = false) WHERE status = 'reject'"

# What finished lately, counted from the newest. A shard done in no measurable time counts a microsecond.
RECENT = """WITH shards AS (
    SELECT if(stage = 'read', 'images', stage) AS name, host || ' ' || device AS place, images,
        epoch(started) AS start, epoch(started) + greatest(seconds, 1e-6) AS finish
    FROM runs)
SELECT * FROM shards WHERE finish > (SELECT max(finish) FROM shards) - $window"""


@dataclass(frozen=True)
class TableProgress:
    """How far one table is, `images` or a space's. `rate` is images per second, None where nothing of it
    came lately."""

    name: str
    shards: int
    shards_total: int
    images: int
    images_total: int
    rejects: int
    rate: float | None = None

    @property
    def seconds_left(self) -> float | None:
        return (self.images_total - self.images) / self.rate if self.rate else None


@dataclass(frozen=True)
class Status:
    """The lake at one moment. `age` is the seconds since a shard was last recorded, None where none ever was;
    `places` counts the images that each host and device finished lately, and is empty while nobody builds."""

    tables: list[TableProgress]
    age: float | None
    places: dict[str, int]


@dataclass(frozen=True)
class Record:
    """One shard of one table, as `runs` has it; times in seconds since 1970."""

    name: str
    place: str
    images: int
    start: float
    finish: float


def status(lake: Lake, now: float | None = None) -> Status:
    """What is done, how fast, and by whom; `now` in seconds since 1970. Raises UneError where there is no
    lake."""
    counted: dict[str, dict[int, int]] = {}
    for name, shard, rejects in lake.rows(COUNTED):
        counted.setdefault(name, {})[shard] = rejects
    records = [Record(*row) for row in lake.rows(RECENT, {"window": RECENT_SECONDS})]
    age = (
        max(0.0, (time.time() if now is None else now) - max(record.finish for record in records))
        if records
        else None
    )
    if age is None or age > RECENT_SECONDS:  # then they tell nothing about now
        records = []
    rates = rates_of(records)
    places: Counter[str] = Counter()
    for record in records:
        places[record.place] += record.images
    folders = {"images": "images"} | {space: space_folder(space) for space in lake.fingerprints()}
    tables = [_progress(lake, name, folder, counted.get(name, {}), rates) for name, folder in folders.items()]
    return Status(tables, age, dict(places))


def _progress(
    lake: Lake, name: str, folder: str, counted: dict[int, int], rates: dict[str, float]
) -> TableProgress:
    files = lake.files(folder)
    shards = {shard for file in files for shard in file.shards}
    return TableProgress(
        name=name,
        shards=len(shards),
        shards_total=lake.shards,
        images=lake.images_in(shards),
        images_total=lake.manifest["images"],
        rejects=_rejects(lake, folder, files, counted),
        rate=rates.get(name),
    )


def _rejects(lake: Lake, folder: str, files: Sequence[ShardFile], counted: dict[int, int]) -> int:
    """Counts that builds kept; files with a shard of which none did are read, such as an import's."""
    known = [file for file in files if all(shard in counted for shard in file.shards)]
    paths = [
        duckdb_path(lake, lake.store.path(f"{folder}/{file.name}"))
        for file in files
        if any(shard not in counted for shard in file.shards)
    ]
    read = lake.rows(UNCOUNTED, [paths])[0][0] if paths else 0
    return read + sum(counted[shard] for file in known for shard in file.shards)


def rates_of(records: Collection[Record], window: float = RECENT_SECONDS) -> dict[str, float]:
    """Images per second of every table over the last `window` seconds before the newest record.

    A shard's images are spread evenly over its time. Time in which nothing ran is not counted, so a build
    that was killed and started again keeps its rate; time in which only other tables were worked on is, so
    an encoder's is that of the inversion it waits for.
    """
    since = max((record.finish for record in records), default=0.0) - window
    seconds = busy(((record.start, record.finish) for record in records), since)
    images: dict[str, float] = {}
    for record in records:
        inside = (record.finish - max(record.start, since)) / (record.finish - record.start)
        images[record.name] = images.get(record.name, 0.0) + record.images * max(0.0, inside)
    return {name: count / seconds for name, count in images.items() if count > 0}


def busy(intervals: Iterable[tuple[float, float]], since: float) -> float:
    """Seconds after `since` that lie in at least one of the intervals (start, finish)."""
    total, reached = 0.0, since
    for start, finish in sorted(intervals):
        total += max(0.0, finish - max(start, reached))
        reached = max(reached, finish)
    return total
