"""Image files that a table lists, such as an S3 Inventory: no folder is listed."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from une_ray.corpora.base import Item, phash_alone
from une_ray.corpora.columns import is_text, listed
from une_ray.corpora.files import absolute, identity, read_within
from une_ray.corpora.listing import SUFFIXES, is_hidden, said_of
from une_ray.corpora.parquet_files import files_of, opened, rows_of, stamp_of_files
from une_ray.corpora.s3_inventory import is_manifest, is_there, listed_objects, read_manifest
from une_ray.errors import UneError, unknown

BUCKET, KEY = "bucket", "key"


@dataclass(frozen=True)
class Inventory:
    """`inventory:s3://inventories/photos/daily/2026-11-26T01-00Z/manifest.json?root=s3://photos/2026`, or any
    Parquet table of paths.

    Its lineage is the folder's: a lake of `folder:ROOT` goes on by inventories of it, and grows by them.
    """

    url: str
    root: str
    path: str = KEY
    suffix: str | None = None
    caption: str | None = None
    metadata: str | None = None
    group: str | None = None

    FORM: ClassVar[str] = "inventory:PATH?root=FOLDER"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "root": "the folder below which the files are, as s3://photos/2026; what lies elsewhere is left out",
        "path": "the column of paths, below the root or whole; key if not given, as in an S3 Inventory",
        "suffix": "any, or what names end with, comma-separated, as jpg,jpeg; what pictures usually do if "
        "not given, as no file is looked at",
        "caption": "the column of captions; none if not given",
        "metadata": "columns that are kept as text, comma-separated, as person,age; none if not given",
        "group": "phash: pictures of one perceptual hash stand on one side of every split",
    }
    COLUMNS: ClassVar[Mapping[str, str]] = {
        "bucket": "the object store's, of an S3 Inventory: no column of such a table is a label",
        "any boolean": "an attribute; empty where it is unknown",
    }

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Inventory:
        phash_alone("inventory", options)
        if "root" not in options:
            raise UneError(
                f"inventory:{argument} needs the folder whose files it lists: ?root=s3://BUCKET, or a folder"
                " of it"
            )
        if is_manifest(argument) and options.keys() & {"path", "caption", "metadata"}:
            raise UneError(f"{argument} lists objects alone: no path=, caption= or metadata= is in it")
        root = absolute(options.pop("root")).rstrip("/")
        return cls(absolute(argument), root, **options)

    @property
    def name(self) -> str:
        values = {option: getattr(self, option) for option in self.OPTIONS}
        if self.path == KEY:
            del values["path"]
        return f"inventory:{self.url}?" + "&".join(
            f"{option}={quote(value)}" for option, value in values.items() if value
        )

    @property
    def lineage(self) -> str:
        return f"folder:{self.root}" + (f"?group={self.group}" if self.group else "")

    def items(self) -> Iterator[Item]:
        self._counts.clear()
        texts = listed(self.metadata)
        for row, flags in self._rows():
            name = self._below(row)
            why = "below other folders" if name is None else self._why_not(name, row)
            self._counts[why] += 1
            if name is None or why:
                continue
            caption = row[self.caption] if self.caption else None
            yield Item(
                image_id=name,
                source=name,
                caption=None if caption is None else str(caption),
                attributes={flag: row[flag] for flag in flags if row[flag] is not None},
                split_group=self.group,
                metadata={text: str(row[text]) for text in texts if row[text] is not None},
            )

    def stamp(self) -> str:
        """Sizes and times of the tables, or of the manifest that names them."""
        return f"{self.name} {identity(self.url) if is_manifest(self.url) else stamp_of_files(self.url)}"

    def remarks(self) -> list[str]:
        """How many files are listed, and what is left out."""
        if not self._counts:
            for _ in self.items():
                pass
        left_out = Counter({why: count for why, count in self._counts.items() if why})
        return [said_of(self._counts[""], left_out)]

    def read(self, source: str) -> bytes:
        return read_within(self.root, source)

    @cached_property
    def _counts(self) -> Counter[str]:
        """Rows of the last listing, by why they were left out; those that were not, by nothing."""
        return Counter()

    @cached_property
    def _endings(self) -> set[str] | None:
        """What names must end with, None for anything."""
        if self.suffix is None:
            return SUFFIXES
        return (
            None if self.suffix == "any" else {f".{end.lstrip('.').lower()}" for end in listed(self.suffix)}
        )

    def _rows(self) -> Iterator[tuple[Mapping[str, Any], list[str]]]:
        """Rows of the tables, each with the columns that are attributes."""
        import pyarrow as pa

        if is_manifest(self.url):
            for row in listed_objects(read_manifest(self.url)):
                yield row, []
            return
        for path in files_of(self.url):
            schema = opened(self.url, path).schema_arrow
            self._check_columns(path, schema)
            is_of_store = BUCKET in schema.names
            flags = [field.name for field in schema if pa.types.is_boolean(field.type) and not is_of_store]
            wanted = [self.path, *flags, *filter(None, [self.caption]), *listed(self.metadata)]
            columns = None if is_of_store else list(dict.fromkeys(wanted))
            for row in rows_of(self.url, path, columns):
                yield row, flags

    def _check_columns(self, path: str, schema: Any) -> None:
        for column in (self.path, *filter(None, [self.caption]), *listed(self.metadata)):
            if column not in schema.names:
                raise unknown(f"column of {path}", column, schema.names)
            if not is_text(schema.field(column).type):
                raise UneError(f"column {column!r} of {path} is {schema.field(column).type}, no text")

    def _below(self, row: Mapping[str, Any]) -> str | None:
        """The path of what a row lists below the root, None where it lies elsewhere. A `.` among its folders
        is where it stands, as in `./a.png` of `find .`; an object store's keys are what they are."""
        path = str(row[self.path])
        if row.get(BUCKET):
            path = f"{self.root.partition('://')[0]}://{row[BUCKET]}/{path}"
        else:
            if "./" in path:
                path = "/".join(part for part in path.split("/") if part != ".")
            if "://" not in path and not path.startswith("/"):
                return path
        return path[len(self.root) + 1 :] if path.startswith(f"{self.root}/") else None

    def _why_not(self, name: str, row: Mapping[str, Any]) -> str:
        """Why a row is left out, nothing where it is not."""
        if not is_there(row):
            return "deleted or older version"
        if not name or name.endswith("/"):
            return "folder"
        if is_hidden(name):
            return "hidden"
        suffix = posixpath.splitext(name)[1].lower()  # pathlib would have every name interned
        if self._endings is None or suffix in self._endings:
            return ""
        return suffix or "without a suffix"

    def __getstate__(self) -> dict[str, object]:
        """What travels to workers, which only read."""
        return {field: getattr(self, field) for field in self.__dataclass_fields__}


CORPUS = Inventory
