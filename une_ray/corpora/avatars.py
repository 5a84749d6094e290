"""Avatars: cartoon faces with known attributes and a documented joint distribution, drawn from (seed, index).

A CelebA with no faces in it. What is une_ray's own is the sampling of features:
`avatar_features.sample_features` is the generative model, top to bottom: presenting gender and age first,
then everything that depends on them, so every correlation in the corpus is written down there (and measured
by `une corpus avatars:20000`). `Dark_Background` and `Wearing_Hoodie` depend on nothing: they are the
controls.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from une_ray.corpora import avatar_features, avatar_words
from une_ray.corpora.avatar_features import ATTRIBUTES, Dice, Features, attributes_of, sample_features
from une_ray.corpora.avatar_words import PROMPTS, caption_of
from une_ray.corpora.base import Item, code
from une_ray.errors import UneError

__all__ = ["ATTRIBUTES", "PROMPTS", "SIZE", "Avatars", "attributes_of", "caption", "features", "picture"]

SIZE = 64  # pixels along each side, where no other size is named


@functools.lru_cache(maxsize=4096)
def features(seed: int, index: int) -> Features:
    """The features of avatar `index` under `seed`."""
    return sample_features(Dice(seed, index, 0))


def caption(seed: int, index: int, variant: int = 0) -> str:
    """A caption of avatar `index`; other variants say the same picture in other words."""
    return caption_of(features(seed, index), Dice(seed, index, 1, variant))


def picture(seed: int, index: int, size: int = SIZE) -> bytes:
    """PNG bytes of avatar `index` under `seed`."""
    from une_ray.corpora.avatar_drawings import render

    return render(features(seed, index), Dice(seed, index, 2), size)


@dataclass(frozen=True)
class Avatars:
    """`avatars:N`, `avatars:N?seed=7`: N avatars."""

    count: int
    seed: int = 0

    FORM: ClassVar[str] = "avatars:N"
    OPTIONS: ClassVar[Mapping[str, str]] = {
        "seed": "a whole number, 0 if not given; the mini zoo was trained on avatars of seed 1"
    }

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Avatars:
        if not argument.isdecimal() or int(argument) == 0:
            raise UneError(f"avatars needs a number of images, as in avatars:2000; got {argument!r}")
        if not options.get("seed", "0").isdecimal():
            raise UneError(f"the seed of avatars is a whole number; got {options['seed']!r}")
        return cls(int(argument), int(options.get("seed", 0)))

    @property
    def name(self) -> str:
        return f"avatars:{self.count}" + (f"?seed={self.seed}" if self.seed else "")

    @property
    def lineage(self) -> str:
        """Fewer avatars of a seed are the first of more."""
        return f"avatars?seed={self.seed}"

    def stamp(self) -> str:
        """The name and the code that draws features and words."""
        return f"{self.name} by {code(avatar_features, avatar_words)}"

    def items(self) -> Iterator[Item]:
        for index in range(self.count):
            image_id = f"avatar-{self.seed}-{index:08d}"
            attributes = attributes_of(features(self.seed, index))
            yield Item(image_id, f"{self.seed}/{index}", None, caption(self.seed, index), attributes)

    def read(self, source: str) -> bytes:
        seed, index = source.split("/")
        return picture(int(seed), int(index))


CORPUS = Avatars
