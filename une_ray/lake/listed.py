"""When a corpus must be listed: for a new lake, and where its stamp is not that of the last listing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from une_ray.corpora.base import Corpus, positions, remarks, stamp
from une_ray.lake import results
from une_ray.lake.create import create
from une_ray.lake.growing import refuse_another_corpus
from une_ray.lake.layout import Lake
from une_ray.lake.positions import refuse_moved

FILE = "plan/listed.json"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A listing that the lake's plan of so many images holds, and what the corpus said of it; the files in
    which it knows pictures by their rows, each with when it was written."""

    corpus: str
    stamp: str | None
    images: int
    remarks: Sequence[str]
    files: Mapping[str, str] = field(default_factory=dict)


def planned(lake: Lake, corpus: Corpus, shard_size: int | None = None, check: bool = False) -> Lake:
    """The lake, made or grown to hold every item of the corpus.

    A corpus whose stamp is the last listing's is not listed again, unless `check` asks for it: a finished
    lake is known as such within seconds. Raises UneError as `lake.create`, `lake.growing` and
    `lake.positions` do.
    """
    wanted = stamp(corpus)  # before the listing: what is added meanwhile is found the next time
    known = last_listing(lake) if lake.exists() and not check else None
    if wanted and known and _is_of(known, corpus, wanted, lake):
        refuse_another_corpus(lake, corpus.name, shard_size)
        results.write_empty_tables(lake)
        return lake
    files = positions(corpus)
    if files and lake.exists():
        refuse_another_corpus(lake, corpus.name, shard_size)
        results.write_empty_tables(lake)
        before = known.files if known else {}
        refuse_moved(lake, corpus, [file for file in files if files[file] != before.get(file)])
    lake = create(lake, corpus.name, corpus.items(), shard_size)
    now = Listed(
        corpus=corpus.name,
        stamp=wanted,
        images=lake.manifest["images"],
        remarks=tuple(remarks(corpus)),
        files=files,
    )
    if now != last_listing(lake):
        lake.store.commit(FILE, json.dumps(asdict(now), indent=1).encode())
    return lake


def _is_of(known: Listed, corpus: Corpus, wanted: str, lake: Lake) -> bool:
    """Whether a listing is of the corpus as it is and the lake as it is."""
    return (known.corpus, known.stamp, known.images) == (corpus.name, wanted, lake.manifest["images"])


def last_listing(lake: Lake) -> Listed | None:
    """The record of it; None where there is none, as in a lake of an early une_ray."""
    try:
        record = json.loads(lake.store.read(FILE))
        return Listed(**record | {"remarks": tuple(record["remarks"])})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return None
