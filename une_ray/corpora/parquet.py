"""Parquet files with a column of encoded images: bytes, or the struct {bytes, path} that `datasets` writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from une_ray.corpora.base import Item, Unreadable, split_of
from une_ray.corpora.files import absolute
from une_ray.errors import UneError, unknown

_LOCK = threading.Lock()


@dataclass(frozen=True)
class ParquetFiles:
    """`parquet:/data/images.parquet?image=image&id=id&caption=text`: a file or a folder of files. Boolean columns are attributes."""

    url: str
    image: str = "image"
    id: str | None = None
    caption: str | None = None

    OPTIONS = ("image", "id", "caption")

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> ParquetFiles:
        return cls(absolute(argument), **options)

    @property
    def name(self) -> str:
        options = [
            f"{key}={quote(value)}"
            for key in self.OPTIONS
            if (value := getattr(self, key)) and (key, value) != ("image", "image")
        ]
        return f"parquet:{self.url}" + ("?" + "&".join(options) if options else "")

    def items(self) -> Iterator[Item]:
        for number, path in enumerate(_files(self.url)):
            file = _open(self.url, path)
            columns = file.schema_arrow
            for column in filter(None, (self.image, self.id, self.caption)):
                if column not in columns.names:
                    raise unknown(f"column of {path}", column, columns.names)
            if not _holds_bytes(columns.field(self.image).type):
                raise UneError(
                    f"column {self.image!r} of {path} is {columns.field(self.image).type}, not encoded images (bytes, or a struct of bytes and path)"
                )
            flags = [field.name for field in columns if pa.types.is_boolean(field.type)]
            wanted = [*flags, *filter(None, (self.id, self.caption))]
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                rows = file.read_row_group(group, columns=wanted).to_pylist() if wanted else [{}] * count
                for row, values in enumerate(rows):
                    image_id = str(values[self.id]) if self.id else f"{number}-{group}-{row}"
                    attributes = {flag: values[flag] for flag in flags if values[flag] is not None}
                    yield Item(
                        image_id,
                        f"{path}#{group}#{row}",
                        split_of(image_id),
                        values.get(self.caption),
                        attributes,
                    )

    def read(self, source: str) -> bytes:
        path, group, row = source.rsplit("#", 2)
        value = _images(self.url, path, int(group), self.image)[int(row)].as_py()
        data = value["bytes"] if isinstance(value, dict) else value
        if data is None:
            raise Unreadable("the image column is empty in this row")
        return data


def _holds_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _holds_bytes(kind.field("bytes").type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


@lru_cache(maxsize=32)
def _filesystem(url: str) -> tuple[pa.fs.FileSystem, str]:
    return pa.fs.FileSystem.from_uri(url)


def _files(url: str) -> list[str]:
    filesystem, path = _filesystem(url)
    info = filesystem.get_file_info(path)
    if info.type == pa.fs.FileType.NotFound:
        raise UneError(f"{url} does not exist (or can't be seen from here)")
    if info.type == pa.fs.FileType.File:
        return [path]
    inside = filesystem.get_file_info(pa.fs.FileSelector(path, recursive=True))
    found = sorted(entry.path for entry in inside if entry.path.endswith(".parquet"))
    if not found:
        raise UneError(f"{url} holds no .parquet file")
    return found


def _open(url: str, path: str) -> pq.ParquetFile:
    return pq.ParquetFile(_filesystem(url)[0].open_input_file(path))


def _images(url: str, path: str, group: int, column: str) -> pa.ChunkedArray:
    with _LOCK:  # threads that ask for one row group at once wait for one read
        return _row_group(url, path, group, column)


@lru_cache(maxsize=2)
def _row_group(url: str, path: str, group: int, column: str) -> pa.ChunkedArray:
    """The image column of one row group; items come in order, so each group is read about once per shard."""
    try:
        return _open(url, path).read_row_group(group, columns=[column]).column(0)
    except pa.ArrowInvalid as error:
        raise Unreadable(f"row group {group} of {path}: {error}") from error
