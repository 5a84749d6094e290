"""Reading one shard's bytes from the corpus, and its table of images: who is there, how big, and what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from une_ray.corpora import Corpus
from une_ray.errors import UneError
from une_ray.lake.schema import IMAGES, OK, REJECT
from une_ray.steps.decode import Reject, decode

READ_THREADS = 8
MAX_SHARD_BYTES = 1 << 30  # one shard travels as one object: bytes of all its images together


def read_bytes(corpus: Corpus, sources: Sequence[str]) -> list[bytes | str]:
    """Encoded bytes of every source, or the reason why it can't be read. Raises UneError for a shard over 1 GiB."""

    def read(source: str) -> bytes | str:
        try:
            return corpus.read(source)
        except OSError as error:
            return f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(READ_THREADS) as threads:
        found = list(threads.map(read, sources))
    if (total := sum(len(data) for data in found if isinstance(data, bytes))) > MAX_SHARD_BYTES:
        raise UneError(f"a shard of {len(sources)} images has {total:,} bytes, the limit is {MAX_SHARD_BYTES:,}; make the lake with a smaller --shard-size")
    return found


def images_table(plan: pa.Table, found: Sequence[bytes | str]) -> pa.Table:
    """The `images` rows of one shard: decoding is tried here once, so that every space agrees on what is readable."""
    rows = []
    for item, data in zip(plan.to_pylist(), found):
        row = {key: item[key] for key in ("image_id", "split", "caption", "source", "attributes", "factors")}
        if isinstance(data, str):
            row |= {"status": REJECT, "error": data}
        else:
            row |= {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            try:
                image = decode(data)
                row |= {"status": OK, "width": image.width, "height": image.height}
            except Reject as reject:
                row |= {"status": REJECT, "error": str(reject)}
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=IMAGES)


def readable(committed: pa.Table, found: Sequence[bytes | str]) -> list[bytes | None]:
    """The bytes of images whose committed row is 'ok', None for rejects. Raises UneError where an image has changed since."""
    out: list[bytes | None] = []
    columns = (committed[name].to_pylist() for name in ("image_id", "status", "sha256"))
    for image_id, status, sha256, data in zip(*columns, found):
        if status != OK:
            out.append(None)
        elif isinstance(data, str) or hashlib.sha256(data).hexdigest() != sha256:
            raise UneError(f"image {image_id!r} is not what it was when this lake was begun ({data if isinstance(data, str) else 'other bytes'}); restore it, or build into another lake")
        else:
            out.append(data)
    return out
