"""The figures of a fit as people read them: a mean over draws of anchors with half its interval."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from une_ray.geometry.intervals import mean_margin

FEWEST = 3  # draws that an interval is given of

Key = tuple[str, bool]
"""(map, centred)"""

BEFORE: Key = ("identity", False)
CAPTIONS: Mapping[Key, str] = {
    BEFORE: "before: as they are",
    ("identity", True): "means alone",
    ("random", True): "random rotation",
    ("random", False): "random rotation, uncentred",
    ("relative", False): "relative representations",
    ("orthogonal", True): "orthogonal",
    ("orthogonal", False): "orthogonal, uncentred",
    ("ridge", True): "ridge",
    ("affine", True): "affine",
    ("mlp", True): "MLP",
}

ZERO_SHOT = ("mapped image, target text", "mapped image, mapped text", "target image, mapped text")

Column = tuple[str, str]
"""(of, metric)"""

IMAGES: Sequence[Column] = [
    ("images", metric) for metric in ("cosine", "centred cosine", "retrieval", "class retrieval")
]
TEXTS: Sequence[Column] = [
    ("texts", "cosine"),
    ("texts", "retrieval"),
    *(("zero-shot", f"AUC: {name}") for name in ZERO_SHOT),
]
SAID: Sequence[Column] = [
    ("captions", "cosine"),
    ("captions", "retrieval"),
    *(("captions", f"retrieval: {name}") for name in ZERO_SHOT),
]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A row of the view `map_figures`."""

    map: str
    centred: bool
    anchors: int
    classes_fitted: int | None
    of: str
    subset: str
    metric: str
    value: float
    sd: float | None
    draws: int
    items: int
    any_orthogonal: bool

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Figure:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})

    @property
    def key(self) -> Key:
        return self.map, self.centred

    @property
    def half(self) -> float | None:
        """Half a 95 % interval of the mean, by Student's t over draws; None of fewer than FEWEST, whose t is
        12.7 and whose interval therefore says nothing."""
        return None if self.sd is None or self.draws < FEWEST else mean_margin(self.sd, self.draws)

    def text(self, digits: int = 3) -> str:
        """`0.798 ± 0.004`, with an asterisk where any orthogonal matrix would give it."""
        margin = "" if self.half is None else f" ± {self.half:.{digits}f}"
        return f"{self.value:.{digits}f}{margin}{'*' if self.any_orthogonal else ''}"


def largest(figures: Iterable[Figure]) -> list[Figure]:
    """Those of the largest number of anchors, of all classes."""
    figures = [figure for figure in figures if figure.classes_fitted is None]
    most = max((figure.anchors for figure in figures), default=0)
    return [figure for figure in figures if figure.anchors == most]


def find(figures: Iterable[Figure], **wanted: object) -> Figure | None:
    """The first figure with these fields."""
    return next(
        (
            figure
            for figure in figures
            if all(getattr(figure, name) == value for name, value in wanted.items())
        ),
        None,
    )


def by_map(
    most: Sequence[Figure], columns: Sequence[Column], nothing: str = "–"
) -> Iterator[tuple[str, list[str]]]:
    """(caption, a text for each column) of every map that has a figure in one of them."""
    for (name, centred), caption in CAPTIONS.items():
        cells = [
            find(most, of=of, map=name, centred=centred, metric=metric, subset="all")
            for of, metric in columns
        ]
        if any(cells):
            yield caption, [cell.text() if cell else nothing for cell in cells]


def alone(most: Sequence[Figure], of: str, metric: str) -> dict[str, Figure]:
    """What the 'source' and the 'target' reach by themselves; empty where it was not asked."""
    found = {
        side: find(most, of=of, map="none", metric=f"{metric}: {side} alone") for side in ("source", "target")
    }
    return {side: figure for side, figure in found.items() if figure}
