"""What a lake of some size will cost, before anything runs: GPU-hours, money, bytes, files, requests, memory
and the hours of each study. No Ray, no lake: arithmetic on measured figures, each with where it is from.

Every figure of the tables below may be replaced by one of your own cluster's: build a few hundred images
(`une build`, then `une sql -c "FROM runs"`), and give seconds per image by --seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from une_ray.errors import UneError, unknown
from une_ray.lake.compact import SIZE
from une_ray.run.crews import Crew, Cut, packed
from une_ray.run.merging import MANY
from une_ray.spaces.names import refuse_repeated
from une_ray.spaces.space import Space

HOUR, GB = 3600.0, 1e9
PICTURE = 100e3  # bytes of an encoded picture, where nothing else is said


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """A GPU's dense float16 peak in TFLOP/s, as its maker states it."""

    peak: float


GPUS = {
    "l4": Gpu(peak=121),
    "a10g": Gpu(peak=70),
    "a100": Gpu(peak=312),
    "h100": Gpu(peak=989),
    "h200": Gpu(peak=989),
}

# The share of the peak that is reached. Of an H200's, by benchmarks/gpu.py with Stable Diffusion 1.5: .24 as
# it is, .30 under --compile. Published float16 figures end at .38 of an A100's.
UTILISATION = 0.25
SHRINK = 0.92  # what zstd leaves of float16 noise: benchmarks/storage.py
ROW_BYTES = 60  # of a space's other columns: id, status, norm, dim
SEED_ROW_BYTES = 100  # of `seeds`, whose numbers are float32: id, space, fingerprint
IMAGE_ROW_BYTES = 200  # of `images`: id, hash, size, labels
DRIVER_TASKS = 80  # a second, where its processor is what ends it: benchmarks/scale.py --only driver
REQUEST_SECONDS, REQUESTS_AT_ONCE = 0.03, 16  # of a session of une sql: benchmarks/scale_sql.py
READ = 0.2e9  # bytes of z a second and core, from Parquet into arrays: benchmarks/storage.py
MULTIPLY = 8e10  # float32 FLOP/s and core of a Gram, as of the plain product: benchmarks/storage.py
ROW_GROUP = 32 << 20  # bytes that a thread of DuckDB holds of a merged file
DRAWN = 5000  # latents that une gaussianity reads
SPLITS = 5

# Where something ends, by what is known of it.
DRIVER_HOURS = 24.0
MOST_MEMORY = 256e9
MOST_REQUESTS = 5500.0  # GETs a second that S3 promises for one prefix


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is to be planned. `seconds` holds measured seconds per image of spaces, which replace estimates,
    and `dims` how long the latents of some are; `price` is dollars per GPU-hour."""

    images: int
    spaces: Sequence[str]
    gpu: str
    gpus: int = 8
    price: float | None = None
    shard_size: int = 256
    image_bytes: float | None = None  # PICTURE where a space reads pictures, 0 where the corpus has none
    cores: int = 16
    utilisation: float = UTILISATION
    seconds: Mapping[str, float] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SpaceEstimate:
    """One space: TFLOPs and GPU-seconds per image, and GPU-hours and bytes of all of them. `seeds_bytes` are
    those of a mean's seeds, which lie in files of their own that nothing merges."""

    name: str
    dim: int
    tflops: float | None
    seconds: float
    gpu_hours: float
    bytes: float
    seeds_bytes: float
    source: str


@dataclass(frozen=True, kw_only=True)
class StudyEstimate:
    """Hours and bytes of memory of one study over all spaces, on one machine."""

    name: str
    hours: float
    memory: float
    is_spread: bool = False  # over a cluster, where it is asked to


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """All of it. `files` are those that are written, `merged_files` what they become. Requests are a build's
    own, its merging included. `limits` says where something ends, and what to do then."""

    spaces: list[SpaceEstimate]
    gpu_hours: float
    hours: float
    dollars: float | None
    corpus_bytes: float
    lake_bytes: float
    shards: int
    tasks: int
    files: int
    merged_files: int
    gets: float
    puts: float
    deletes: float
    driver_hours: float
    count_seconds: float
    merged_count_seconds: float
    is_merged: bool  # by the build itself
    query_memory: float
    studies: list[StudyEstimate]
    limits: list[str]


