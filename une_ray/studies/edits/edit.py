"""What an edit takes from a lake (paper 1, Editing): directions from its probes and train images, and the images to edit."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import lru_cache

import duckdb
import numpy as np
import pyarrow as pa

from une_ray.errors import UneError, unknown
from une_ray.geometry.linear import METHODS
from une_ray.lake.latents import blocks, image_ids, labels_and_folds, matrix
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.studies.edits.baselines import BASELINES
from une_ray.studies.edits.directions import Direction
from une_ray.studies.edits.erasure import ERASURES, Nuisances, shrunk
from une_ray.studies.edits.move import PATHS

TRAIN_ROWS, SEED = 20_000, 0  # of so many scores the standard deviation is known to half a percent
INNER_PRODUCTS = ("plain", "covariance")
PROMPT = "prompt"  # the baseline that moves no latent: `editing.prompt`
QUERY = "query"  # the direction that the caller's SQL gives

SELECTED = """
    SELECT image_id FROM latents JOIN images USING (image_id) WHERE split = 'test' AND space IN (SELECT unnest($spaces))
    GROUP BY image_id HAVING count(DISTINCT space) = len($spaces) ORDER BY md5(image_id) LIMIT $images"""
LATENTS = "SELECT image_id, z FROM latents SEMI JOIN (SELECT unnest($images) AS image_id) USING (image_id) WHERE space = $space"


@dataclass(frozen=True)
class Edit:
    """One attribute of one space, moved by every α of `alphas`; 0 is always among them, since the round trip is the baseline.

    With `fit`, a `penalty` or a `rank` the probes are fitted to the train images anew; else they are the lake's own. `shrinkage`
    draws the latents' covariance towards its mean variance, `rounds` are those of iterative erasure. `query` is SQL that gives one more
    direction: a row with a list `w`, as long as the space's latents, and perhaps a number `b`.
    """

    space: str
    attribute: str
    keep: tuple[str, ...] = ()
    alphas: tuple[float, ...] = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
    method: str = "ridge"
    inner_product: str = "plain"
    baselines: tuple[str, ...] = ("random", "mean-difference", "permuted", PROMPT)
    fit: bool = False
    penalty: float | None = None
    rank: int | None = None
    shrinkage: float = 0.0
    erasure: str = "projection"
    rounds: int = 4
    path: str = "straight"
    query: str | None = None

    def __post_init__(self) -> None:
        for name in self.baselines:
            if name not in (*BASELINES, PROMPT):
                raise unknown("baseline", name, (*BASELINES, PROMPT))
        if self.inner_product not in INNER_PRODUCTS:
            raise unknown("inner product", self.inner_product, INNER_PRODUCTS)
        if self.erasure not in ERASURES:
            raise unknown("erasure", self.erasure, ERASURES)
        if self.path not in PATHS:
            raise unknown("path", self.path, PATHS)
        if self.fits and self.method not in METHODS:
            raise unknown("probe method", self.method, METHODS)
        if not 0 <= self.shrinkage <= 1:
            raise UneError(
                f"a shrinkage of {self.shrinkage:g}; it lies between 0, the covariance itself, and 1, its mean variance alone"
            )
        if not np.isfinite(self.alphas).all():
            raise UneError(
                f"doses {list(self.alphas)}: every one must be a finite number of standard deviations"
            )
        object.__setattr__(self, "alphas", tuple(sorted({0.0, *map(float, self.alphas)})))

    @property
    def fits(self) -> bool:
        return self.fit or self.penalty is not None or self.rank is not None

    @property
    def reading(self) -> str:
        """The method and what it was told, as `edits` and its tables name it: "ridge", "pca-logistic λ=1 rank=100"."""
        told = {"λ": self.penalty, "rank": self.rank}
        return " ".join(
            [self.method, *(f"{name}={value:g}" for name, value in told.items() if value is not None)]
        )

    @property
    def geometry(self) -> str:
        """The inner product and all that is unusual about the step: "plain", "covariance shrinkage=0.3", "plain leace shell"."""
        told = [f"shrinkage={self.shrinkage:g}"] if self.shrinkage else []
        told += (
            [f"iterative rounds={self.rounds}" if self.erasure == "iterative" else self.erasure]
            if self.erasure != "projection"
            else []
        )
        return " ".join([self.inner_product, *told, *([self.path] if self.path != "straight" else [])])

    @property
    def knobs(self) -> dict:
        """What departs from the defaults of how an edit is fitted and moved: part of what decides its rows."""
        return (
            {"knobs": told}
            if (
                told := {name: getattr(self, name) for name in KNOBS if getattr(self, name) != DEFAULTS[name]}
            )
            else {}
        )


DEFAULTS = {field.name: field.default for field in fields(Edit) if field.default is not MISSING}
KNOBS = (
    "fit",
    "penalty",
    "rank",
    "shrinkage",
    "erasure",
    "rounds",
    "path",
)  # of `query` the direction itself decides


@dataclass(frozen=True, eq=False)
class Train:
    """Train images of the edited space: latents `z` (n, d), the attribute's `labels` (n,) of 0, 1 or NaN where unknown, and their ids."""

    z: np.ndarray
    labels: np.ndarray
    image_ids: pa.Array


