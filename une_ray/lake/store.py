"""A folder that may be local or an object store, and the one way bytes get into it: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from une_ray.errors import UneError

STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Store:
    """Files under one URL (`/data/lake`, `s3://bucket/lake`, `gs://…`), named by paths relative to it. No
    listing is remembered: other processes write here too."""

    url: str

    @property
    def filesystem(self) -> fsspec.AbstractFileSystem:
        return _split(self.url)[0]

    @property
    def root(self) -> str:
        return _split(self.url)[1]

    @property
    def is_local(self) -> bool:
        return isinstance(self.filesystem, LocalFileSystem)

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def exists(self, name: str) -> bool:
        with self._answering(name):
            return self.filesystem.exists(self.path(name))

    def names(self, folder: str, prefix: str = "") -> set[str]:
        """Names of the files directly in `folder`, of those that begin with `prefix`; empty where it does not
        exist. An object store lists no others."""
        try:
            with self._answering(folder):
                if prefix and not self.is_local:
                    paths = self.filesystem.find(self.path(folder), prefix=prefix)
                else:
                    paths = self.filesystem.ls(self.path(folder), detail=False)
        except FileNotFoundError:
            return set()
        names = (os.path.basename(str(path).rstrip("/")) for path in paths)
        return {name for name in names if name.startswith(prefix)}

    def read(self, name: str) -> bytes:
        with self._answering(name), self.filesystem.open(self.path(name), "rb") as file:
            return file.read()

    def open(self, name: str) -> IO[bytes]:
        """The file, read where it is asked for. Raises FileNotFoundError."""
        with self._answering(name):
            return self.filesystem.open(self.path(name), "rb")

    def version(self, name: str) -> Hashable:
        """What is another where a file was written anew: its size, and its time or the store's tag. Raises
        FileNotFoundError."""
        with self._answering(name):
            if self.is_local:
                found = os.stat(self.path(name))
                return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
            info = self.filesystem.info(self.path(name))
        return tuple(
            str(info.get(key)) for key in ("size", "ETag", "etag", "LastModified", "mtime", "created")
        )

    def move(self, name: str, to: str) -> None:
        """Give a file another name, at once; one that has it already is replaced."""
        with self._answering(name):
            if self.is_local:
                final = Path(self.path(to))
                os.replace(self.path(name), final)
                _fsync_folder(final.parent)
            else:
                self.filesystem.mv(self.path(name), self.path(to))

    def remove(self, name: str) -> None:
        """Delete a file, or a folder with all that is in it; nothing where there is neither."""
        try:
            with self._answering(name), contextlib.suppress(FileNotFoundError):
                self.filesystem.rm(self.path(name), recursive=True)
        except OSError as error:
            raise UneError(self._why(error, name, 0)) from error

    def refuse_read_only(self, name: str) -> None:
        """Raise UneError where a local folder says that `name` can't be written; object stores say so when it
        is."""
        if not self.may_write(name):
            raise UneError(self._why(PermissionError(errno.EACCES, "read-only"), name, 0))

    def may_write(self, name: str) -> bool:
        """False where local folders say no: that of `name`, or the one where files begin."""
        folders = (Path(self.path(name)).parent, Path(self.root, "tmp")) if self.is_local else ()
        return all(map(_may_write, folders))

    def commit(self, name: str, data: bytes, replace: bool = True) -> bool:
        """Make `name` hold `data`, whole or not at all; with `replace=False` only where nothing is there yet.

        Local: a temporary file in `tmp/`, fsync, then rename (or hard link, which fails where the name is
        taken). Object stores: one PUT, which is atomic already (`If-None-Match` without `replace`).
        Returns whether this call wrote it.
        """
        try:
            if self.is_local:
                return self._commit_local(Path(self.path(name)), data, replace)
            try:
                with self._answering(name):
                    self.filesystem.pipe_file(
                        self.path(name), data, mode="overwrite" if replace else "create"
                    )
            except FileExistsError:
                return False
            return True
        except OSError as error:
            raise UneError(self._why(error, name, len(data))) from error

    @contextlib.contextmanager
    def _answering(self, name: str) -> Iterator[None]:
        """Object stores' clients try again by themselves; what they give up on is a UneError, whatever
        type theirs has."""
        try:
            yield
        except (FileNotFoundError, FileExistsError, PermissionError):
            raise
        except NotADirectoryError as error:
            raise UneError(self._no_folder(name)) from error
        except Exception as error:
            if self.is_local:
                raise
            raise UneError(
                f"{self.url}/{name}: the object store does not answer ({type(error).__name__}: {error}); "
                "what was finished is kept, and the same command goes on from there"
            ) from error

    def _no_folder(self, name: str) -> str:
        path = Path(self.path(name))
        file = next((parent for parent in path.parents if parent.is_file()), path)
        shown = self.url if file == Path(self.root) else file
        return f"{shown} is a file, not a folder: name another; a lake is a folder that une build makes"

    def _why(self, error: OSError, name: str, size: int) -> str:
        if isinstance(error, NotADirectoryError):
            return self._no_folder(name)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                f"no space left for {self.url}/{name} ({size:,} bytes); free some and run the same command"
                " again"
            )
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            return f"no permission to write {self.url}/{name}; choose another --lake or change its rights"
        return f"can't write {self.url}/{name}: {error}"

    def _commit_local(self, final: Path, data: bytes, replace: bool) -> bool:
        staging = Path(self.root, "tmp")
        staging.mkdir(parents=True, exist_ok=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = staging / f"{final.name}.{uuid.uuid4().hex}"
        try:
            with open(temporary, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            if replace:
                os.replace(temporary, final)
            else:
                try:
                    os.link(temporary, final)
                except FileExistsError:
                    return False
            _fsync_folder(final.parent)
            return True
        finally:
            temporary.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what killed writers left in `tmp/` more than a day ago, by the file system's clock: ours
        may be days ahead of a living writer's. Nothing where nothing may be removed."""
        if self.is_local and (staging := Path(self.root, "tmp")).is_dir() and _may_write(staging):
            watch = staging / f"now.{uuid.uuid4().hex}"
            watch.touch()
            now = watch.stat().st_mtime
            watch.unlink()
            for leftover in staging.iterdir():
                with contextlib.suppress(FileNotFoundError):  # another build has just renamed it into place
                    if now - leftover.stat().st_mtime > STALE_SECONDS:
                        leftover.unlink()


def _split(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    try:
        filesystem, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        raise UneError(f"can't use {url!r} as a lake: {error}") from error
    return filesystem, root.rstrip("/")


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _may_write(folder: Path) -> bool:
    """Into it or, where it is not there yet, into the nearest above it."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    return os.access(there, os.W_OK)
