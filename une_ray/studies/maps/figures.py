"""The figures of a fit as people read them: a mean over draws of anchors with half its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from une_ray.geometry.intervals import mean_margin

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
    def half(self) -> float:
        """Half a 95 % interval of the mean, by Student's t over draws; 0 of a single draw."""
        if self.sd is None:
            return 0.0
        return mean_margin(self.sd, self.draws)

    def text(self, digits: int = 3) -> str:
        """`0.798 ± 0.004`, with an asterisk where any orthogonal matrix would give it."""
        mark = "*" if self.any_orthogonal else ""
        return f"{self.value:.{digits}f} ± {self.half:.{digits}f}{mark}"


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
