"""Parquet files below a folder, local or in an object store: which there are, and one of them opened."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from une_ray.errors import UneError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs
    import pyarrow.parquet as pq

ROWS_AT_ONCE = 1024  # each takes some two kilobytes while it is made a dictionary


def files_of(url: str) -> list[str]:
    """The file itself, or every .parquet file below a folder, in the order of their paths. Raises UneError
    where there is none."""
    import pyarrow.fs

    filesystem, path = _filesystem(url)
    info = filesystem.get_file_info(path)
    if info.type == pyarrow.fs.FileType.NotFound:
        raise UneError(f"{url} does not exist (or can't be seen from here)")
    if info.type == pyarrow.fs.FileType.File:
        return [path]
    inside = filesystem.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    paths = sorted(
        entry.path
        for entry in inside
        if entry.path.endswith(".parquet") and not _stray(entry.path[len(path) :], entry.size)
    )
    if not paths:
        raise UneError(f"{url} holds no .parquet file with anything in it")
    return paths


def _stray(name: str, size: int | None) -> bool:
    """Whether a file is none of the data: empty, or a hidden companion such as ._0.parquet."""
    return size == 0 or any(part.startswith(".") for part in name.split("/"))


def strays(url: str) -> list[str]:
    """Names of Parquet files below a folder that are left out."""
    import pyarrow.fs

    filesystem, path = _filesystem(url)
    if filesystem.get_file_info(path).type != pyarrow.fs.FileType.Directory:
        return []
    inside = filesystem.get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    names = ((entry.path[len(path) :].lstrip("/"), entry.size) for entry in inside)
    return sorted(name for name, size in names if name.endswith(".parquet") and _stray(name, size))


def opened(url: str, path: str) -> pq.ParquetFile:
    """One of them. Raises UneError for what is no Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(_filesystem(url)[0].open_input_file(path))
    except pa.ArrowInvalid as error:
        raise UneError(f"{path} can't be read as Parquet: {error}; get it again, or move it away") from error


def rows_of(url: str, path: str, columns: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Rows of one of them, a thousand in memory; of some columns, or of all."""
    for batch in opened(url, path).iter_batches(ROWS_AT_ONCE, columns=columns):
        yield from batch.to_pylist()


def states_of(url: str) -> dict[str, str]:
    """Paths of the files, each with a text that is another one once it was written anew: its size and time,
    and on this machine's disks also when the disk says that it was touched, which no copy keeps."""
    import pyarrow.fs

    filesystem = _filesystem(url)[0]
    is_local = isinstance(filesystem, pyarrow.fs.LocalFileSystem)
    states = {}
    for info in filesystem.get_file_info(files_of(url)):
        touched = _touched(info.path) if is_local else 0
        facts = repr((info.size, info.mtime_ns, touched))
        states[info.path] = hashlib.sha256(facts.encode()).hexdigest()[:16]
    return states


def _touched(path: str) -> int:
    try:
        return os.stat(path).st_ctime_ns
    except FileNotFoundError:  # it went meanwhile
        return 0


def stamp_of_files(url: str) -> str:
    """Another text wherever names, sizes or times of the files are others."""
    return hashlib.sha256(repr(list(states_of(url).items())).encode()).hexdigest()


@lru_cache(maxsize=32)
def _filesystem(url: str) -> tuple[pa.fs.FileSystem, str]:
    import pyarrow.fs

    return pyarrow.fs.FileSystem.from_uri(url)