def estimate(question: Question) -> Estimate:
    """Answer it. Raises UneError for unknown GPUs and spaces, for a space whose model's cost or length is not
    known and was not given, and for figures out of range."""
    _refuse_out_of_range(question)
    parsed = _parsed(question)
    spaces, image_bytes = [_space(question, space) for space in parsed], question.image_bytes
    if image_bytes is None:
        image_bytes = PICTURE * any(space.modality == "pictures" for space in parsed)
    shards = math.ceil(question.images / question.shard_size)
    gpu_hours = sum(space.gpu_hours for space in spaces)
    folders = [space.bytes for space in spaces] + [float(question.images * IMAGE_ROW_BYTES)]
    lake_bytes = sum(folders) + sum(space.seeds_bytes for space in spaces)
    tasks = sum(_tasks(question, crew, shards) for crew in packed(parsed))
    of_seeds = shards * sum(space.seeds_bytes > 0 for space in spaces)
    asked, merged = shards * len(folders), sum(_merged(size, shards) for size in folders)
    merging = _Merging.of(folders, shards)
    answer = Estimate(
        spaces=spaces,
        gpu_hours=gpu_hours,
        hours=gpu_hours / question.gpus,
        dollars=None if question.price is None else gpu_hours * question.price,
        corpus_bytes=question.images * image_bytes,
        lake_bytes=lake_bytes,
        shards=shards,
        tasks=tasks,
        files=asked + of_seeds,
        merged_files=merged + of_seeds,
        gets=question.images * (image_bytes > 0) + 2.0 * asked + merging.read,
        puts=float(asked + of_seeds + 2 * merging.written),
        deletes=float(merging.read + merging.written),
        driver_hours=tasks / DRIVER_TASKS / HOUR,
        count_seconds=_asking(asked),
        merged_count_seconds=_asking(merged),
        is_merged=shards > MANY,
        query_memory=float(ROW_GROUP * max(question.cores, REQUESTS_AT_ONCE)),
        studies=_studies(question, spaces, lake_bytes),
        limits=[],
    )
    return Estimate(**{**vars(answer), "limits": _limits(question, answer)})


def _tasks(question: Question, crew: Crew, shards: int) -> int:
    """What a build on those GPUs cuts so many shards into, in the crew's turn."""
    share = max(space.model.gpus for space in crew.spaces)
    actors = max(1, int(question.gpus / share)) if share else question.gpus
    return Cut.of(crew.gflops, question.shard_size, shards, actors, on_gpus=True).tasks


def _merged(size: float, shards: int) -> int:
    """How many files a folder of so many bytes has after merging: large ones stay as they are."""
    return shards if not _is_merged(size, shards) else min(shards, math.ceil(size / SIZE))


def _is_merged(size: float, shards: int) -> bool:
    return size / shards < SIZE // 2


@dataclass(frozen=True)
class _Merging:
    """What a build's own merging asks for: every file `read` is removed, every file `written` is copied to
    its name."""

    read: int = 0
    written: int = 0

    @classmethod
    def of(cls, folders: Sequence[float], shards: int) -> _Merging:
        if shards <= MANY:
            return cls()
        merged = [size for size in folders if _is_merged(size, shards)]
        return cls(shards * len(merged), sum(_merged(size, shards) for size in merged))


def _asking(files: int) -> float:
    """Seconds of one request per file, and of the listing, a thousand names a request."""
    return files * REQUEST_SECONDS / REQUESTS_AT_ONCE + math.ceil(files / 1000) * REQUEST_SECONDS


def _parsed(question: Question) -> list[Space]:
    if not question.spaces:
        raise UneError("--spaces is empty; name at least one, as in mini-dino")
    spaces = [Space.parse(text) for text in question.spaces]
    names = [space.name for space in spaces]
    refuse_repeated(names)
    for given in [*question.seconds, *question.dims]:
        if given not in names:
            raise unknown("space", given, names)
    return spaces


def _space(question: Question, space: Space) -> SpaceEstimate:
    name, gflops, dim = space.name, space.gflops, question.dims.get(space.name, space.dim)
    if dim is None:
        raise UneError(f"{name}: how long its latents are is not known; give it by --dim {name}=NUMBERS")
    if dim != (space.dim or dim):
        raise UneError(f"--dim {name}={dim}: its latents are {space.dim:,} long; leave the option out")
    if name in question.seconds:
        seconds, source = question.seconds[name], "given"
    elif gflops is None:
        raise UneError(f"{name}: its cost is not known; measure it, and give it by --seconds {name}=SECONDS")
    else:
        peak = GPUS[question.gpu].peak
        seconds = gflops / 1000 / (peak * question.utilisation)
        source = f"{gflops / 1000:.3g} TFLOPs at {question.utilisation:.0%} of {peak:g} TFLOP/s"
    return SpaceEstimate(
        name=name,
        dim=dim,
        tflops=None if gflops is None else gflops / 1000,
        seconds=seconds,
        gpu_hours=question.images * seconds / HOUR,
        bytes=question.images * (2 * dim * SHRINK + ROW_BYTES),
        seeds_bytes=question.images * (space.seeds or 0) * float(4 * dim + SEED_ROW_BYTES),
        source=source if seconds else "nothing for a GPU to do",
    )


