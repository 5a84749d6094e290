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
from une_ray.run.crews import IMAGES_OF_A_TASK, SECONDS_OF_A_TASK
from une_ray.run.merging import MANY
from une_ray.spaces.space import Space

HOUR, GB = 3600.0, 1e9


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

# The share of the peak that is reached. Assumed: published float16 figures for Stable Diffusion 1.5 end at
# .38 of an A100's peak; benchmarks/gpu.py measures it.
UTILISATION = 0.3
# TFLOPs of Stable Diffusion 1's autoencoder at 512 px, by torch's counter on its configuration.
ENCODE, DECODE, ENCODE_PIXELS = 1.117, 2.515, 512
ROUND_TRIPS = 1 / 32
SHRINK = 0.92  # what zstd leaves of float16 noise: benchmarks/storage.py
ROW_BYTES = 60  # of a space's other columns: id, status, norm, dim
IMAGE_ROW_BYTES = 200  # of `images`: id, hash, size, labels
MERGED = 256 << 20  # bytes of a file that une compact writes
DRIVER_TASKS = 107  # a second: benchmarks/scale.py on two cores
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
    """What is to be planned. `seconds` holds measured seconds per image of spaces, which replace estimates;
    `price` is dollars per GPU-hour."""

    images: int
    spaces: Sequence[str]
    gpu: str
    gpus: int = 8
    price: float | None = None
    shard_size: int = 256
    image_bytes: float = 100e3
    cores: int = 16
    utilisation: float = UTILISATION
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SpaceEstimate:
    """One space: TFLOPs and GPU-seconds per image, and GPU-hours and bytes of all of them."""

    name: str
    dim: int
    tflops: float | None
    seconds: float
    gpu_hours: float
    bytes: float
    source: str


@dataclass(frozen=True, kw_only=True)
class StudyEstimate:
    """Hours and bytes of memory of one study over all spaces, on one machine."""

    name: str
    hours: float
    memory: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """All of it. `files` are those that are written, `merged_files` what they become. `limits` says where
    something ends, and what to do then."""

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
    driver_hours: float
    count_seconds: float
    merged_count_seconds: float
    is_merged: bool  # by the build itself
    query_memory: float
    studies: list[StudyEstimate]
    limits: list[str]


def estimate(question: Question) -> Estimate:
    """Answer it. Raises UneError for unknown GPUs and spaces, and for a space whose model's cost is not known
    and was not given."""
    if question.gpu not in GPUS:
        raise unknown("GPU", question.gpu, GPUS)
    spaces = [_space(question, text) for text in question.spaces]
    shards = math.ceil(question.images / question.shard_size)
    gpu_hours = sum(space.gpu_hours for space in spaces)
    lake_bytes = sum(space.bytes for space in spaces) + question.images * IMAGE_ROW_BYTES
    tasks = math.ceil(shards / _shards_of_a_task(question, sum(space.seconds for space in spaces)))
    files = shards * (len(spaces) + 1)
    merged = sum(math.ceil(space.bytes / MERGED) for space in spaces)
    merged += math.ceil(question.images * IMAGE_ROW_BYTES / MERGED)
    answer = Estimate(
        spaces=spaces,
        gpu_hours=gpu_hours,
        hours=gpu_hours / question.gpus,
        dollars=None if question.price is None else gpu_hours * question.price,
        corpus_bytes=question.images * question.image_bytes,
        lake_bytes=lake_bytes,
        shards=shards,
        tasks=tasks,
        files=files,
        merged_files=merged,
        gets=question.images + 2.0 * files,
        puts=float(files),
        driver_hours=tasks / DRIVER_TASKS / HOUR,
        count_seconds=_asking(files),
        merged_count_seconds=_asking(merged),
        is_merged=shards > MANY,
        query_memory=float(ROW_GROUP * max(question.cores, REQUESTS_AT_ONCE)),
        studies=_studies(question, spaces, lake_bytes),
        limits=[],
    )
    return Estimate(**{**vars(answer), "limits": _limits(question, answer)})


def _shards_of_a_task(question: Question, seconds: float) -> float:
    """What `crews.shards_per_task` makes of so many seconds an image, of all spaces of an actor together."""
    images = min(SECONDS_OF_A_TASK / seconds, IMAGES_OF_A_TASK)
    return max(1, images // question.shard_size)


def _asking(files: int) -> float:
    """Seconds of one request per file, and of the listing, a thousand names a request."""
    return files * REQUEST_SECONDS / REQUESTS_AT_ONCE + math.ceil(files / 1000) * REQUEST_SECONDS


def _space(question: Question, text: str) -> SpaceEstimate:
    space = Space.parse(text)
    if space.model.dim is None:
        raise UneError(f"{text}: how long its latents are is not known; une models lists those that are")
    tflops = _tflops(space)
    if text in question.seconds:
        seconds, source = question.seconds[text], "given"
    elif tflops is None:
        raise UneError(f"{text}: its cost is not known; measure it, and give it by --seconds {text}=SECONDS")
    else:
        peak = GPUS[question.gpu].peak
        seconds = tflops / (peak * question.utilisation)
        source = f"{tflops:.3g} TFLOPs at {question.utilisation:.0%} of {peak:g} TFLOP/s"
    return SpaceEstimate(
        name=text,
        dim=space.model.dim,
        tflops=tflops,
        seconds=seconds,
        gpu_hours=question.images * seconds / HOUR,
        bytes=question.images * (2 * space.model.dim * SHRINK + ROW_BYTES),
        source=source,
    )


def _tflops(space: Space) -> float | None:
    """Per image: of a generator S − 1 calls of the U-Net up and, for one image in 32, down, and the
    autoencoder's."""
    model = space.model
    if model.gflops is None:
        return None
    if not model.is_generator:
        return model.gflops / 1000
    share = (model.preprocessing.size / ENCODE_PIXELS) ** 2
    if space.kind != "ddim":
        return ENCODE * share
    calls = (space.schedule[0] - 1) * model.gflops / 1000
    return calls + ENCODE * share + ROUND_TRIPS * (calls + DECODE * share)


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
            name="une probe --methods ridge",
            hours=hours(grams * 2.0),
            memory=max(((SPLITS + 1) * 8.0 * dim**2 for dim in widths), default=0.0),
        ),
        StudyEstimate(
            name="une transfer",
            hours=hours(8.0 * n * sum(widths) ** 2),  # two products in float64
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
    if rate > MOST_REQUESTS:
        found.append(
            f"{rate:,.0f} requests a second are more than the {MOST_REQUESTS:,.0f} that a prefix of S3"
            " promises: spread the pictures over prefixes, or pack them into Parquet"
        )
    for study in answer.studies:
        if study.memory > MOST_MEMORY:
            found.append(f"{study.name} holds {study.memory / GB:,.0f} GB: fewer or shorter spaces")
        if study.hours > DRIVER_HOURS:
            found.append(f"{study.name} takes {study.hours:,.0f} h on one machine of {question.cores} cores")
    return found
