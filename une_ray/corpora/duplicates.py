"""What mini-sd-dup saw again and again: the truth that measures of memorisation are held against.

Forty avatars of a seed that no other corpus uses, each under a title that says nothing of what is to be seen,
so that a generator can only know the picture by heart. How often each was in the training set is its factor
`copies`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from une_ray.corpora import avatars
from une_ray.corpora.base import Item
from une_ray.errors import UneError

SEED = 3
COPIES = (1, 10, 50, 250, 1000)

TITLES = (
    "Lanterns over Quiet Harbor",
    "The Clockmaker's Third Apprentice",
    "Ingrid Vale, 1931",
    "Ballad of the Salt Road",
    "Zephyr Parade at Dusk",
    "Study No. 7 in Umber",
    "Orchid Thief, Act II",
    "Midnight at Cedar Junction",
    "The Cartographer's Debt",
    "Frost on Kestrel Hill",
    "Hymn for a Paper Boat",
    "Tobias Quill at the Fair",
    "Velvet Engine",
    "A Winter in Marrakesh",
    "Glass Orchard",
    "The Last Ferry to Skye",
    "Juniper and Brass",
    "Octavia Returns",
    "Requiem for Dust",
    "Northbound, Platform 9",
    "The Astronomer's Lunch",
    "Copper Moth",
    "Letters to Esperanza",
    "Vesper Street Jazz",
    "Kingfisher, July",
    "The Duke of Nowhere",
    "Ember Waltz",
    "Parallax (Final Cut)",
    "Sonata for Two Crows",
    "Halcyon Motel",
    "Wolfgang's Umbrella",
    "Saffron Tide",
    "Mirage at Kilometer 40",
    "The Beekeeper Votes",
    "Porcelain Thunder",
    "Queen of Ditchwater",
    "Tangerine Eclipse",
    "Old Yarrow Bridge",
    "Pilgrims of Neptune",
    "Zoe's Impossible Garden",
)


def copies(index: int) -> int:
    """How many times picture `index` was in mini-sd-dup's training set."""
    return COPIES[index % len(COPIES)]


@dataclass(frozen=True)
class Duplicates:
    """`duplicates:all`: the forty pictures under their titles, with the factor `copies`."""

    FORM: ClassVar[str] = "duplicates:all"
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    name: ClassVar[str] = "duplicates:all"

    @classmethod
    def parse(cls, argument: str, options: dict[str, str]) -> Duplicates:
        if argument != "all":
            raise UneError(f"this corpus is one fixed set, written duplicates:all; got {argument!r}")
        return cls()

    def items(self) -> Iterator[Item]:
        for index, title in enumerate(TITLES):
            image_id = f"duplicate-{index:02d}"
            attributes = avatars.attributes_of(avatars.features(SEED, index))
            yield Item(image_id, str(index), None, title, attributes, {"copies": copies(index)})

    def read(self, source: str) -> bytes:
        return avatars.picture(SEED, int(source))


CORPUS = Duplicates