def _refuse_out_of_range(question: Question) -> None:
    if question.gpu not in GPUS:
        raise unknown("GPU", question.gpu, GPUS)
    figures: list[tuple[str, float, bool, str]] = [
        ("--corpus-size", question.images, question.images >= 1, "at least 1"),
        ("--gpus", question.gpus, question.gpus >= 1, "at least 1"),
        ("--shard-size", question.shard_size, question.shard_size >= 1, "at least 1"),
        ("--cores", question.cores, question.cores >= 1, "at least 1"),
        ("--utilisation", question.utilisation, 0 < question.utilisation <= 1, "above 0, at most 1"),
    ]
    if question.image_bytes is not None:
        size = question.image_bytes / 1000
        figures.append(("--image-kb", size, size >= 0, "0 or more"))
    if question.price is not None:
        figures.append(("--price", question.price, question.price >= 0, "0 or more dollars"))
    figures += [
        (f"--seconds {name}", value, value > 0, "above 0") for name, value in question.seconds.items()
    ]
    figures += [(f"--dim {name}", value, value >= 1, "at least 1") for name, value in question.dims.items()]
    for name, value, is_within, what in figures:
        if not (is_within and math.isfinite(value)):
            raise UneError(f"{name} is {value:g}; it must be {what}, and finite")


def _studies(question: Question, spaces: list[SpaceEstimate], lake_bytes: float) -> list[StudyEstimate]:
    """Each over all spaces, by one machine: reading and multiplying, of which the longer counts."""
    n, cores = question.images, question.cores
    widths = [space.dim for space in spaces]
    reading = sum(space.bytes for space in spaces) / (READ * cores) / HOUR

    def hours(flops: float) -> float:
        return max(reading, flops / (MULTIPLY * cores) / HOUR)

    grams = sum(n * dim**2 for dim in widths)
    return [
        StudyEstimate(name="une verify", hours=reading, memory=float(ROW_GROUP * cores)),
        StudyEstimate(
            name="une gaussianity",
            # An eigenproblem, 9·m³ by the textbook, of the space and of each of two controls.
            hours=sum(27.0 * min(dim, DRAWN) ** 3 for dim in widths) / (MULTIPLY * cores) / HOUR,
            memory=max((16.0 * DRAWN * dim for dim in widths), default=0.0),
        ),
        StudyEstimate(
            name="une probe --method ridge",
            hours=hours(grams * 2.0),
            is_spread=True,
            memory=max(((SPLITS + 1) * 8.0 * dim**2 for dim in widths), default=0.0),
        ),
        StudyEstimate(
            name="une transfer",
            hours=hours(8.0 * n * sum(widths) ** 2),  # two products in float64
            is_spread=True,
            memory=16.0 * sum(widths) ** 2,
        ),
    ]


def _limits(question: Question, answer: Estimate) -> list[str]:
    found = []
    if answer.driver_hours > min(DRIVER_HOURS, max(answer.hours, 1.0)):
        found.append(
            f"the driver hands out {DRIVER_TASKS} tasks a second, which is {answer.driver_hours:,.0f} h for"
            f" {answer.tasks:,} tasks: larger shards (--shard-size {question.shard_size * 8})"
        )
    rate = answer.gets / max(answer.hours * HOUR, 1.0)
    if answer.gpu_hours and rate > MOST_REQUESTS:  # without a GPU's work, time is not known
        found.append(
            f"{rate:,.0f} requests a second are more than the {MOST_REQUESTS:,.0f} that a prefix of S3"
            " promises: spread the pictures over prefixes, or pack them into Parquet"
        )
    for study in answer.studies:
        if study.memory > MOST_MEMORY:
            found.append(f"{study.name} holds {study.memory / GB:,.0f} GB: fewer or shorter spaces")
        if study.hours > DRIVER_HOURS:
            remedy = ": --address has a cluster read the latents" if study.is_spread else ""
            found.append(
                f"{study.name} takes {study.hours:,.0f} h on one machine of {question.cores} cores{remedy}"
            )
    return found
