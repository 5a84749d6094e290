"""Parquet files with a column of encoded images: bytes, or `datasets`' struct of bytes and path."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from une_ray.corpora.base import Item, Unreadable, phash_alone
from une_ray.corpora.columns import is_text, listed, unread_columns
from une_ray.corpora.files import absolute
from une_ray.corpora.parquet_files import files_of, opened, stamp_of_files, states_of, strays
from une_ray.errors import UneError, unknown

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_LOCK = threading.Lock()


@dataclass(frozen=True)
class ParquetFiles:
    """`parquet:/data/images.parquet?image=image&id=id&caption=text`: a file or a folder of files."""

    url: str
    image: str = "image"
    id: str | None = None
    caption: str | None = None
    group: str | None = None
    metadata: str | None = None

    FORM: ClassVar[str] = "parquet:PATH"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "image": "the column of encoded images, image if not given",
        "id": "the column of ids, each its own; the rows' numbers if not given",
        "caption": "the column of captions; none if not given",
        "group": "phash: pictures of one perceptual hash stand on one side of every split",
        "metadata": "columns that are kept as text, comma-separated, as person,age; none if not given",
    }
    COLUMNS: ClassVar[Mapping[str, str]] = {"any boolean": "an attribute; empty where it is unknown"}

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> ParquetFiles:
        phash_alone("parquet", options)
        return cls(absolute(argument), **options)

    @property
    def name(self) -> str:
        values = {option: getattr(self, option) for option in self.OPTIONS}
        if self.image == "image":
            del values["image"]
        options = "&".join(f"{option}={quote(value)}" for option, value in values.items() if value)
        return f"parquet:{self.url}" + (f"?{options}" if options else "")

    def items(self) -> Iterator[Item]:
        import pyarrow as pa

        kinds: dict[str, tuple[pa.DataType, str]] = {}
        for number, path in enumerate(files_of(self.url)):
            file = opened(self.url, path)
            self._check_columns(path, file.schema_arrow)
            _refuse_half_labels(path, file.schema_arrow, kinds)
            flags = [field.name for field in file.schema_arrow if pa.types.is_boolean(field.type)]
            for group in range(file.num_row_groups):
                yield from self._items_of(number, path, file, group, flags)

    def _items_of(
        self, number: int, path: str, file: pq.ParquetFile, group: int, flags: list[str]
    ) -> Iterator[Item]:
        """The rows of one row group of the `number`th file."""
        texts = listed(self.metadata)
        wanted = list(dict.fromkeys([*flags, *texts, *filter(None, (self.id, self.caption))]))
        count = file.metadata.row_group(group).num_rows
        rows = file.read_row_group(group, columns=wanted).to_pylist() if wanted else [{}] * count
        for row, values in enumerate(rows):
            if self.id and values[self.id] is None:
                raise UneError(
                    f"row {row + 1} of row group {group} of {path} has no {self.id}; fill it in, or"
                    " leave ?id= out: the rows' numbers are ids then"
                )
            caption = values[self.caption] if self.caption else None
            yield Item(
                str(values[self.id]) if self.id else f"{number}-{group}-{row}",
                f"{path}#{group}#{row}",
                None,
                None if caption is None else str(caption),
                {flag: values[flag] for flag in flags if values[flag] is not None},
                split_group=self.group,
                metadata={text: str(values[text]) for text in texts if values[text] is not None},
            )

    def _check_columns(self, path: str, schema: pa.Schema) -> None:
        """Raise UneError where a file lacks a column, or its column of images holds none, or one of texts
        something else."""
        import pyarrow as pa

        for column in filter(None, (self.image, self.id, self.caption, *listed(self.metadata))):
            if column not in schema.names and column == "image":
                raise UneError(
                    f"{path} has no column 'image' of encoded pictures; it has {', '.join(schema.names)}:"
                    " name the one that has them, as in ?image=jpg"
                )
            if column not in schema.names:
                raise unknown(f"column of {path}", column, schema.names)
        for column in listed(self.metadata):
            if not is_text(schema.field(column).type):
                raise UneError(f"column {column!r} of {path} is {schema.field(column).type}, no metadata")
        if self.caption and not is_text(schema.field(self.caption).type):
            raise UneError(
                f"column {self.caption!r} of {path} is {schema.field(self.caption).type}, and a caption is"
                " one text: write a column of texts"
            )
        if self.id and not is_text(schema.field(self.id).type):
            raise UneError(
                f"column {self.id!r} of {path} is {schema.field(self.id).type}, and an id is one text or"
                " number: write it as text, bytes in hexadecimal"
            )
        if self.id and pa.types.is_floating(schema.field(self.id).type):
            raise UneError(
                f"column {self.id!r} of {path} is {schema.field(self.id).type}, as pandas makes of whole"
                " numbers beside missing ones, and would write 12 as 12.0: cast it to whole numbers or text"
            )
        kind = schema.field(self.image).type
        if not _holds_bytes(kind):
            raise UneError(
                f"column {self.image!r} of {path} is {kind}, not encoded images (bytes, or a struct of bytes "
                "and path)"
            )

    def stamp(self) -> str:
        """Names, sizes and times of the files."""
        return f"{self.name} {stamp_of_files(self.url)}"

    def positions(self) -> dict[str, str]:
        """Files whose rows' numbers are ids; none where a column has them."""
        _row_group.cache_clear()  # what is read from now on is what is there
        return {} if self.id else states_of(self.url)

    def remarks(self) -> list[str]:
        """Which files are left out, and which columns of the first file are not read."""
        aside = strays(self.url)
        shown = ", ".join(aside[:3]) + (", …" if len(aside) > 3 else "")
        lines = [f"{len(aside):,} empty or hidden files left out: {shown}"] if aside else []
        schema = opened(self.url, files_of(self.url)[0]).schema_arrow
        read = {self.image, self.id, self.caption, *listed(self.metadata)}
        return [*lines, *unread_columns({field.name: str(field.type) for field in schema}, read)]

    def read(self, source: str) -> bytes:
        path, group, row = source.rsplit("#", 2)
        value = _images(self.url, path, int(group), self.image)[int(row)].as_py()
        data = value["bytes"] if isinstance(value, dict) else value
        if data is None and isinstance(value, dict) and value.get("path"):
            raise Unreadable(
                f"the row holds the path {value['path']!r} and no bytes; write the file again with the"
                " pictures in it (datasets: embed_table_storage)"
            )
        if data is None:
            raise Unreadable("the image column is empty in this row")
        return data


