"""What corpora over a grid of factors share: all items or a subsample, drawn or out of a published file."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np

from une_ray.corpora.base import Item
from une_ray.corpora.factor_grid import STRONGEST, FactorGrid
from une_ray.corpora.files import absolute
from une_ray.corpora.published import Published
from une_ray.errors import UneError

ITEMS_AT_A_TIME = 4096


class Drawings(Protocol):
    """A module that draws every combination of `FACTORS`, whose `shape` numbers `SHAPES`."""

    @property
    def FACTORS(self) -> Mapping[str, int]:
        """Each factor and how many values it has."""

    @property
    def SHAPES(self) -> tuple[str, ...]:
        """Names of the values of `shape`."""

    def render(self, factors: np.ndarray, size: int = 64) -> np.ndarray:
        """(n, size, size, c) uint8 of factors (n, f); `size` divides 64."""


@dataclass(frozen=True, kw_only=True)
class Factored:
    """Pictures that a few factors decide wholly; a subclass names the module that draws them.

    `count` items of the grid in random order, or all in the published order where it is None. `path` is a
    published file to take the pictures from instead of drawing them.
    """

    count: int | None = None
    seed: int = 0
    correlation: float = 0.0
    pair: tuple[str, str] | None = None
    path: str | None = None

    KIND: ClassVar[str]
    DRAWINGS: ClassVar[Drawings]
    PAIR: ClassVar[tuple[str, str]]
    FACTORS: ClassVar[Mapping[str, int]]  # those of DRAWINGS

    OPTIONS: ClassVar[Mapping[str, str]] = {
        "seed": "a whole number, 0 if not given: which items, of a subsample",
        "items": "how many items of a published file; all if not given",
        "correlation": f"−{STRONGEST} to {STRONGEST}, 0 if not given: of the normal scores of two factors"
        " of a subsample (a Gaussian copula; each factor's own values stay equally frequent)",
        "pair": "those two factors, comma-separated",
    }

    def __init_subclass__(cls) -> None:
        cls.FACTORS = cls.DRAWINGS.FACTORS

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Self:
        count, path = cls._what(argument, options)
        seed, correlation = options.get("seed", "0"), options.get("correlation", "0")
        if not seed.isdecimal():
            raise UneError(f"the seed of {cls.KIND} is a whole number; got {seed!r}")
        pair = tuple(name for name in options.get("pair", "").split(",") if name)
        try:
            strength = float(correlation)
        except ValueError:
            strength = np.nan
        if not abs(strength) <= STRONGEST:
            raise UneError(f"a correlation is −{STRONGEST} to {STRONGEST}; got {correlation!r}")
        if "pair" in options and (len(pair) != 2 or not strength):
            raise UneError(
                f"a pair is two factors and needs a correlation, as"
                f" ?correlation=0.9&pair={','.join(cls.PAIR)}; got {options['pair']!r}"
            )
        both = ((pair[0], pair[1]) if pair else cls.PAIR) if strength else None
        if count is None and (both or "seed" in options):
            raise UneError(
                f"the whole grid has no seed and no correlation; take a part of it, as {cls.KIND}:20000"
            )
        corpus = cls(count=count, seed=int(seed), correlation=strength, pair=both, path=path)
        corpus.indices()  # what the grid can't give is refused now
        return corpus

    @classmethod
    def _what(cls, argument: str, options: dict[str, str]) -> tuple[int | None, str | None]:
        """How many items, None for all, and the published file, None where pictures are drawn."""
        from_file = argument != "all" and not argument.isdecimal()
        if "items" in options and not from_file:
            raise UneError(f"?items= is for a published file; write {cls.KIND}:{options['items']}")
        count = options.get("items") if from_file else None if argument == "all" else argument
        if not argument or (count is not None and not (count.isdecimal() and int(count))):
            raise UneError(
                f"{cls.KIND} needs a number of items, all, or a published file, as in {cls.KIND}:20000;"
                f" got {count or argument!r}"
            )
        return None if count is None else int(count), absolute(argument) if from_file else None

    @property
    def grid(self) -> FactorGrid:
        """All combinations; an item's index is its place in the published order."""
        return FactorGrid(self.FACTORS)

    @property
    def name(self) -> str:
        options = {
            "items": self.count if self.path else None,
            "seed": self.seed or None,
            "correlation": f"{self.correlation:g}" if self.pair else None,
            "pair": ",".join(self.pair) if self.pair and self.pair != self.PAIR else None,
        }
        said = "&".join(f"{option}={value}" for option, value in options.items() if value is not None)
        what = self.path or ("all" if self.count is None else self.count)
        return f"{self.KIND}:{what}" + (f"?{said}" if said else "")

    def indices(self) -> np.ndarray:
        """(n,) int64: which items of the grid, in the corpus' order."""
        if self.count is None:
            return np.arange(len(self.grid))
        return _subsample(tuple(self.FACTORS.items()), self.count, self.seed, self.correlation, self.pair)

    def factors(self) -> np.ndarray:
        """(n, f) int64: the items' factors, in the order of `FACTORS`."""
        return self.grid.factors_of(self.indices())

    def pictures(self, indices: np.ndarray, size: int = 64) -> np.ndarray:
        """(n, size, size, c) uint8: the pictures of items of the grid. `size` divides 64. Raises UneError for
        items that there are not."""
        if self.path is None:
            return self.DRAWINGS.render(self.grid.factors_of(indices), size)
        from une_ray.corpora.sizes import resized

        return resized(self._published().pictures(np.asarray(indices)), size)

    def items(self) -> Iterator[Item]:
        indices = self.indices()
        if self.path is not None:
            self._published()  # a file that is not the published one is refused before the first item
        for start in range(0, len(indices), ITEMS_AT_A_TIME):
            some = indices[start : start + ITEMS_AT_A_TIME]
            for index, values in zip(some.tolist(), self.grid.factors_of(some).tolist()):
                image_id = f"{self.KIND}-{index:06d}"
                factors = dict(zip(self.FACTORS, values))
                yield Item(image_id, str(index), None, None, self.attributes_of(factors), factors)

    @classmethod
    def attributes_of(cls, factors: Mapping[str, int]) -> dict[str, bool]:
        """True and false of an item: each shape by its name, and of any other factor whether it is in the
        upper half of its values."""
        shapes = {
            name.capitalize(): factors["shape"] == value for value, name in enumerate(cls.DRAWINGS.SHAPES)
        }
        high = {
            f"{name.title()}_High": 2 * factors[name] >= size
            for name, size in cls.FACTORS.items()
            if name != "shape"
        }
        return {**shapes, **high}

    def read(self, source: str) -> bytes:
        """PNG bytes of 64 × 64 pixels, grey of one channel and RGB of three."""
        from PIL import Image

        (picture,) = self.pictures(np.array([int(source)]))
        png = io.BytesIO()
        Image.fromarray(picture.squeeze()).save(png, "PNG", compress_level=1)
        return png.getvalue()

    def _published(self) -> Published:
        from une_ray.corpora.published import opened

        assert self.path is not None
        return opened(self.path, tuple(self.FACTORS.items()))


@functools.lru_cache(maxsize=8)
def _subsample(
    sizes: tuple[tuple[str, int], ...],
    count: int,
    seed: int,
    correlation: float,
    pair: tuple[str, str] | None,
) -> np.ndarray:
    indices = FactorGrid(dict(sizes)).subsample(count, seed, correlation=correlation, pair=pair)
    indices.setflags(write=False)
    return indices
