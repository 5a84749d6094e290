"""Columns of the table `disentanglement`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import FLAG, REAL, TEXT, WHOLE, Table

# One score of one set of coordinates of a space (`codes`: axes, pca, ica, probes). `control` is NULL for the
# coordinates themselves, 'rotated' for random rotations of them, 'permuted' for them beside other images'
# factors. low and high: of the coordinates, 95 % over images (delete-half jackknife); of rotations, the least
# and the largest; `draws` is how many of `unit` they are from. p_value: how often a rotation does as well.
# `labels` (factors, attributes) and `fast` (fewer rows, trees and batches) say what may be compared: rows of
# which both are equal.
TABLE = Table(
    "disentanglement",
    pa.schema(
        [
            ("space", TEXT),
            ("codes", TEXT),
            ("control", TEXT),
            ("metric", TEXT),
            ("score", REAL),
            ("low", REAL),
            ("high", REAL),
            ("unit", TEXT),
            ("draws", WHOLE),
            ("p_value", REAL),
            ("images", WHOLE),
            ("dim", WHOLE),
            ("labels", TEXT),
            ("factors", WHOLE),
            ("fast", FLAG),
            ("note", TEXT),
            ("config", TEXT),
            ("space_fingerprint", TEXT),
        ]
    ),
)