def _refuse_half_labels(path: str, schema: pa.Schema, kinds: dict[str, tuple[pa.DataType, str]]) -> None:
    """Raise UneError where a column is boolean, an attribute, in one file and of another type in another:
    `kinds` has each column's type in the files before, and the first file that has it so."""
    import pyarrow as pa

    for field in schema:
        if pa.types.is_null(field.type):
            continue  # a file in which it is unknown throughout
        kind, first = kinds.setdefault(field.name, (field.type, path))
        if pa.types.is_boolean(kind) != pa.types.is_boolean(field.type):
            raise UneError(
                f"column {field.name!r} is {kind} in {first} and {field.type} in {path}: a label in one, and"
                " nothing in the other; write both alike, boolean if it is one"
            )


def _holds_bytes(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _images(url: str, path: str, group: int, column: str) -> pa.ChunkedArray:
    with _LOCK:  # threads that ask for one row group at once wait for one read
        return _row_group(url, path, group, column)


@lru_cache(maxsize=2)
def _row_group(url: str, path: str, group: int, column: str) -> pa.ChunkedArray:
    """The image column of one row group; items come in order, so each group is read about once per shard."""
    import pyarrow as pa

    try:
        return opened(url, path).read_row_group(group, columns=[column]).column(0)
    except pa.ArrowInvalid as error:
        raise Unreadable(f"row group {group} of {path}: {error}") from error


CORPUS = ParquetFiles
