"""Columns of the table `seeds`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import TEXT, WHOLE, Table

# What one seed of a space that is a mean over seeds was, one row per space × prompt × seed: written by
# une build, for intervals over seeds.
SEEDS = Table(
    "seeds",
    pa.schema(
        [
            ("space", TEXT),
            ("image_id", TEXT),
            ("seed", WHOLE),
            ("z", pa.list_(pa.float32())),
            ("config", TEXT),
            ("space_fingerprint", TEXT),
        ]
    ),
)

TABLES = (SEEDS,)
