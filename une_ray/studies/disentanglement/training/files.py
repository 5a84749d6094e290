"""A folder that one process writes to at a time, and files in it that are whole or not there."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from une_ray.errors import UneError, reason

LOCK = ".lock"


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder, made where it is missing, against other processes; a process that is killed leaves no
    hold behind. On a file system without locks nothing is held. Raises UneError where another process holds
    it, and where it can't be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a")
    except OSError as error:
        raise UneError(f"{folder} can't be written to ({reason(error)}); name a folder with --out") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UneError(
                f"another process trains here: {folder}; wait for it, or name another folder with --out"
            ) from error
        except OSError:
            pass
        yield


@contextlib.contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its place at once if nothing was raised."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Delete what killed processes have left half-written. The folder must be held."""
    for left in folder.glob("*.tmp"):
        left.unlink(missing_ok=True)
