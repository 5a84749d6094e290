"""Maps that `une map fit` left in a lake, applied again from their numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from une_ray.geometry.arrays import AnyFloats, Floats
from une_ray.geometry.unit import unit_rows
from une_ray.lake import results
from une_ray.lake.layout import Lake

STORED = """SELECT * FROM maps WHERE source = ? AND target = ? AND map = ? AND centred = ? AND split_seed = ?
    AND source_fingerprint = ? AND target_fingerprint = ?
    ORDER BY copies IS NULL, train DESC, config LIMIT 1"""


@dataclass(frozen=True, kw_only=True, eq=False)
class StoredMap:
    """A row of the table `maps`, as numbers: see the study `maps`."""

    normalised: bool
    scale: float
    target_norm: float
    source_mean: Floats
    target_mean: Floats
    matrix: Floats

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> StoredMap:
        matrix = np.array(row["matrix"], np.float64).reshape(row["target_dim"], row["source_dim"]).T
        return cls(
            normalised=row["normalised"],
            scale=row["scale"],
            target_norm=row["target_norm"],
            source_mean=np.array(row["source_mean"], np.float64),
            target_mean=np.array(row["target_mean"], np.float64),
            matrix=matrix,
        )

    def __call__(self, z: AnyFloats) -> Floats:
        """(n, target dim) of latents (n, source dim), in the target's own scale."""
        rows = unit_rows(z) if self.normalised else np.asarray(z, np.float64)
        mapped = self.scale * ((rows - self.source_mean) @ self.matrix) + self.target_mean
        return self.target_norm * mapped if self.normalised else mapped

    def to_row(self) -> dict[str, Any]:
        """Columns of `maps`, with a hash of all numbers."""
        flat = np.ascontiguousarray(self.matrix.T).ravel()
        digest = hashlib.sha256(np.array([self.normalised, self.scale, self.target_norm]).tobytes())
        for numbers in (self.source_mean, self.target_mean, flat):
            digest.update(np.ascontiguousarray(numbers).tobytes())
        return {
            "normalised": self.normalised,
            "scale": self.scale,
            "target_norm": self.target_norm,
            "source_mean": self.source_mean,
            "target_mean": self.target_mean,
            "matrix": flat,
            "source_dim": self.matrix.shape[0],
            "target_dim": self.matrix.shape[1],
            "sha256": digest.hexdigest(),
        }


def find_map(
    lake: Lake, source: str, target: str, map: str, centred: bool = True, split_seed: int = 0
) -> dict[str, Any] | None:
    """The row of the table `maps` that was fitted on these very spaces, of the most train images; None where
    there is none."""
    known = lake.fingerprints()
    prints = [results.config_hash(known[space]) for space in (source, target)]
    found = lake.session.sql(STORED, params=[source, target, map, centred, split_seed, *prints])
    return next(iter(found.to_arrow_table().to_pylist()), None)
