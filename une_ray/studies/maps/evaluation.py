"""What a fitted map is asked: paper 2's figures, and which of them any orthogonal matrix would give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from une_ray.geometry.arrays import Floats
from une_ray.geometry.pairing import class_retrieval, item_retrieval, paired_cosine
from une_ray.geometry.peers import FittedMap
from une_ray.studies.maps.classes import NO_CLASS


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Rows of both spaces, (n, d_a) and (n, d_b) of unit length, the class of each item (n,), and its labels
    (n, attributes): 0, 1 or NaN."""

    a: Floats
    b: Floats
    classes: np.ndarray
    labels: Floats

    def of(self, chosen: np.ndarray) -> Pairs:
        """Some of the items, by number or by mask."""
        return Pairs(
            a=self.a[chosen],
            b=self.b[chosen],
            classes=self.classes[chosen],
            labels=self.labels[chosen],
        )

    def __len__(self) -> int:
        return len(self.a)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of one map, of 'images', 'texts', 'captions', 'zero-shot' or the 'maps' themselves; and of
    all items or those of 'seen' or 'unseen' classes."""

    of: str
    metric: str
    value: float
    items: int
    subset: str = "all"
    any_orthogonal: bool = False


def image_figures(fitted: FittedMap, test: Pairs, centre: Floats, subset: str = "all") -> Iterator[Figure]:
    """Of test images: cosine with and without the target's train mean `centre` (d_b,), and retrieval.

    Where both sides come into a third space there is no centre to subtract.
    """
    mapped, true = fitted.source(test.a), fitted.target(test.b)
    values: dict[str, float | None] = {"cosine": paired_cosine(mapped, true)}
    if fitted.in_target:
        values["centred cosine"] = paired_cosine(mapped - centre, true - centre)
    values["retrieval"] = item_retrieval(mapped, true)
    known = test.classes != NO_CLASS
    numbers, classes = np.unique(test.classes[known], return_inverse=True)
    if len(numbers) > 1:
        values["class retrieval"] = class_retrieval(mapped[known], true[known], classes)
    for metric, value in values.items():
        if value is not None:
            items = int(known.sum()) if metric == "class retrieval" else len(test)
            yield Figure(of="images", metric=metric, value=value, items=items, subset=subset)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What every fitted map is asked beside images: the figures of one map, and those of no map at all."""

    mapped: Callable[[FittedMap], Iterator[Figure]]
    alone: Callable[[], Iterator[Figure]]


def text_space(space: str) -> str:
    """What the texts of a model are called: `mini-clip-a/text` beside `mini-clip-a`."""
    return f"{space}/text"


def any_orthogonal_gives(fitted: FittedMap) -> bool:
    """Whether every orthogonal matrix in this one's place would keep cosines between mapped rows as they are:
    about no mean, and of as many dimensions as the source, so into a space that is no narrower and by anchors
    that span it. Of fewer anchors the map keeps the part that they span, which is their doing."""
    found = fitted.orthogonal
    return found is not None and fitted.fitted_about is None and found.rank == found.q.shape[0]


def paired_figures(of: str, mapped: Floats, true: Floats) -> Iterator[Figure]:
    """Of mapped rows (n, d) and what they should be: cosine with and without the mean, and retrieval."""
    centre = true.mean(0)
    for metric, value in (
        ("cosine", paired_cosine(mapped, true)),
        ("centred cosine", paired_cosine(mapped - centre, true - centre)),
        ("retrieval", item_retrieval(mapped, true)),
    ):
        yield Figure(of=of, metric=metric, value=value, items=len(true))
