"""What an edit is: which attribute of which space is moved how far, along which directions, and what
stays."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from une_ray.errors import UneError, refuse_empty, unknown
from une_ray.geometry.linear import METHODS
from une_ray.studies.edits.registries import BASELINES, ERASURES, PATHS, STEERINGS
from une_ray.studies.edits.train_rows import TOGETHER

INNER_PRODUCTS = ("plain", "covariance")
QUERY = "query"  # the direction that the caller's SQL gives


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One attribute of one space, moved by every α of `alphas`; 0 is always among them, since the round
    trip is the baseline.

    `attribute` may be several, as in `Smiling+Eyeglasses`: one direction then moves them together. With
    `fit`, a `penalty` or a `rank` the probes are fitted to the train images anew; else they are the lake's
    own. `shrinkage` draws the latents' covariance towards its mean variance, `rounds` are those of
    iterative erasure. `baselines` are names of baselines and of steerings. `query` is SQL that gives one
    more direction: a row with a list `w`, as long as the space's latents, and perhaps a number `b`. `shared`
    is a shared space that this one is a view of: its probe's edit, carried back, is one more direction,
    beside random ones of that space. Raises UneError for settings that mean nothing."""

    space: str
    attribute: str
    keep: tuple[str, ...] = ()
    alphas: tuple[float, ...] = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
    method: str = "ridge"
    inner_product: str = "plain"
    baselines: tuple[str, ...] = ("random", "mean-difference", "permuted", "prompt")
    fit: bool = False
    penalty: float | None = None
    rank: int | None = None
    shrinkage: float = 0.0
    erasure: str = "projection"
    rounds: int = 4
    path: str = "straight"
    query: str | None = None
    shared: str | None = None

    def __post_init__(self) -> None:
        for name in self.baselines:
            if name not in BASELINES and name not in STEERINGS:
                raise unknown("baseline", name, (*BASELINES.names(), *STEERINGS.names()))
        if self.inner_product not in INNER_PRODUCTS:
            raise unknown("inner product", self.inner_product, INNER_PRODUCTS)
        if self.erasure not in ERASURES:
            raise unknown("erasure", self.erasure, ERASURES.names())
        if self.path not in PATHS:
            raise unknown("path", self.path, PATHS.names())
        if self.fits and self.method not in METHODS:
            raise unknown("probe method", self.method, METHODS)
        if not 0 <= self.shrinkage <= 1:
            raise UneError(
                f"a shrinkage of {self.shrinkage:g}; it lies between 0, the covariance itself, and 1, "
                "its mean variance alone"
            )
        refuse_empty(self.alphas, "dose", "the usual ones")
        if not np.isfinite(self.alphas).all():
            raise UneError(
                f"doses {list(self.alphas)}: every one must be a finite number of standard deviations"
            )
        if not any(self.alphas):
            raise UneError("dose 0 is the round trip, which every edit has: name others, as in -2,2")
        parts = [part for part in self.attribute.split(TOGETHER) if part]  # C++ is one attribute
        if len(set(parts)) < len(parts) or set(parts) & set(self.keep):
            raise UneError(
                f"{self.attribute} keeping {', '.join(self.keep) or 'nothing'} names an attribute twice; "
                "name each once"
            )
        object.__setattr__(self, "keep", tuple(self.keep))
        object.__setattr__(self, "alphas", tuple(sorted({0.0, *map(float, self.alphas)})))

    @property
    def fits(self) -> bool:
        return self.fit or self.penalty is not None or self.rank is not None

    @property
    def probe(self) -> str:
        """The method and its settings, as `edits` and its tables name it: "ridge", "pca-logistic λ=1
        rank=100"."""
        settings = {"λ": self.penalty, "rank": self.rank}
        return " ".join(
            [self.method, *(f"{name}={value:g}" for name, value in settings.items() if value is not None)]
        )

    @property
    def geometry(self) -> str:
        """The inner product and all that is unusual about the step: "plain", "covariance shrinkage=0.3",
        "plain leace shell"."""
        words = [self.inner_product]
        if self.shrinkage:
            words.append(f"shrinkage={self.shrinkage:g}")
        if self.erasure != DEFAULTS["erasure"]:
            repeats = ERASURES.find(self.erasure).repeats
            words.append(f"{self.erasure} rounds={self.rounds}" if repeats else self.erasure)
        if self.path != DEFAULTS["path"]:
            words.append(self.path)
        return " ".join(words)

    @property
    def knobs(self) -> dict[str, Any]:
        """What departs from the defaults of how an edit is fitted and moved: part of what decides its
        rows."""
        return {name: getattr(self, name) for name in KNOBS if getattr(self, name) != DEFAULTS[name]}


DEFAULTS: dict[str, Any] = {
    field.name: field.default for field in fields(Edit) if field.default is not MISSING
}
KNOBS = (
    "fit",
    "penalty",
    "rank",
    "shrinkage",
    "erasure",
    "rounds",
    "path",
)  # of `query` and `shared` the direction decides
