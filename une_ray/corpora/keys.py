"""What an object store has below a folder, listed by many prefixes at once: one prefix gives a thousand keys
an answer, one answer after another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import fsspec

LISTERS = 16  # prefixes that are asked at once
LEVELS = 3  # of folders that are opened to find so many


def keys_below(filesystem: fsspec.AbstractFileSystem, root: str) -> Iterator[str]:
    """Every key below `root`, in no order that is promised.

    Folders are opened one by one until there are as many as LISTERS; what is in each is then asked for at
    once, however deep it lies.
    """
    folders = [root]
    for _ in range(LEVELS):
        if not 0 < len(folders) < LISTERS:
            break
        inside: list[str] = []
        for folder in folders:
            for entry in filesystem.ls(folder, detail=True):
                name = str(entry["name"]).rstrip("/")
                if entry["type"] == "directory" and name != folder:
                    inside.append(name)
                elif entry["type"] == "file" and name != folder:
                    yield name
        folders = inside
    with ThreadPoolExecutor(LISTERS) as threads:
        for found in threads.map(filesystem.find, folders):
            yield from found
