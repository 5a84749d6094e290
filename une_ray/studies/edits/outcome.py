"""What edits did, read back from the lake's `edits` as arrays, and the figures of `measures` on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

import duckdb
import numpy as np

from une_ray.geometry.kernel_distance import KernelDistance, kernel_distance
from une_ray.studies.edits.measures import (
    RemovedLeakage,
    changes,
    flip_rate,
    flippable,
    kendall,
    leakage,
    leakage_of_one,
    mean_margin,
    removed_leakage,
    slopes,
)
from une_ray.studies.edits.train_rows import targets_of

FEWEST_OF_KID = 16  # images whose kernel distance is shown

ORDER = (
    *("probe", "orthogonalised", "query", "shared", "mean-difference", "hspace", "prompt"),
    *("random", "random-shared", "hspace-random", "permuted"),
)

# Every image of an edit has every α, so that lists in the order of image and α are matrices.
EDITS = """
    WITH wanted AS (
        SELECT * FROM edits WHERE ($edits IS NULL OR edit IN (SELECT unnest($edits)))
            AND ($images IS NULL OR image_id IN (SELECT unnest($images)))
            AND scales IS NOT NULL),  -- those of earlier versions have no unit
    original AS (
        SELECT space AS judge, image_id, z AS original FROM latents
        SEMI JOIN wanted ON latents.space = judge AND latents.image_id = wanted.image_id)
    SELECT edit, judge, any_value(space) AS space, any_value(attribute) AS attribute,
        any_value(attribute) IN (SELECT DISTINCT a.attribute FROM attributes a) AS is_one,
        any_value(method) AS method,
        any_value(direction) AS direction, any_value(keep) AS keep, any_value(inner_product) AS inner_product,
        any_value(remaining_norm) AS remaining_norm, any_value(map_keys(scores)) AS attributes,
        any_value(map_values(scales)) AS scales,
        list_distinct(list(alpha)) AS alphas, list(DISTINCT image_id ORDER BY image_id) AS images,
        list(map_values(scores) ORDER BY image_id, alpha) AS scores,
        list(identity ORDER BY image_id, alpha) AS identity,
        list(status <> 'ok' ORDER BY image_id, alpha) AS off_data,
        list(picture ORDER BY image_id, alpha) AS pictures,
        list(z ORDER BY image_id, alpha) AS z, list(original ORDER BY image_id, alpha) AS original
    FROM wanted JOIN original USING (judge, image_id) GROUP BY edit, judge"""

CORRELATION = """
    SELECT list_transform($attributes, lambda name: phi[name]) FROM (
        SELECT map_from_entries(list((b.attribute, phi))) AS phi FROM (
            SELECT b.attribute, corr(a.value::INT, b.value::INT) AS phi
            FROM attributes a JOIN attributes b USING (image_id)
            WHERE a.attribute = $target GROUP BY b.attribute) b)"""


class Summary(TypedDict):
    """The figures of one direction in one judge's eyes. Pairs are at the smallest dose and at the largest,
    `round_trip` is identity and quality at none; `kept` is None where nothing was, `off_data` the share of
    the images by dose."""

    attribute: str
    direction: str
    judge: str
    images: int
    effect: float
    effect_margin: float
    flips: list[float]
    flips_of: list[int]
    leakage: float
    leakage_of_one: float
    kept: float | None
    order: float
    identity: list[float]
    quality: list[KernelDistance]
    round_trip: tuple[float, KernelDistance]
    real: KernelDistance
    off_data: dict[float, float]


@dataclass(frozen=True, eq=False)
class Outcome:
    """One edit in one judge's eyes: `scores` (n, k, m) of n `images`, k judged `attributes` and m `alphas`
    in ascending order; `identity` and `off_data` (n, m); embeddings `z` (n, m, d) of the edited pictures
    and `original` (n, d) of the originals; `scales` (k,) are the scores' standard deviations over the judge's
    train images."""

    edit: str
    judge: str
    space: str
    attribute: str
    method: str
    direction: str
    keep: tuple[str, ...]
    inner_product: str
    remaining_norm: float
    images: list[str]
    attributes: list[str]
    alphas: np.ndarray
    scales: np.ndarray
    scores: np.ndarray
    identity: np.ndarray
    off_data: np.ndarray
    pictures: np.ndarray
    z: np.ndarray
    original: np.ndarray
    is_one: bool = False  # attribute of the corpus, whatever its name

    @classmethod
    def of(cls, row: dict[str, Any]) -> Outcome:
        """Of a row of EDITS."""
        alphas = np.sort(row["alphas"])
        shape = len(row["images"]), len(alphas)
        arrays: dict[str, Any] = {
            name: np.array(row[name]).reshape(shape) for name in ("identity", "off_data", "pictures")
        }
        arrays |= {
            name: np.array(row[name], float).reshape(*shape, -1) for name in ("scores", "z", "original")
        }
        arrays["scores"] = arrays["scores"].swapaxes(1, 2)
        arrays["original"] = arrays["original"][:, 0]
        arrays["scales"] = np.array(row["scales"], float)
        return cls(**row | arrays | {"alphas": alphas, "keep": tuple(row["keep"])})

    @property
    def target(self) -> int:
        """Of several attributes that are moved together it is the judge's score of them all."""
        return self.attributes.index(self.attribute)

    @property
    def moved(self) -> list[int]:
        """The target, and with it the single attributes that were moved together: a change of theirs is no
        leakage."""
        others = set(self.attributes) - {self.attribute}
        singles = () if self.is_one else set(targets_of(self.attribute, others)) & others
        return [self.target, *sorted(self.attributes.index(name) for name in singles)]

    @property
    def before(self) -> np.ndarray:
        """(n, k) scores of the round trips."""
        return self.scores[:, :, np.flatnonzero(self.alphas == 0)[0]]

    @cached_property
    def changes(self) -> np.ndarray:
        """(n, k, m) in standard deviations over the judge's train images."""
        return changes(self.before, self.scores, self.scales)

    @cached_property
    def slopes(self) -> np.ndarray:
        """(n, k) standard deviations judged per one applied."""
        return slopes(self.changes, self.alphas)

    @property
    def moves(self) -> bool:
        """Whether the effect's interval lies clear of 0; if not, what is per effect is noise over noise."""
        effects = self.slopes[:, self.target]
        return bool(abs(effects.mean()) > mean_margin(effects))

    @property
    def flips(self) -> np.ndarray:
        """(m,)"""
        return flip_rate(self.before[:, self.target], self.scores[:, self.target], self.alphas)

    @property
    def flips_of(self) -> np.ndarray:
        """(m,) how many images that is a share of."""
        return flippable(self.before[:, self.target], self.alphas)

    @cached_property
    def quality(self) -> list[KernelDistance]:
        """(m) kernel distances of the edited pictures to the same images' originals; at α = 0 it is the round
        trip's."""
        return [kernel_distance(self.z[:, j], self.original, paired=True) for j in range(len(self.alphas))]

    @cached_property
    def real(self) -> KernelDistance:
        """That of one half of the originals to the other: what chance makes of it."""
        return kernel_distance(self.original[::2], self.original[1::2])

    def summary(self) -> Summary:
        """The figures of one line of a table; pairs are at the smallest dose and at the largest."""
        effect = self.slopes[:, self.target].mean()
        keep = [self.attributes.index(name) for name in self.keep if name in self.attributes]
        return {
            "attribute": self.attribute,
            "direction": self.direction,
            "judge": self.judge,
            "images": len(self.images),
            "effect": float(effect),
            "effect_margin": mean_margin(self.slopes[:, self.target]),
            "flips": self.flips[[0, -1]].tolist(),
            "flips_of": self.flips_of[[0, -1]].tolist(),
            "leakage": leakage(self.slopes, self.moved),
            "leakage_of_one": leakage_of_one(self.slopes, self.moved),
            "kept": float(np.abs(self.slopes[:, keep].mean(0)).max()) if keep else None,
            "order": float(kendall(self.scores[:, self.target]).mean()),
            "identity": self.identity.mean(0)[[0, -1]].tolist(),
            "quality": [self.quality[0], self.quality[-1]],
            "round_trip": (
                float(self.identity.mean(0)[self.alphas == 0][0]),
                self.quality[int(np.flatnonzero(self.alphas == 0)[0])],
            ),
            "real": self.real,
            "off_data": dict(zip(self.alphas.tolist(), self.off_data.mean(0).tolist())),
        }


