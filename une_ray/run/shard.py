"""Reading one shard's bytes from the corpus, and its table of images: who is there, how big, and what is
wrong with it."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from une_ray.corpora import Corpus, open_corpus
from une_ray.corpora.base import Unreadable
from une_ray.errors import UneError
from une_ray.lake.schema import IMAGES, METADATA, OK, REJECT
from une_ray.lake.splits import placed
from une_ray.pictures.decode import Reject, decode
from une_ray.pictures.phash import phash
from une_ray.run.killers import HARMLESS, RowWork

READ_THREADS = 8
FEW = 3
# Of the caller, not of the object: s3fs takes them for PermissionError.
PASSING = ("ExpiredToken", "TokenRefreshRequired", "InvalidToken", "RequestTimeTooSkewed", "RequestExpired")
TRIES, PAUSE = 3, 1.0  # seconds, doubled each time
LIMIT = 256 << 20  # bytes of a shard's pictures that travel together; of a heavier one none does


def read_bytes(
    corpus: Corpus, sources: Sequence[str], deadly: Mapping[int, str] = MappingProxyType({})
) -> Iterator[bytes | Unreadable]:
    """Encoded bytes of every source, or why there are none, read a few ahead of whoever takes them; `deadly`
    says why some must not be touched (see run.killers). Faults that may pass are tried again.

    Raises UneError for a source that still fails then.
    """

    def read(row: int) -> bytes | Unreadable:
        return Unreadable(deadly[row]) if row in deadly else read_one(corpus, sources[row])

    with ThreadPoolExecutor(READ_THREADS) as threads:
        ahead = deque(threads.submit(read, row) for row in range(min(READ_THREADS, len(sources))))
        for row in range(READ_THREADS, READ_THREADS + len(sources)):
            yield ahead.popleft().result()
            if row < len(sources):
                ahead.append(threads.submit(read, row))


class Travelling:
    """A shard's pictures on their way into its table, kept as long as they are few enough bytes to travel on
    to the spaces; of a heavier shard `kept` has empty ones in their places."""

    def __init__(self, contents: Iterable[bytes | Unreadable], limit: int | None = None) -> None:
        self.contents, self.limit = contents, LIMIT if limit is None else limit
        self.kept: list[bytes | Unreadable] = []
        self.total = 0

    @property
    def is_heavy(self) -> bool:
        return self.total > self.limit

    def keep(self) -> None:
        """Have them come, as far as they are kept."""
        for _ in self:
            if self.is_heavy:
                return

    def __iter__(self) -> Iterator[bytes | Unreadable]:
        for content in self.contents:
            was_heavy = self.is_heavy
            self.total += len(content) if isinstance(content, bytes) else 0
            self.kept.append(content)
            if self.is_heavy:
                first = len(self.kept) - 1 if was_heavy else 0
                self.kept[first:] = [b"" if isinstance(one, bytes) else one for one in self.kept[first:]]
            yield content


def refuse_unreachable(contents: Sequence[bytes | Unreadable]) -> None:
    """Raise UneError where no picture of a shard can be had, but for a shard of a few: then it is this
    machine's view of the corpus that is gone, not each picture, and rejects would stay for good."""
    missing = ("FileNotFoundError", "PermissionError")
    reasons = [str(content) for content in contents if isinstance(content, Unreadable)]
    if len(contents) > FEW and sum(reason.startswith(missing) for reason in reasons) == len(contents):
        raise UneError(
            f"none of a shard's {len(contents)} pictures can be had on this machine, the first:"
            f" {reasons[0]}; is the corpus mounted here, and may it be read?"
        )


def captions_as_bytes(captions: Sequence[str | None]) -> list[bytes | Unreadable]:
    """What items without pictures are read as: their captions in UTF-8."""
    return [Unreadable("no caption") if text is None else text.encode() for text in captions]


