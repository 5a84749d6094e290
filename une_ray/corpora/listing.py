"""Which files of a folder are pictures, by content where the suffix does not say, and what is left out."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from une_ray.corpora.files import open_folder
from une_ray.corpora.keys import keys_below
from une_ray.errors import UneError, reason

if TYPE_CHECKING:
    import fsspec

SUFFIXES = {
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"),
    *(".pbm", ".pnm", ".avif", ".jp2", ".j2k", ".jpx", ".heic", ".heif"),
}
# What pictures begin with: JPEG, PNG, GIF, WebP, BMP, TIFF, PNM, JPEG 2000, and AVIF or HEIC.
BEGINNINGS = re.compile(
    rb"\xff\xd8\xff|\x89PNG\r\n|GIF8[79]a|RIFF....WEBP|BM....\0\0\0\0....[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"
    rb"|II[*+]\0|MM\0[*+]|P[1-6f][\s#]|\0\0\0\x0cjP  |\xff\x4f\xff\x51"
    rb"|....ftyp(?:avi[fs]|hei[cxms]|mif1|msf1)",
    re.DOTALL,
)
BYTES_TO_TELL = 32
RAW = {".cr2", ".nef", ".arw", ".dng", ".orf", ".rw2", ".pef", ".srw", ".raf", ".cr3", ".iiq", ".3fr"}
ASIDE = {"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN"}  # what archives, NAS and Windows keep beside files


@dataclass(frozen=True)
class Listing:
    """Names of pictures below a folder, sorted, and how many files are left out, by what they are."""

    names: list[str]
    left_out: Counter[str]

    def __str__(self) -> str:
        """`412 files, 398 pictures; 14 left out: 12 .txt, 2 hidden`."""
        return said_of(len(self.names), self.left_out)


def said_of(pictures: int, left_out: Counter[str]) -> str:
    """So many pictures among files, of which others are left out for what they are."""
    text = f"{counted(pictures + left_out.total(), 'file')}, {counted(pictures, 'picture')}"
    if left_out:
        kinds = ", ".join(counted(count, kind) for kind, count in left_out.most_common())
        text += f"; {left_out.total():,} left out: {kinds}"
    return text


def counted(count: int, what: str) -> str:
    """`1 file`, `12 files`; a suffix or an adjective has no plural."""
    countable = what.isascii() and what.split()[-1] in ("file", "picture", "folder", "row")
    return f"{count:,} {what}" + ("s" if countable and count != 1 else "")


def pictures_in(url: str) -> Listing:
    """Every picture below a folder. Hidden files and folders, linked folders, and cameras' raw files are left
    out and counted.

    A file of a picture's suffix is one, and a reject where it can't be decoded; any other is looked at. What
    goes while it is looked at was never there.
    """
    filesystem, root = open_folder(url)
    names: list[str] = []
    left_out: Counter[str] = Counter()
    for name, kind in _files(filesystem, root):
        suffix = PurePosixPath(name).suffix.lower()
        if kind:
            left_out[kind] += 1
        elif suffix in SUFFIXES:
            names.append(name)
        else:
            with contextlib.suppress(FileNotFoundError):
                if _looks_like_one(filesystem, f"{root}/{name}"):
                    names.append(name)
                else:
                    left_out[suffix or "without a suffix"] += 1
    return Listing(sorted(names), left_out)


def stamp_of(url: str) -> str:
    """Another text wherever `pictures_in` would give another listing, from names alone; of a file that only
    its content makes a picture, also from its size and times."""
    filesystem, root = open_folder(url)
    digest = hashlib.sha256()
    for name, kind in sorted(_files(filesystem, root)):
        written = ""
        if not kind and PurePosixPath(name).suffix.lower() not in SUFFIXES:
            try:
                written = filesystem.ukey(f"{root}/{name}")
            except FileNotFoundError:  # it went meanwhile
                continue
        digest.update(f"{kind}/{name}\n{written}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _files(filesystem: fsspec.AbstractFileSystem, root: str) -> Iterator[tuple[str, str]]:
    """Paths below `root`, each with why it is left out, or nothing."""
    from fsspec.implementations.local import LocalFileSystem

    if not isinstance(filesystem, LocalFileSystem):
        for path in keys_below(filesystem, root):
            name = path[len(root) :].lstrip("/")
            yield name, "hidden" if is_hidden(name) else ""
        return
    for folder, folders, files in os.walk(root, onerror=partial(_refuse, root)):
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        for name in files:
            yield prefix + name, "hidden" if is_hidden(prefix + name) else ""
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                yield prefix + name, "linked folder"


def _refuse(root: str, error: OSError) -> None:
    if isinstance(error, FileNotFoundError) and error.filename != root:
        return  # a folder that went meanwhile
    raise UneError(
        f"can't list {error.filename}: {reason(error)}; its pictures would be missing from the lake"
    )


def is_hidden(name: str) -> bool:
    """Whether a path leads through what is hidden, or set aside by archives and systems."""
    return any(part.startswith(".") or part in ASIDE for part in name.split("/"))


def _looks_like_one(filesystem: fsspec.AbstractFileSystem, path: str) -> bool:
    """Whether a file begins as pictures do. Raises FileNotFoundError where it is gone."""
    from fsspec.implementations.local import LocalFileSystem

    is_pipe = isinstance(filesystem, LocalFileSystem) and not os.path.isfile(path)  # it would be waited for
    if is_pipe and not os.path.lexists(path):
        raise FileNotFoundError(path)
    if is_pipe or PurePosixPath(path).suffix.lower() in RAW:
        return False
    try:
        with filesystem.open(path, "rb") as file:
            return BEGINNINGS.match(file.read(BYTES_TO_TELL)) is not None
    except PermissionError:
        return False
