"""A data set of the model hub, or a local folder in its layout, through `datasets`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from une_ray.corpora.base import Item, Unreadable, phash_alone
from une_ray.corpora.columns import is_text, listed, unread_columns
from une_ray.errors import UneError, unknown

if TYPE_CHECKING:
    import datasets

NO_CLASS = -1  # of a ClassLabel whose label is not known, as of a test split
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubDataset:
    """`hub:owner/name?revision=…&split=train&image=image&caption=text`; columns of booleans are attributes.

    A hub id needs a `revision` (a commit), or `revision=main` typed out: what a lake was made from must not
    move.
    """

    source: str
    revision: str | None = None
    split: str = "train"
    image: str = "image"
    caption: str | None = None
    group: str | None = None
    metadata: str | None = None

    FORM: ClassVar[str] = "hub:OWNER/NAME?revision=COMMIT"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "revision": "a commit, or main typed out; needed but for a local folder in the hub's layout",
        "split": "which split of the data set, train if not given; all of its images are read",
        "image": "the column of images, image if not given",
        "caption": "the column of captions; none if not given",
        "group": "phash: pictures of one perceptual hash stand on one side of every split",
        "metadata": "columns that are kept as text, comma-separated, classes by name; none if not given",
    }
    COLUMNS: ClassVar[Mapping[str, str]] = {"any boolean": "an attribute; empty where it is unknown"}

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> HubDataset:
        phash_alone("hub", options)
        if os.path.isdir(argument):
            return cls(os.path.abspath(argument), **options)
        if "revision" not in options:
            raise UneError(
                f"hub:{argument} needs a revision, so that the corpus can't change: "
                f"hub:{argument}?revision=COMMIT (or revision=main)"
            )
        return cls(argument, **options)

    @property
    def name(self) -> str:
        values = {option: getattr(self, option) for option in self.OPTIONS}
        options = "&".join(f"{option}={quote(value)}" for option, value in values.items() if value)
        return f"hub:{self.source}?{options}"

    def items(self) -> Iterator[Item]:
        rows = _load(self)
        flags = [name for name, feature in rows.features.items() if getattr(feature, "dtype", "") == "bool"]
        wanted = list(dict.fromkeys([*flags, *listed(self.metadata), *filter(None, [self.caption])]))
        for column in (self.image, *wanted):
            if column not in rows.features:
                raise unknown(f"column of {self.source}", column, rows.features)
        texts = {column: self._as_text(rows.features[column], column) for column in listed(self.metadata)}
        captioned = self._as_text(rows.features[self.caption], self.caption) if self.caption else None
        labels = rows.select_columns(wanted) if wanted else None
        for number in range(len(rows)):
            values = labels[number] if labels else {}
            image_id = f"{self.split}-{number:08d}"
            attributes = {flag: values[flag] for flag in flags if values[flag] is not None}
            caption = captioned(values[self.caption]) if captioned else None
            metadata = {key: text(values[key]) for key, text in texts.items()}
            yield Item(
                image_id,
                str(number),
                None,
                caption,
                attributes,
                split_group=self.group,
                metadata={key: text for key, text in metadata.items() if text is not None},
            )

    def _as_text(self, feature: Any, column: str) -> Callable[[Any], str | None]:
        """How a column's values are written: the names of classes, else as they are; None where there is
        none, as -1 is no class to `datasets`. Raises UneError for lists, pictures and the like."""
        import datasets

        if isinstance(feature, datasets.ClassLabel):
            return lambda value: None if value in (None, NO_CLASS) else feature.int2str(value)
        if isinstance(feature, datasets.Value) and is_text(feature()):
            return lambda value: None if value is None else str(value)
        raise UneError(f"column {column!r} of {self.source} is {feature}, neither metadata nor a caption")

    def remarks(self) -> list[str]:
        """Which columns are not read."""
        read = {self.image, self.caption, *listed(self.metadata)}
        features = _load(self).features.items()
        return unread_columns({name: str(getattr(kind, "dtype", kind)) for name, kind in features}, read)

    def stamp(self) -> str | None:
        """The name, where it has a commit; what else a revision names may move."""
        return self.name if self.revision and COMMIT.fullmatch(self.revision) else None

    def positions(self) -> dict[str, str]:
        """All rows in one; none of a commit, whose rows stay."""
        if self.stamp():
            return {}
        _load.cache_clear()  # what is read from now on is what is there
        return {"": str(_load(self)._fingerprint)}

    def read(self, source: str) -> bytes:
        value = _load(self)[int(source)][self.image]
        if value is None or (value["bytes"] is None and value["path"] is None):
            raise Unreadable("the image column is empty in this row")
        if value["bytes"] is not None:
            return value["bytes"]
        return self._file(value["path"])

    def _file(self, path: str) -> bytes:
        """Bytes of a file that a row names. Raises Unreadable where it lies outside of the data set's folder
        and the hub's caches."""
        import datasets
        import huggingface_hub

        caches = [
            datasets.config.HF_CACHE_HOME,
            datasets.config.HF_DATASETS_CACHE,
            huggingface_hub.constants.HF_HUB_CACHE,
        ]
        real = os.path.realpath(path)
        roots = [os.path.realpath(root) for root in (self.source, *caches)]
        if not any(os.path.commonpath([real, root]) == root for root in roots):
            raise Unreadable(f"{path} leads out of {self.source}")
        with open(real, "rb") as file:
            return file.read()


@lru_cache(maxsize=2)
def _load(corpus: HubDataset) -> datasets.Dataset:
    import datasets

    try:
        rows = datasets.load_dataset(corpus.source, revision=corpus.revision, split=corpus.split)
    except (FileNotFoundError, ConnectionError, ValueError, OSError) as error:
        raise UneError(f"can't load {corpus.name}: {error}") from error
    if corpus.image not in rows.features:
        raise unknown(f"column of {corpus.source}", corpus.image, rows.features)
    return rows.cast_column(corpus.image, datasets.Image(decode=False))


CORPUS = HubDataset