def read_one(corpus: Corpus, source: str) -> bytes | Unreadable:
    for attempt in range(TRIES):
        try:
            return corpus.read(source)
        except Unreadable as reason:
            return reason
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            if _code(error) in PASSING:
                raise UneError(
                    f"can't read {source!r}: {_code(error)}: {error}; with fresh credentials the same"
                    " command goes on from here"
                ) from error
            return Unreadable(f"{type(error).__name__}: {error}")
        except OSError as error:
            if attempt + 1 == TRIES:
                raise UneError(
                    f"can't read {source!r} after {TRIES} tries: {type(error).__name__}: {error}; the same"
                    " command goes on from here"
                ) from error
            time.sleep(PAUSE * 2**attempt)
    raise AssertionError("unreachable")


def read_known(corpus: Corpus, source: str) -> bytes | Unreadable:
    """The same of an image that could be read before: where it is not there now, it is asked for again."""
    data = read_one(corpus, source)
    for attempt in range(TRIES - 1):
        if not isinstance(data, Unreadable):
            break
        time.sleep(PAUSE * 2**attempt)
        data = read_one(corpus, source)
    return data


def _code(error: OSError) -> str:
    """What an object store called the fault, which s3fs keeps as its cause."""
    response = getattr(error.__cause__, "response", None) or {}
    return response.get("Error", {}).get("Code", "")


def trial(corpus: str, sources: Sequence[str]) -> RowWork:
    """Reading and decoding one image alone, for run.killers."""
    opened = open_corpus(corpus)

    def read(row: int | None) -> None:
        data = HARMLESS if row is None else read_one(opened, sources[row])
        if isinstance(data, bytes):
            decode(data)

    return read


def images_table(plan: pa.Table, contents: Iterable[bytes | Unreadable], pictures: bool = True) -> pa.Table:
    """The `images` rows of one shard: decoding is tried here once, so that every space agrees on what is
    readable. Items without `pictures` have no width and height."""
    rows = []
    for item, data in zip(plan.to_pylist(), contents, strict=True):
        row = {key: item[key] for key in ("image_id", "caption", "source", "attributes", "factors")}
        row[METADATA] = item.get(METADATA, [])
        if isinstance(data, Unreadable):
            row |= {"status": REJECT, "error": str(data)} | placed(item, None, str)
        else:
            sha256 = hashlib.sha256(data).hexdigest()
            row |= {"sha256": sha256, "bytes": len(data)}
            row |= _decoded(item, sha256, data) if pictures else {"status": OK} | placed(item, sha256, str)
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=IMAGES)


def _decoded(planned: Mapping[str, Any], sha256: str, data: bytes) -> dict[str, Any]:
    """Status and size of a picture, and where it stands."""
    try:
        image = decode(data)
    except Reject as reject:
        return {"status": REJECT, "error": str(reject)} | placed(planned, None, str)
    size = {"status": OK, "width": image.width, "height": image.height}
    return size | placed(planned, sha256, partial(phash, image))


def readable(committed: pa.Table, contents: Sequence[bytes | Unreadable]) -> list[bytes | None]:
    """The bytes of images whose committed row is 'ok', None for rejects. Raises UneError where an image
    has changed since."""
    out: list[bytes | None] = []
    columns = (committed[name].to_pylist() for name in ("image_id", "status", "sha256"))
    for image_id, status, sha256, data in zip(*columns, contents):
        if status != OK:
            out.append(None)
        else:
            out.append(unchanged(image_id, sha256, data))
    return out


def unchanged(image_id: str, sha256: str, data: bytes | Unreadable) -> bytes:
    """The bytes of an image that the lake knows by their hash. Raises UneError for others, and where there
    are none any more: that may pass."""
    if isinstance(data, Unreadable):
        raise UneError(
            f"image {image_id!r} could be read when its shard was begun, and can't be now: {data}; the same"
            " command tries again. Is the corpus mounted on this machine, and may it be read? If the image is"
            " gone, put it back, or build into another lake"
        )
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UneError(
            f"image {image_id!r} is not what it was when this lake was begun (other bytes); restore it, or"
            " build into another lake"
        )
    return data
