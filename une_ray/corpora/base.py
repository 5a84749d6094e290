"""What a corpus is: a stream of items in a fixed order, and a way to read the bytes of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Protocol

from une_ray.errors import UneError


class Unreadable(OSError):
    """This image can't be had, now or later; the text becomes its row's `error`. Other OSErrors may pass, and
    are tried again."""


@dataclass(frozen=True)
class Item:
    """A picture that is not yet read, with or without a caption, or a caption alone. `source` is whatever the
    corpus' own `read` needs to find the bytes.

    `split` is the corpus' own; None where it has none, and then a hash of `split_group` decides: what is
    alike in it stands on one side of every split. Without a group, that is the picture itself
    (`une_ray.lake.splits`).
    """

    image_id: str
    source: str
    split: str | None = None
    caption: str | None = None
    attributes: dict[str, bool] = field(default_factory=dict)
    factors: dict[str, int] = field(default_factory=dict)
    split_group: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


class Corpus(Protocol):
    """Implementations are small frozen dataclasses: they travel to every worker.

    A corpus is one file of `une_ray/corpora`, or of another package by an entry point of the group
    `une_ray.corpora`, that defines `CORPUS`. The file's name is the kind's, its docstring's first sentence
    what help says of it. A corpus that reads a table has `COLUMNS` besides: column → what its values are. One
    that leaves anything out has `remarks()` besides: lines that say what and how much. One of which can be
    told cheaply whether it lists what it did has `stamp()`, and one whose name says how many items it has
    the `lineage` that its larger and smaller kin share. One whose ids are the numbers of rows has
    `positions()`: its files, and when each was written. One of captions without pictures has
    `PICTURES = False`, and its `read` raises Unreadable.
    """

    FORM: ClassVar[str]
    """How the kind is written, as in `folder:PATH`."""
    OPTIONS: ClassVar[Mapping[str, str]]
    """What may follow the `?` of its name: option → what it means."""

    @property
    def name(self) -> str:
        """The string that opens this very corpus from anywhere."""

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Corpus:
        """From the text between `kind:` and `?`, and the options after it."""

    def items(self) -> Iterator[Item]:
        """All items, in an order that does not change between runs; ids are unique."""

    def read(self, source: str) -> bytes:
        """The encoded image (PNG, JPEG, …). Raises Unreadable, FileNotFoundError or PermissionError where
        there is none; any other OSError is taken for a fault that passes."""


PHASH = "phash"
"""The group of an item whose group is its picture's perceptual hash, known once the picture is read."""


def phash_alone(kind: str, options: Mapping[str, str]) -> bool:
    """Whether a corpus without columns to group by is asked for `?group=phash`; UneError for another."""
    group = options.get("group")
    if group not in (None, PHASH):
        raise UneError(f"{kind}: ?group={group}; the group is phash, a perceptual hash, or nothing")
    return group == PHASH


def split_of(key: str, test_fraction: float = 0.2) -> str:
    """'train' or 'test', from an id or a group alone, so that a split never depends on order or corpus
    size."""
    digest = hashlib.sha256(f"split/{key}".encode("utf-8", "surrogateescape")).digest()
    return "test" if int.from_bytes(digest[:8], "big") < test_fraction * 2**64 else "train"


def stamp(corpus: Corpus) -> str | None:
    """A text that is another one wherever `items()` would list otherwise, found without listing; None for a
    corpus that has none, and must be listed to be known."""
    said = getattr(corpus, "stamp", None)
    return said() if said else None


def positions(corpus: Corpus) -> Mapping[str, str]:
    """Files in which a corpus knows an item by its row, so that its source is FILE#PART#ROW, each with a text
    that is another one once the file was written anew; one without a name where a source is ROW alone.
    Nothing for a corpus whose items have ids of their own."""
    said = getattr(corpus, "positions", None)
    return said() if said else {}


def lineage(corpus: Corpus) -> str:
    """What a corpus is called however many items it has: its name, unless it says another."""
    return getattr(corpus, "lineage", corpus.name)


def code(*modules: ModuleType) -> str:
    """A hash of modules' sources, for the stamp of a corpus that they make."""
    digest = hashlib.sha256()
    for module in modules:
        digest.update(Path(module.__file__ or "").read_bytes())
    return digest.hexdigest()[:16]


def has_pictures(corpus: Corpus) -> bool:
    """Whether its items are pictures, not captions alone."""
    return getattr(corpus, "PICTURES", True)


def remarks(corpus: Corpus) -> list[str]:
    """What a corpus says of what it read and left out; nothing for one that leaves nothing out."""
    said = getattr(corpus, "remarks", None)
    return said() if said else []
