"""Image files in a folder, nested or not, local or in an object store, with a table of labels or without."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar
from urllib.parse import quote

from une_ray.corpora.base import PHASH, Item
from une_ray.corpora.columns import Rules, listed
from une_ray.corpora.files import absolute, identity, read_within
from une_ray.corpora.labels import Label, Labels, no_table, plain_name, read_labels
from une_ray.corpora.listing import Listing, counted, pictures_in, stamp_of
from une_ray.corpora.stated_splits import one_sided, split_of_path, splits_of_groups
from une_ray.errors import UneError

BY_FOLDER = "folder"
SHOWN = 3


@dataclass(frozen=True)
class Folder:
    """`folder:/data/faces`, or with `?table=/data/labels.csv` a table whose columns are `COLUMNS`."""

    url: str
    table: str | None = None
    rules: Rules = Rules()
    split: str | None = None

    FORM: ClassVar[str] = "folder:PATH"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "table": "a CSV or Parquet file of labels, one row an image",
        "encoding": "the CSV's, as latin-1; UTF-8 if not given",
        "file": "the column of paths, where it is not called file, as image_id",
        "unknown": "the text that means that nobody knows, in every column but captions, as -1 or NA; in one,"
        " as mood:-1",
        "factors": "columns that are small whole numbers, comma-separated, as class",
        "metadata": "columns that are text whatever they hold, comma-separated, as initials",
        "group": "a column whose equals stand in one split, as person: probes must not be tested on faces "
        "that they were fitted on; or phash, with or without a table: pictures of one perceptual hash",
        "skip": "columns that are not read, comma-separated",
        "split": "folder, with or without a table: a picture's split is its folder's, which is called train, "
        "val or test, as in train/cats/1.jpg; it may tear a ?group=phash apart, of which une probe warns",
    }
    COLUMNS: ClassVar[Mapping[str, str]] = {
        "file": "the image's path below the folder; the one column that must be there",
        "caption": "a text",
        "split": "train, val or test in their usual spellings, or 0, 1, 2: probes are fitted on train and "
        "val, tested on test; empty: by the picture's bytes (or its group), one in five is test",
        "any other": "an attribute: true/false, yes/no, 1/0 or 1/-1, empty where it is unknown; or, where "
        "those are not more than half of its values, metadata: text, as person or age",
    }

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Folder:
        split = options.pop("split", None)
        if split not in (None, BY_FOLDER):
            raise UneError(f"folder: ?split={split}; it is folder, or a column of a table is called split")
        if "table" not in options:
            of_table = {
                option: value for option, value in options.items() if (option, value) != ("group", PHASH)
            }
            if of_table:
                option = next(iter(of_table))
                raise UneError(f"folder: ?{option} is of a table of labels, and there is none: add table=")
            return cls(absolute(argument), None, Rules(group=options.get("group")), split)
        rules = Rules(
            encoding=options.get("encoding"),
            file=options.get("file"),
            unknown=options.get("unknown"),
            factors=listed(options.get("factors")),
            metadata=listed(options.get("metadata")),
            group=options.get("group"),
            skip=listed(options.get("skip")),
        )
        return cls(absolute(argument), absolute(options["table"]), rules, split)

    @property
    def name(self) -> str:
        values = {
            "table": self.table,
            "encoding": self.rules.encoding,
            "file": self.rules.file,
            "unknown": self.rules.unknown,
            "factors": ",".join(self.rules.factors),
            "metadata": ",".join(self.rules.metadata),
            "group": self.rules.group,
            "skip": ",".join(self.rules.skip),
            "split": self.split,
        }
        options = "&".join(f"{key}={quote(value)}" for key, value in values.items() if value)
        return f"folder:{self.url}" + (f"?{options}" if options else "")

    def items(self) -> Iterator[Item]:
        names, labels = self._listing.names, self._labels
        if labels.rows and not any(self._label(name) for name in names):
            raise UneError(
                f"no row of {self.table} names a file of {self.url}; its paths are like"
                f" {next(iter(labels.rows))!r}, the folder's, which they must be, like"
                f" {next(iter(names), '(none)')!r}"
            )
        if self.split and self.table:
            pairs = (((self._label(name) or Label()).group, self._split(name)) for name in names)
            splits_of_groups(self.table, self.rules.group, pairs)
        for name in names:
            _refuse_undecodable(name, self.url)
            label = self._label(name) or Label()
            group = f"group/{label.group}" if label.group else self._by_phash
            yield Item(
                image_id=name,
                source=name,
                split=self._split(name),
                caption=label.caption,
                attributes=label.attributes,
                factors=label.factors,
                split_group=group,
                metadata=label.metadata,
            )

    def stamp(self) -> str:
        """Names of the folder's files, and when the table was written. Raises UneError for a table that is
        not there."""
        try:
            written = identity(self.table) if self.table else ""
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UneError(no_table(self.table or "")) from error
        return f"{self.name} {stamp_of(self.url)} {written}"

    def remarks(self) -> list[str]:
        """What was read, and what was left out."""
        listing, labels = self._listing, self._labels
        lines = [str(listing), *labels.remarks]
        if self.table:
            alone = [name for name in listing.names if self._label(name) is None]
            present = set(map(plain_name, listing.names))
            lost = [name for name in labels.rows if name not in present]
            lines += [
                _counted(alone, "picture", "without a row, which have no labels"),
                _counted(lost, "row", "without a picture, which are not used"),
                _differing_in_case(alone, lost),
            ]
        lines.append(self._remark_on_splits())
        return [line for line in lines if line]

    def read(self, source: str) -> bytes:
        return read_within(self.url, source)

    def _label(self, name: str) -> Label | None:
        return self._labels.rows.get(plain_name(name))

    def _split(self, name: str) -> str | None:
        """The table's, or with `?split=folder` the folder's. Raises UneError where both say one, or the
        folder none."""
        stated = (self._label(name) or Label()).split
        if self.split is None:
            return stated
        if stated:
            raise UneError(
                f"{self.table} states the split of {name!r}, and so would ?split=folder: leave that out, or"
                " add ?skip=split"
            )
        split = split_of_path(name)
        if split is None:
            raise UneError(
                f"{name!r} of {self.url} lies in no folder called train, val or test, which ?split=folder"
                " reads; move it into one, or leave ?split= out"
            )
        return split

    def _remark_on_splits(self) -> str:
        """That folders are called like splits and are taken for none, or that one side of the split is
        empty."""
        names = self._listing.names
        splits = set(map(self._split, names))
        folders = Counter(filter(None, map(split_of_path, names)))
        if folders and splits == {None}:
            called = ", ".join(folders)
            return (
                f"{folders.total():,} pictures lie in folders called like splits ({called}), which decide"
                " none: it is by hash; ?split=folder takes the folders'"
            )
        return one_sided(splits)

    @property
    def _by_phash(self) -> str | None:
        """The mark of a perceptual hash, unless the table has a column of that name."""
        return PHASH if self.rules.group == PHASH and not self._labels.is_grouped else None

    @cached_property  # a build counts, lists and remarks; workers, to whom a corpus travels, only read
    def _listing(self) -> Listing:
        return pictures_in(self.url)

    @cached_property
    def _labels(self) -> Labels:
        if not self.table:
            return Labels(rows={}, remarks=[], is_grouped=False)
        labels, names = read_labels(self.table, self.rules), Counter(map(plain_name, self._listing.names))
        if twice := next((name for name, times in names.items() if times > 1 and name in labels.rows), None):
            raise UneError(
                f"{self.url} has more than one file {twice!r}, written in different ways; rename one"
            )
        return labels

    def __getstate__(self) -> dict[str, object]:
        return {"url": self.url, "table": self.table, "rules": self.rules, "split": self.split}


def _counted(names: list[str], what: str, are: str) -> str:
    if not names:
        return ""
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return f"{counted(len(names), what)} {are}: {shown}"


def _differing_in_case(pictures: list[str], rows: list[str]) -> str:
    """Of what found no partner, how many would if upper and lower case were one."""
    folded = {plain_name(name).casefold(): name for name in pictures}
    pairs = [(row, folded[row.casefold()]) for row in rows if row.casefold() in folded]
    if not pairs:
        return ""
    row, picture = pairs[0]
    return f"{counted(len(pairs), 'row')} would find one but for upper and lower case, as {row} and {picture}"


def _refuse_undecodable(name: str, url: str) -> None:
    """Names may be any text; bytes that are none can't stand in a table."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UneError(f"the file name {name!r} of {url} is not text; rename it") from error


CORPUS = Folder
