"""Training pictures of the mini zoo: avatars of seed 1, rendered once into a memory-mapped array."""

from __future__ import annotations

import io
import multiprocessing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from une_ray.corpora import avatars

TRAINING_SEED = 1  # lakes default to seed 0, so no picture of a lake was ever trained on
HELD_OUT_SEED = 2  # what the evaluation measures on


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """`images` (n, 64, 64, 3) uint8 and the indices of the avatars they show."""

    images: np.ndarray
    indices: np.ndarray
    seed: int

    def captions(self, variant: int = 0) -> list[str]:
        """Caption number `variant` of every picture: same picture, other words."""
        return [avatars.caption(self.seed, int(i), variant) for i in self.indices]

    def attributes(self) -> np.ndarray:
        """(n, 26) bool, columns in `avatars.ATTRIBUTES` order."""
        rows = [avatars.attributes_of(avatars.features(self.seed, int(i))) for i in self.indices]
        return np.array([[row[name] for name in avatars.ATTRIBUTES] for row in rows])

    def half(self, which: str) -> Pictures:
        """'a': even indices, 'b': odd ones, 'all': everything."""
        keep = {"a": self.indices % 2 == 0, "b": self.indices % 2 == 1, "all": self.indices >= 0}[which]
        return self.rows(keep)

    def rows(self, rows: slice | np.ndarray) -> Pictures:
        """Some of them: a slice, row numbers or a mask."""
        return Pictures(images=self.images[rows], indices=self.indices[rows], seed=self.seed)


def pixels(png: bytes) -> np.ndarray:
    """(h, w, 3) uint8 of an encoded picture."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def _render(seed: int, index: int) -> np.ndarray:
    return pixels(avatars.picture(seed, index))


def pictures(count: int, seed: int, cache: Path) -> Pictures:
    """The first `count` avatars of `seed`, rendered on all cores and kept in `cache` for the next run."""
    path = cache / f"avatars-{seed}-{count}.npy"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        images = np.empty((count, avatars.SIZE, avatars.SIZE, 3), np.uint8)
        with multiprocessing.get_context("spawn").Pool() as pool:
            rendered = pool.imap(partial(_render, seed), range(count), chunksize=64)
            for index, image in enumerate(tqdm(rendered, total=count, desc="rendering avatars", unit="img")):
                images[index] = image
        partial_path = path.with_suffix(".partial.npy")
        np.save(partial_path, images)
        partial_path.replace(path)
    return Pictures(images=np.load(path, mmap_mode="r"), indices=np.arange(count), seed=seed)
