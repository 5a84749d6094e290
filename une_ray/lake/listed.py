"""When a corpus must be listed: for a new lake, and where its stamp is not that of the last listing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from une_ray.corpora.base import Corpus, remarks, stamp
from une_ray.lake import results
from une_ray.lake.create import create
from une_ray.lake.growing import refuse_another_corpus
from une_ray.lake.layout import Lake

FILE = "plan/listed.json"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A listing that the lake's plan of so many images holds, and what the corpus said of it."""

    corpus: str
    stamp: str | None
    images: int
    remarks: Sequence[str]


def planned(lake: Lake, corpus: Corpus, shard_size: int | None = None, check: bool = False) -> Lake:
    """The lake, made or grown to hold every item of the corpus.

    A corpus whose stamp is the last listing's is not listed again, unless `check` asks for it: a finished
    lake is known as such within seconds. Raises UneError as `lake.create` and `lake.growing` do.
    """
    wanted = stamp(corpus)  # before the listing: what is added meanwhile is found the next time
    if wanted and not check and lake.exists():
        known = last_listing(lake)
        if known and (known.corpus, known.stamp, known.images) == (
            corpus.name,
            wanted,
            lake.manifest["images"],
        ):
            refuse_another_corpus(lake, corpus.name, shard_size)
            results.write_empty_tables(lake)
            return lake
    lake = create(lake, corpus.name, corpus.items(), shard_size)
    now = Listed(
        corpus=corpus.name, stamp=wanted, images=lake.manifest["images"], remarks=tuple(remarks(corpus))
    )
    if now != last_listing(lake):
        lake.store.commit(FILE, json.dumps(asdict(now), indent=1).encode())
    return lake


def last_listing(lake: Lake) -> Listed | None:
    """The record of it; None where there is none, as in a lake of an early une_ray."""
    try:
        record = json.loads(lake.store.read(FILE))
        return Listed(**record | {"remarks": tuple(record["remarks"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
