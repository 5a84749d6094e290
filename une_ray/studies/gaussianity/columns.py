"""Columns of the table `gaussianity`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, WHOLE, Table

# How many of a family's tests accept normality: `control` is NULL for the space itself, else the kind of
# data in its place. `components` is how many whitened norms are of, `left_out` how many
# latents are not, as another image of their picture or group may be.
TABLE = Table(
    "gaussianity",
    pa.schema(
        [
            ("space", TEXT),
            ("control", TEXT),
            ("unit", TEXT),
            ("test", TEXT),
            ("tests", WHOLE),
            ("rows", WHOLE),
            ("statistic", REAL),
            ("accepted", REAL),
            ("rejected_fdr", REAL),
            ("smallest_p", REAL),
            ("components", WHOLE),
            ("left_out", WHOLE),
            ("config", TEXT),
            ("space_fingerprint", TEXT),
        ]
    ),
)
