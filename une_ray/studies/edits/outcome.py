"""What edits did, read back from the lake's `edits` as arrays, and the figures of `measures` on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np

from une_ray.geometry.frechet import frechet
from une_ray.studies.edits.measures import (
    Interval,
    bootstrap,
    changes,
    flip_rate,
    kendall,
    leakage,
    removed_leakage,
    slopes,
)

ORDER = ("probe", "orthogonalised", "query", "mean-difference", "prompt", "random", "permuted")

# Every image of an edit has every α, so that lists in the order of image and α are matrices.
EDITS = """
    WITH asked AS (SELECT * FROM edits WHERE $edits IS NULL OR edit IN (SELECT unnest($edits))),
    original AS (SELECT space AS judge, image_id, z AS original FROM latents SEMI JOIN asked ON latents.space = judge AND latents.image_id = asked.image_id)
    SELECT edit, judge, any_value(space) AS space, any_value(attribute) AS attribute, any_value(method) AS method,
        any_value(direction) AS direction, any_value(keep) AS keep, any_value(inner_product) AS inner_product,
        any_value(remaining_norm) AS remaining_norm, any_value(map_keys(scores)) AS attributes,
        list_distinct(list(alpha)) AS alphas, list(DISTINCT image_id ORDER BY image_id) AS images,
        list(map_values(scores) ORDER BY image_id, alpha) AS scores, list(identity ORDER BY image_id, alpha) AS identity,
        list(status <> 'ok' ORDER BY image_id, alpha) AS off_data, list(picture ORDER BY image_id, alpha) AS pictures,
        list(z ORDER BY image_id, alpha) AS z, list(original ORDER BY image_id, alpha) AS original
    FROM asked JOIN original USING (judge, image_id) GROUP BY edit, judge"""

CORRELATION = """
    SELECT list_transform($attributes, lambda name: phi[name]) FROM (
        SELECT map_from_entries(list((b.attribute, phi))) AS phi FROM (
            SELECT b.attribute, corr(a.value::INT, b.value::INT) AS phi FROM attributes a JOIN attributes b USING (image_id)
            WHERE a.attribute = $target GROUP BY b.attribute) b)"""


@dataclass(frozen=True, eq=False)
class Outcome:
    """One edit in one judge's eyes: `scores` (n, k, m) of n `images`, k judged `attributes` and m `alphas` in ascending order;
    `identity` and `off_data` (n, m); embeddings `z` (n, m, d) of the edited pictures and `original` (n, d) of the originals."""

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
    scores: np.ndarray
    identity: np.ndarray
    off_data: np.ndarray
    pictures: np.ndarray
    z: np.ndarray
    original: np.ndarray

    @classmethod
    def of(cls, row: dict) -> Outcome:
        n, alphas = len(row["images"]), np.sort(row.pop("alphas"))
        square = {
            name: np.array(row.pop(name)).reshape(n, len(alphas))
            for name in ("identity", "off_data", "pictures")
        }
        scores, z, original = (
            np.array(row.pop(name), float).reshape(n, len(alphas), -1) for name in ("scores", "z", "original")
        )
        row["keep"] = tuple(row["keep"])
        return cls(**row, **square, alphas=alphas, scores=scores.swapaxes(1, 2), z=z, original=original[:, 0])

    @property
    def target(self) -> int:
        return self.attributes.index(self.attribute)

    @property
    def before(self) -> np.ndarray:
        """(n, k) scores of the round trips."""
        return self.scores[:, :, np.flatnonzero(self.alphas == 0)[0]]

    @cached_property
    def changes(self) -> np.ndarray:
        """(n, k, m) in standard deviations over the round trips."""
        return changes(self.before, self.scores)

    @cached_property
    def slopes(self) -> np.ndarray:
        """(n, k) standard deviations judged per one applied."""
        return slopes(self.changes, self.alphas)

    @property
    def flips(self) -> np.ndarray:
        """(m,)"""
        return flip_rate(self.before[:, self.target], self.scores[:, self.target], self.alphas)

    @cached_property
    def quality(self) -> np.ndarray:
        """(m,) Fréchet distance of the edited pictures to the same images' originals; at α = 0 it is the round trip's."""
        return np.array([frechet(self.z[:, j], self.original) for j in range(len(self.alphas))])

    def summary(self) -> dict:
        """The figures of one line of a table; those "at" a dose are at the largest one and at the smallest."""
        effect, kept = (
            self.slopes[:, self.target].mean(),
            [self.attributes.index(name) for name in self.keep if name in self.attributes],
        )
        return {
            "attribute": self.attribute,
            "direction": self.direction,
            "judge": self.judge,
            "images": len(self.images),
            "effect": float(effect),
            "flips": self.flips[[0, -1]].tolist(),
            "leakage": leakage(self.slopes, self.target),
            "kept": float(np.abs(self.slopes[:, kept].mean(0)).max()) if kept else None,
            "order": float(kendall(self.scores[:, self.target]).mean()),
            "identity": self.identity.mean(0)[[0, -1]].tolist(),
            "quality": self.quality[[0, -1]].tolist(),
            "round_trip": (
                float(self.identity.mean(0)[self.alphas == 0][0]),
                float(self.quality[self.alphas == 0][0]),
            ),
            "off_data": dict(zip(self.alphas.tolist(), self.off_data.mean(0).tolist())),
        }


def outcomes(connection: duckdb.DuckDBPyConnection, edits: Sequence[str] | None = None) -> list[Outcome]:
    """The lake's edits, or those named by their hash: per space and attribute, judge by judge, directions in ORDER; of two images or more."""
    rows = (
        connection.sql(EDITS, params={"edits": None if edits is None else list(edits)})
        .to_arrow_table()
        .to_pylist()
    )
    found = [Outcome.of(row) for row in rows if len(row["images"]) > 1 and len(row["alphas"]) > 1]
    return sorted(
        found,
        key=lambda o: (
            o.space,
            o.attribute,
            o.judge,
            o.inner_product,
            o.method,
            ORDER.index(o.direction),
            o.keep,
            o.edit,
        ),
    )


def removed(connection: duckdb.DuckDBPyConnection, plain: Outcome, kept: Outcome) -> Interval | None:
    """Share of the leakage which the labels' correlation predicts that orthogonalisation removed, with its interval over images.

    None where the two were not of the same images, or no other label correlates with the target's."""
    if plain.images != kept.images:
        return None
    ((phi,),) = connection.execute(
        CORRELATION, {"attributes": plain.attributes, "target": plain.attribute}
    ).fetchall()
    correlation = np.array([0.0 if value is None or value != value else value for value in phi or []])
    if not np.delete(correlation, plain.target).any():
        return None
    return bootstrap(lambda a, b: removed_leakage(a, b, correlation, plain.target), plain.slopes, kept.slopes)


def three_digits(value: float) -> str:
    """A Fréchet distance for people: its unit is the judge's, so it may be of any size."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