def outcomes(
    connection: duckdb.DuckDBPyConnection,
    edits: Sequence[str] | None = None,
    image_ids: Sequence[str] | None = None,
) -> list[Outcome]:
    """The lake's edits, or those named by their hash, of all their images, or of some; of two images or more.

    Per space and attribute, judge by judge, directions in ORDER.
    """
    rows = connection.sql(EDITS, params={"edits": _list(edits), "images": _list(image_ids)}).to_arrow_table()
    results = [
        Outcome.of(row) for row in rows.to_pylist() if len(row["images"]) > 1 and len(row["alphas"]) > 1
    ]
    return sorted(
        results,
        key=lambda one: (
            one.space,
            one.attribute,
            one.judge,
            one.inner_product,
            one.method,
            ORDER.index(one.direction) if one.direction in ORDER else len(ORDER),
            one.direction,
            one.keep,
            one.edit,
        ),
    )


def _list(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def removed(connection: duckdb.DuckDBPyConnection, plain: Outcome, kept: Outcome) -> RemovedLeakage | None:
    """What orthogonalisation did to the leakage, and to the part of it that the labels' correlation predicts.

    None where the two were not of the same images, or no other label correlates with the target's."""
    if plain.images != kept.images:
        return None
    ((phi,),) = connection.execute(
        CORRELATION, {"attributes": plain.attributes, "target": plain.attribute}
    ).fetchall()
    correlation = np.nan_to_num(np.array([0.0 if value is None else value for value in phi or []]))
    if not np.delete(correlation, plain.target).any():
        return None
    return removed_leakage(plain.slopes, kept.slopes, correlation, plain.target)


def within(distance: KernelDistance, images: int) -> str:
    """A kernel distance for people: its unit is the judge's, so it may be of any size. Nothing of a few
    images, whose interval is many times the value."""
    is_known = images >= FEWEST_OF_KID and not np.isnan(distance.value)
    return f"{distance.value:.3g} ± {distance.margin:.2g}" if is_known else "–"
