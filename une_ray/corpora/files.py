"""What corpora over files share: one absolute URL for a folder, and bytes by a path that can't leave it."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from une_ray.corpora.base import Unreadable
from une_ray.errors import UneError

if TYPE_CHECKING:
    import fsspec

MAX_BYTES = 256 * 1024 * 1024


@lru_cache(maxsize=32)
def _filesystem(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    import fsspec

    # What is in a folder is asked anew each time: a notebook builds, adds to the corpus, and builds again.
    filesystem, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return filesystem, root.rstrip("/")


def open_folder(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Filesystem and root of a folder that must exist."""
    try:
        filesystem, root = _filesystem(url)
    except (ValueError, ImportError) as error:
        raise UneError(f"can't open {url!r}: {error}") from error
    if not filesystem.isdir(root):
        raise UneError(f"{url} is not a folder (or can't be seen from here)")
    return filesystem, root


def identity(url: str) -> str:
    """What changes whenever a file is written anew: size and times, or an object store's own. Raises
    FileNotFoundError where there is none."""
    filesystem, path = _filesystem(url)
    if url.startswith(("http://", "https://")):  # whose key would be the address alone
        return hashlib.sha256(filesystem.cat_file(path)).hexdigest()
    return filesystem.ukey(path)


def absolute(url: str) -> str:
    """The URL as any worker can use it: local paths made absolute. Raises UneError for an empty one, which
    would be the current folder."""
    refuse_nameless(url)
    return url if "://" in url else os.path.abspath(os.path.expanduser(url))


def refuse_nameless(url: str, whose: str = "a folder") -> None:
    """Raise UneError for an address of nothing."""
    if not url.strip():
        raise UneError(f"the address of {whose} is empty: name one (is a variable of the shell not set?)")


def read_within(url: str, name: str) -> bytes:
    """Bytes of `name` under `url`. Raises Unreadable where `name` leads out of it (`..`, a link) or is over
    256 MiB."""
    from fsspec.implementations.local import LocalFileSystem

    filesystem, root = _filesystem(url)
    path = f"{root}/{name}"
    if isinstance(filesystem, LocalFileSystem):
        real, base = os.path.realpath(path), os.path.realpath(root)
        if os.path.commonpath([real, base]) != base:
            raise Unreadable(f"{name} leads out of {url}")
        if os.path.exists(real) and not os.path.isfile(real):  # a pipe would be waited for
            raise Unreadable(f"{name} is no file")
    elif ".." in name.split("/"):
        raise Unreadable(f"{name} leads out of {url}")
    if isinstance(filesystem, LocalFileSystem):
        size = os.path.getsize(path)
        data = filesystem.cat_file(path) if size <= MAX_BYTES else b""
    else:
        data = _beginning(filesystem, path)
        size = len(data)
    if size > MAX_BYTES:
        raise Unreadable(f"file of {size:,} bytes or more is over the limit of {MAX_BYTES:,}")
    return data


def _beginning(filesystem: fsspec.AbstractFileSystem, path: str) -> bytes:
    """An object, or as much of it as shows that it is too large, by one request: its size is not asked."""
    try:
        return filesystem.cat_file(path, start=0, end=MAX_BYTES + 1)
    except (FileNotFoundError, PermissionError):
        raise
    except OSError:
        if filesystem.size(path) == 0:  # of nothing no range can be had
            return b""
        raise
