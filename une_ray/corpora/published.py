"""The files that dSprites (`.npz`, `.hdf5`) and 3DShapes (`.h5`) are published as, item by item.

A file is taken only if it is the whole grid in the published order: then its n-th picture is the grid's n-th
item, and no table of labels needs to be kept. Pictures are never all in memory. An `.npz` holds them
compressed, where none can be reached without all before it: they are unpacked once, into a folder of the
system's temporary files, one bit or byte a value.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from une_ray.corpora.factor_grid import FactorGrid
from une_ray.errors import UneError, reason

PICTURES, LABELS = ("imgs", "images"), ("latents_classes", "latents/classes", "labels")
CHUNK = 1024  # pictures read at a time
SIZE = 64


class Published(Protocol):
    def pictures(self, indices: np.ndarray) -> np.ndarray:
        """(n, 64, 64, c) uint8 of items of the grid; black and white are 0 and 255."""


@functools.lru_cache(maxsize=4)
def opened(path: str, sizes: tuple[tuple[str, int], ...]) -> Published:
    """The file, once it is found to be that grid. Raises UneError with what it holds instead."""
    grid = FactorGrid(dict(sizes))
    if not os.path.isfile(path):
        raise UneError(f"{path} is not a file; give the published one, or a number of items to be drawn")
    if path.endswith(".npz"):
        return _npz(path, grid)
    if path.endswith((".h5", ".hdf5")):
        return _hdf5(path, grid)
    raise UneError(f"{path}: published files end in .npz, .h5 or .hdf5")


@dataclass(frozen=True)
class Unpacked:
    """Pictures (n, 64, 64, c) or, of two values, their bits (n, 512), in a file of their own."""

    values: np.ndarray

    def pictures(self, indices: np.ndarray) -> np.ndarray:
        chosen = np.asarray(self.values[indices])
        if chosen.ndim == 2:
            return np.unpackbits(chosen, axis=1).reshape(-1, SIZE, SIZE, 1) * np.uint8(255)
        return chosen


@dataclass(frozen=True)
class Hdf5:
    """A data set (n, 64, 64) or (n, 64, 64, 3) of a file that stays open."""

    images: Any

    def pictures(self, indices: np.ndarray) -> np.ndarray:
        order, inverse = np.unique(indices, return_inverse=True)  # h5py takes rising indices alone
        chosen = np.asarray(self.images[order])[inverse]
        return chosen if chosen.ndim == 4 else (chosen > 0).astype(np.uint8)[..., None] * np.uint8(255)


def _npz(path: str, grid: FactorGrid) -> Published:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            pictures, labels = _named(path, PICTURES, names), _named(path, LABELS, names)
            with archive.open(f"{labels}.npy") as member:
                _check_order(path, np.lib.format.read_array(member), grid)
            with archive.open(f"{pictures}.npy") as member:
                return Unpacked(_unpacked(path, member, grid))
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise UneError(f"{path} can't be read as .npz ({reason(error)}); download it again") from error


def _hdf5(path: str, grid: FactorGrid) -> Published:
    try:
        import h5py
    except ImportError as error:
        raise UneError(
            f"{path} is HDF5, which needs h5py: pip install h5py; or give a number of items to be drawn"
        ) from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise UneError(f"{path} can't be read as HDF5 ({reason(error)}); download it again") from error
    names = {name for name in (*PICTURES, *LABELS) if name in file}
    images, labels = (_data_set(path, file, _named(path, wanted, names)) for wanted in (PICTURES, LABELS))
    _check_pictures(path, images.shape, images.dtype, grid)
    _check_order(path, np.asarray(labels), grid)
    return Hdf5(images)


def _data_set(path: str, file: Any, name: str) -> Any:
    if not hasattr(file[name], "shape"):
        raise UneError(f"{path}: its {name} is a group and no data set; the published one's is an array")
    return file[name]


def _named(path: str, wanted: tuple[str, ...], names: set[str]) -> str:
    for name in wanted:
        if name in names:
            return name
    raise UneError(f"{path} has no {' or '.join(wanted)}; it holds {', '.join(sorted(names)) or 'nothing'}")


def _check_pictures(path: str, shape: tuple[int, ...], dtype: np.dtype, grid: FactorGrid) -> None:
    if shape[:1] != (len(grid),) or shape[1:] not in ((SIZE, SIZE), (SIZE, SIZE, 3)) or dtype != np.uint8:
        raise UneError(
            f"{path} holds pictures {shape} of {dtype}; the published ones are"
            f" ({len(grid)}, {SIZE}, {SIZE}, …) of uint8"
        )


def _check_order(path: str, labels: np.ndarray, grid: FactorGrid) -> None:
    """Labels (n, f), classes or values, with or without a first column of one value, must be the grid's."""
    names = grid.names
    if labels.ndim == 2 and labels.shape[1] == len(names) + 1 and (labels[:, 0] == labels[0, 0]).all():
        labels = labels[:, 1:]
    if labels.shape != (len(grid), len(names)):
        raise UneError(f"{path} has labels {labels.shape}; the published ones are {(len(grid), len(names))}")
    factors = grid.factors_of(np.arange(len(grid)))
    for column, name in enumerate(names):
        values, classes = np.unique(labels[:, column], return_inverse=True)
        if len(values) != grid.sizes[name] or (classes != factors[:, column]).any():
            raise UneError(f"{path}: its {name} does not run as published; download it again")


def _unpacked(path: str, member: IO[bytes], grid: FactorGrid) -> np.ndarray:
    """The pictures of a stream in `.npy` format as a file in memory's reach, written once per version of
    `path`."""
    version = np.lib.format.read_magic(member)
    read_header = (
        np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    )
    shape, in_columns, dtype = read_header(member)
    _check_pictures(path, shape, dtype, grid)
    if in_columns:
        raise UneError(f"{path} holds its pictures column by column; write them as numpy.savez does")
    in_bits = len(shape) == 3
    wide = (len(grid), SIZE * SIZE // 8) if in_bits else shape
    state = os.stat(path)
    key = hashlib.sha256(f"{os.path.realpath(path)}/{state.st_size}/{state.st_mtime_ns}".encode()).hexdigest()
    folder = Path(tempfile.gettempdir()) / f"une_ray-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if (owner := folder.lstat()).st_uid != os.getuid() or not folder.is_dir() or folder.is_symlink():
        raise UneError(f"{folder} belongs to user {owner.st_uid}; set TMPDIR to a folder of your own")
    unpacked = folder / f"{key[:32]}.pictures"
    if not unpacked.exists():
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            try:
                for pictures in _chunks(member, shape):
                    file.write((np.packbits(pictures > 0) if in_bits else pictures).tobytes())
                file.flush()
                os.replace(file.name, unpacked)
            except BaseException:  # also where the user stops it: it may be gigabytes
                os.unlink(file.name)
                raise
    return np.memmap(unpacked, np.uint8, "r", shape=wide)


def _chunks(member: IO[bytes], shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    each = int(np.prod(shape[1:]))
    for start in range(0, shape[0], CHUNK):
        count = min(CHUNK, shape[0] - start)
        data = member.read(count * each)
        if len(data) != count * each:
            raise EOFError(f"it ends in picture {start + len(data) // each} of {shape[0]}")
        yield np.frombuffer(data, np.uint8).reshape(count, *shape[1:])