def directions(lake: Lake, edit: Edit, rows: dict[str, dict], train: Train) -> dict[str, Direction]:
    """`probe`, `orthogonalised` where something is kept, and the baselines, by name; `rows` are those of `readings`.

    Raises UneError where an attribute has no probe (with the reason of the refusal) and where the kept ones span the target.
    """
    readings = {name: Direction.from_probe(row(rows, name), train.z) for name in (edit.attribute, *edit.keep)}
    target, covariance = readings.pop(edit.attribute), None
    if edit.inner_product == "covariance" or (edit.keep and edit.erasure == "leace"):
        covariance = shrunk(np.cov(train.z.T, dtype=np.float64), edit.shrinkage)
    inner_product = covariance if edit.inner_product == "covariance" else None
    found = {"probe": target.keeping({}, inner_product)}
    if edit.keep:
        labels = labels_and_folds(lake, train.image_ids, list(edit.keep), [0])[0]
        nuisances = Nuisances(
            {name: reading.w for name, reading in readings.items()}, train.z, labels, covariance
        )
        found["orthogonalised"] = ERASURES[edit.erasure](target, nuisances, inner_product, edit.rounds)
    if edit.query:
        found[QUERY] = _queried(lake, edit, train)
    for name in edit.baselines:
        if name != PROMPT:
            found[name] = BASELINES[name](lake, found["probe"], train, rows[edit.attribute])
    return found


def _queried(lake: Lake, edit: Edit, train: Train) -> Direction:
    try:
        rows = connect(lake).sql(edit.query).to_arrow_table().to_pylist()
    except (duckdb.Error, AttributeError) as error:  # DuckDB gives None for a statement without rows
        raise UneError(f"the direction's SQL, {edit.query!r}, gives no rows: {error}") from error
    dim = train.z.shape[1]
    if len(rows) != 1 or not isinstance(w := rows[0].get("w"), list) or len(w) != dim:
        raise UneError(
            f"the direction's SQL, {edit.query!r}, gives {len(rows)} rows; it must be one, with a list w of {dim} numbers"
        )
    try:
        *w, b = np.array([*w, rows[0].get("b") or 0], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UneError(
            f"the direction's SQL, {edit.query!r}, gives a w or b that is not of numbers: {error}"
        ) from error
    if not np.isfinite([*w, b]).all():
        raise UneError(
            f"the direction's SQL, {edit.query!r}, gives a w or b with NULL, NaN or infinity in it"
        )
    return Direction.fitted(edit.space, edit.attribute, QUERY, np.array(w), b, train.z)


def row(rows: dict[str, dict], attribute: str) -> dict:
    if attribute not in rows:
        raise unknown("attribute", attribute, rows)
    return rows[attribute]


def train_rows(lake: Lake, space: str, attribute: str) -> Train:
    """All train images that have a latent, or TRAIN_ROWS of them drawn at random."""
    return _train_rows(lake, space, attribute, len(image_ids(lake, space)))


@lru_cache(maxsize=1)  # a sweep's trials share them, as long as the lake has as many `latents`
def _train_rows(lake: Lake, space: str, attribute: str, latents: int) -> Train:
    ids = image_ids(lake, space)
    labels, tested = labels_and_folds(lake, ids, [attribute], [0])
    chosen = np.flatnonzero(~tested[:, 0])
    if not len(chosen):
        raise UneError(
            f"space {space!r} of {lake.url} has no latents of train images, which doses are scaled by"
        )
    if len(chosen) > TRAIN_ROWS:
        chosen = np.sort(np.random.default_rng(SEED).choice(chosen, TRAIN_ROWS, replace=False))
    parts, begin = [], 0
    for block in blocks(lake, space):
        inside = chosen[(chosen >= begin) & (chosen < begin + len(block))]
        parts.append(block[inside - begin])
        begin += len(block)
    if begin != len(ids):
        raise UneError(
            f"space {space!r} of {lake.url} has grown from {len(ids)} to {begin} latents while they were read; une build is at it"
        )
    return Train(np.concatenate(parts), labels[chosen, 0], ids.take(pa.array(chosen)))


def selected(lake: Lake, spaces: list[str], images: int) -> list[str]:
    """Up to so many test images that all `spaces` have, in an order by a hash: fewer are the first of more. Raises where there are none."""
    query = connect(lake).execute(SELECTED, {"spaces": spaces, "images": images})
    if not (found := [image_id for (image_id,) in query.fetchall()]):
        raise UneError(
            f"no image of the test split has a latent in each of {', '.join(spaces)}; une build finishes them"
        )
    return found


def latents_of(lake: Lake, space: str, images: list[str]) -> dict[str, np.ndarray]:
    """z (d,) float32 of each of `images` in a space that has them all."""
    table = connect(lake).sql(LATENTS, params={"images": images, "space": space}).to_arrow_table()
    return dict(zip(table["image_id"].to_pylist(), matrix(table["z"], np.float32)))
