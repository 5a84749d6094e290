"""Columns of the table `similarities`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, WHOLE, Table

# One measure of two spaces on n images: its value, and mean and deviation of the same on mixed-up pairs. The
# R² of maps (`orthogonal`, `ridge`, `cca-map`) go from source to target and stand both ways; the others are
# the same both ways and stand once, source before target in the alphabet.
TABLE = Table(
    "similarities",
    pa.schema(
        [
            ("source", TEXT),
            ("target", TEXT),
            ("measure", TEXT),
            ("n", WHOLE),
            ("draw", WHOLE),
            ("value", REAL),
            ("null_mean", REAL),
            ("null_sd", REAL),
            ("p_value", REAL),
            ("permutations", WHOLE),
            ("config", TEXT),
            ("source_fingerprint", TEXT),
            ("target_fingerprint", TEXT),
        ]
    ),
)
