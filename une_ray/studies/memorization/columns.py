"""Columns of the table `memorization`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, VECTOR, WHOLE, Table

# One generated picture, held against its training picture, the plain sampling's of the same seed, and its
# prompt's other seeds by one metric, and its Mahalanobis distance to real pictures; `detectors` and, per
# class of tokens and step, `attention` are those of method "none" alone, and `picture` names the file of a
# first seed's.
TABLE = Table(
    "memorization",
    pa.schema(
        [
            ("model", TEXT),
            ("weights", TEXT),
            ("method", TEXT),
            ("settings", TEXT),
            ("steps", WHOLE),
            ("guidance_scale", REAL),
            ("prompt", TEXT),
            ("kind", TEXT),
            ("dose", WHOLE),
            ("seed", WHOLE),
            ("similarity", REAL),
            ("is_copy", pa.bool_()),
            ("threshold", REAL),
            ("similarity_unmitigated", REAL),
            ("alignment", REAL),
            ("diversity", REAL),
            ("distance_to_real", REAL),
            ("picture", TEXT),
            ("detectors", pa.map_(TEXT, REAL)),
            ("attention", pa.map_(TEXT, VECTOR)),
            ("seconds", REAL),
            ("peak_bytes", WHOLE),
            ("config", TEXT),
        ]
    ),
)
