"""An object store as DuckDB reads it: one listing per pattern, and one request for a file's end.

A query of DuckDB asks for a file's size, type and date, opens it twice and reads its footer before it reads
a column: six requests of a store that answers each in tens of milliseconds. Sizes and dates stand in the
listing that found the file; the footer, and in our files every column but the latents, is in the last
bytes, which are fetched together and remembered. A file that the listing does not name is asked for as ever,
and one that is gone or has changed since is an error, never an old answer.
"""

from __future__ import annotations

import io
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from fsspec.spec import AbstractFileSystem

from une_ray.lake.files import without_superseded

WHOLE = 2 << 20  # files up to this are read at once: DuckDB's own block of a remote file
LEAST, SHARE, MOST = 64 << 10, 32, 8 << 20  # bytes of a file's end: a share of it, within bounds
REMEMBERED = 256 << 20  # bytes of ends that are kept

Info = dict[str, Any]
Key = tuple[str, str]
"""A file's path, and what its listing says of its version."""


class RemoteFiles(AbstractFileSystem):
    """`files` with a memory of what its listings said and of files' ends. Safe for DuckDB's threads."""

    cachable = False

    def __init__(self, files: AbstractFileSystem) -> None:
        super().__init__()
        self.files = files
        self.protocol = files.protocol
        self.listed: dict[str, Info] = {}
        self.ends = Ends()
        self.listings: dict[str, list[str]] | None = None

    def glob(self, path: str, maxdepth: int | None = None, **options: Any) -> list[str]:
        """Paths that match and count (see `lake.files`), in their order; what is said of each is remembered
        until the next listing."""
        if self.listings is not None and path in self.listings:
            return self.listings[path]
        found = self._matching(self._name(path))
        self.listed.update({self._name(name): info for name, info in found.items()})
        paths = without_superseded(found)
        if self.listings is not None:
            self.listings[path] = paths
        return paths

    @contextmanager
    def listed_once(self) -> Iterator[None]:
        """Every pattern is listed once in here: views and macros are bound in it by the hundred."""
        self.listings = {}
        try:
            yield
        finally:
            self.listings = None

    def _matching(self, pattern: str) -> dict[str, Info]:
        """One listing, of a thousand names a request: fsspec's own asks of each folder what it is. A file
        that is named whole is asked for itself, as a listing may be behind what was just written."""
        folders = pattern.split("/")
        depth = next((at for at, name in enumerate(folders) if set(name) & set("*?[")), len(folders))
        base, below = "/".join(folders[:depth]), folders[depth:]
        try:
            if not below:
                return {pattern: found} if (found := self.files.info(pattern))["type"] == "file" else {}
            if len(below) == 1:
                infos = {info["name"]: info for info in self.files.ls(base, detail=True)}
            else:
                infos = self.files.find(base, detail=True)
        except FileNotFoundError:
            return {}
        fits = re.compile(re.escape("/".join(below)).replace(r"\*", "[^/]*").replace(r"\?", "[^/]"))
        start = len(base) + 1
        return {
            name: info
            for name, info in infos.items()
            if info["type"] == "file" and fits.fullmatch(name[start:])
        }

    def info(self, path: str, **options: Any) -> Info:
        return self.listed.get(self._name(path)) or self.files.info(path)

    def exists(self, path: str, **options: Any) -> bool:
        return self._name(path) in self.listed or self.files.exists(path)

    def isfile(self, path: str) -> bool:
        return self.info(path)["type"] == "file"

    def modified(self, path: str) -> datetime:
        """When the file was written, as the listing says; stores that say nothing are asked nothing more."""
        info = self.info(path)
        written = info.get("LastModified") or info.get("mtime") or info.get("updated") or info.get("created")
        if isinstance(written, str):
            written = datetime.fromisoformat(written)
        return written if isinstance(written, datetime) else datetime.fromtimestamp(written or 0, UTC)

    def open(self, path: str, mode: str = "rb", **options: Any) -> RemoteFile:  # type: ignore[override]
        return RemoteFile(self, self._name(path), self.info(path))

    def _name(self, path: str) -> str:
        return str(self.files._strip_protocol(path))


class Ends:
    """The ends of files that were read last, up to REMEMBERED bytes together."""

    def __init__(self) -> None:
        self.bytes: OrderedDict[Key, bytes] = OrderedDict()
        self.total = 0
        self.lock = Lock()
        self.fetching: dict[Key, Lock] = {}

    def get(self, key: Key, fetch: Callable[[], bytes]) -> bytes:
        """The end of a file, asked for once however many threads want it."""
        with self.lock:
            if key in self.bytes:
                self.bytes.move_to_end(key)
                return self.bytes[key]
            of_file = self.fetching.setdefault(key, Lock())
        with of_file:
            end = self.bytes.get(key)
            if end is None:
                end = fetch()
                self._put(key, end)
            return end

    def _put(self, key: Key, end: bytes) -> None:
        with self.lock:
            self.fetching.pop(key, None)
            self.total += len(end) - len(self.bytes.pop(key, b""))
            self.bytes[key] = end
            while self.total > REMEMBERED:
                self.total -= len(self.bytes.popitem(last=False)[1])


class RemoteFile(io.RawIOBase):
    """One file, read where it is asked for: a request per range, and none for what lies in its end."""

    def __init__(self, owner: RemoteFiles, name: str, info: Info) -> None:
        super().__init__()
        self.owner, self.name, self.size, self.place = owner, name, int(info["size"]), 0
        version = info.get("ETag") or info.get("etag") or info.get("LastModified") or info.get("mtime")
        self.key = (name, f"{version}/{self.size}")
        share = min(MOST, max(LEAST, self.size // SHARE))
        self.end_at = 0 if self.size <= WHOLE else self.size - share

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.place = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.size}[whence]
        return self.place

    def read(self, size: int = -1) -> bytes:
        stop = self.size if size is None or size < 0 else min(self.size, self.place + size)
        start, self.place = self.place, max(self.place, stop)
        if start >= stop:
            return b""
        if start < self.end_at:
            return self._fetch(start, stop)
        end = self.owner.ends.get(self.key, lambda: self._fetch(self.end_at, self.size))
        return end[start - self.end_at : stop - self.end_at]

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, start: int, stop: int) -> bytes:
        """Raises OSError for a file that is no longer what its listing said."""
        data = self.owner.files.cat_file(self.name, start=start, end=stop)
        if len(data) != stop - start:
            raise OSError(f"{self.name} was replaced while it was read; ask again")
        return data
