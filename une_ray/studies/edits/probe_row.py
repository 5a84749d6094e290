"""A probe as an edit takes it: a row of the lake's `probes`, or one that was fitted for the edit alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from une_ray.errors import unknown


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeRow:
    """Weights `w` (d,) and `b` of one attribute's probe, or the `error` that left it without; `config`
    hashes all that decides it."""

    space: str
    attribute: str
    method: str
    config: str
    w: np.ndarray | None = None
    b: float = 0.0
    penalty: float | None = None
    rank: int | None = None
    error: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> ProbeRow:
        """Of a row of `probes`."""
        return cls(
            space=row["space"],
            attribute=row["attribute"],
            method=row["method"],
            config=row["config"],
            w=None if row["w"] is None else np.asarray(row["w"], np.float64),
            b=0.0 if row["b"] is None else row["b"],
            penalty=row["penalty"],
            rank=row["rank"],
            error=row["error"],
        )


def probe_row(rows: Mapping[str, ProbeRow], attribute: str) -> ProbeRow:
    """Raises UneError for an attribute that there is no row of, not even a refused one."""
    if attribute not in rows:
        raise unknown("attribute", attribute, rows)
    return rows[attribute]
