"""Pictures with known factors, drawn once from a corpus and kept as two arrays beside the trainings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from une_ray.corpora import Corpus, Item, open_corpus
from une_ray.corpora.factored import Factored
from une_ray.errors import UneError
from une_ray.models.spec import Preprocessing
from une_ray.pictures.decode import Reject, decode, fit
from une_ray.run.progress import Progress

AT_A_TIME = 1024


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """`images` (n, c, s, s) uint8, memory-mapped, and `factors` (n, f) whole numbers, columns as `names`."""

    images: np.ndarray
    factors: np.ndarray
    names: tuple[str, ...]

    @property
    def channels(self) -> int:
        """1 for grey pictures, 3 for others."""
        return self.images.shape[1]

    def draw(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """(count, c, s, s) float32 in [0, 1] of random rows, with replacement."""
        return self.rows(torch.randint(len(self.images), (count,), generator=generator).numpy())

    def rows(self, rows: np.ndarray | slice) -> torch.Tensor:
        """(b, c, s, s) float32 in [0, 1]."""
        return torch.from_numpy(np.array(self.images[rows])).float().div_(255)


def pictures(corpus: str, size: int, count: int, folder: Path, seed: int = 0) -> Pictures:
    """`count` items of a corpus, chosen at random under `seed` (all of them where there are fewer), as
    squares of `size`; kept in `folder`. A kind alone, as `dsprites`, is all of it.

    Pictures without colour have one channel. Raises UneError for a corpus without factors or attributes, or
    with a picture that can't be read.
    """
    opened = open_corpus(canonical(corpus))
    key = hashlib.sha256(f"{opened.name}/{size}/{count}/{seed}".encode()).hexdigest()[:12]
    images, factors = folder / f"images-{key}.npy", folder / f"factors-{key}.npz"
    if not factors.exists():
        folder.mkdir(parents=True, exist_ok=True)
        if isinstance(opened, Factored):
            drawn, values, names = _of_grid(opened, size, count, seed)
        else:
            drawn, values, names = _of_items(opened, size, count, seed)
        _write(drawn, values, names, images, factors)
    known = np.load(factors)
    return Pictures(
        images=np.load(images, mmap_mode="r"),
        factors=known["factors"],
        names=tuple(str(name) for name in known["names"]),
    )


def canonical(corpus: str) -> str:
    """A corpus by its full name: `dsprites` is `dsprites:all`. Raises UneError for what is none."""
    return open_corpus(corpus if ":" in corpus else f"{corpus}:all").name


Drawn: TypeAlias = "tuple[np.ndarray, np.ndarray, Sequence[str]]"
"""(n, s, s, 1 or 3) uint8 pictures, (n, f) factors, their names."""


def _of_grid(corpus: Factored, size: int, count: int, seed: int) -> Drawn:
    """Many at a time, without a detour by PNG."""
    every = corpus.indices()
    chosen = np.sort(every[_chosen(len(every), count, seed)])
    with Progress(len(chosen), f"pictures of {corpus.name}") as progress:
        parts = []
        for start in range(0, len(chosen), AT_A_TIME):
            parts.append(corpus.pictures(chosen[start : start + AT_A_TIME], size))
            progress.advance(len(parts[-1]), 0)
    return np.concatenate(parts), corpus.grid.factors_of(chosen), list(corpus.FACTORS)


def _of_items(corpus: Corpus, size: int, count: int, seed: int) -> Drawn:
    """One after another, as a lake reads them."""
    items = list(corpus.items())
    chosen = [items[row] for row in _chosen(len(items), count, seed)] if items else []
    names = sorted({name for item in chosen for name in item.factors})
    names = names or sorted({name for item in chosen for name in item.attributes})
    if not names or not getattr(corpus, "PICTURES", True):
        raise UneError(
            f"{corpus.name} has no pictures with factors or attributes; a corpus that has them: dsprites,"
            " shapes3d"
        )
    values = np.array([_values(item, names, corpus.name) for item in chosen])
    preprocessing = Preprocessing(size, "crop", resample="box")
    drawn = np.empty((len(chosen), size, size, 3), np.uint8)
    with Progress(len(chosen), f"pictures of {corpus.name}") as progress:
        for row, item in enumerate(chosen):
            try:
                drawn[row] = fit(decode(corpus.read(item.source)), preprocessing)
            except (Reject, OSError) as error:
                raise UneError(f"{item.image_id} of {corpus.name} can't be read: {error}") from error
            progress.advance(1, 0)
    is_grey = bool((drawn[..., :1] == drawn).all())
    return drawn[..., :1] if is_grey else drawn, values, names


def _values(item: Item, names: Sequence[str], corpus: str) -> list[int]:
    known = {**item.attributes, **item.factors}
    unknown = [name for name in names if known.get(name) is None]
    if unknown:
        raise UneError(
            f"{item.image_id} of {corpus} has no {', '.join(unknown)}, which other items have; every item"
            " needs the same factors or attributes"
        )
    return [int(known[name]) for name in names]


def _chosen(total: int, count: int, seed: int) -> np.ndarray:
    """Row numbers, rising."""
    return np.sort(np.random.default_rng(seed).choice(total, min(count, total), replace=False))


def _write(drawn: np.ndarray, values: np.ndarray, names: Sequence[str], images: Path, factors: Path) -> None:
    """Both files, each whole or not at all; that of the factors is last."""
    temporary = images.with_suffix(f".{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(drawn.transpose(0, 3, 1, 2)))
    os.replace(temporary, images)
    with temporary.open("wb") as file:
        np.savez(file, factors=values.astype(np.int64), names=np.array(names))
    os.replace(temporary, factors)
