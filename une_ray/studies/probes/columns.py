"""Columns of the table `probes`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, VECTOR, WHOLE, Table

# A linear reading of one attribute in one space: score = z·w + b, positive above zero, probability = σ(slope
# · score + offset).
TABLE = Table(
    "probes",
    pa.schema(
        [
            ("space", TEXT),
            ("attribute", TEXT),
            ("method", TEXT),
            ("engine", TEXT),
            ("penalty", REAL),
            ("rank", WHOLE),
            ("split_seed", WHOLE),
            ("status", TEXT),
            ("error", TEXT),
            ("w", VECTOR),
            ("b", REAL),
            ("slope", REAL),
            ("offset", REAL),
            ("train", WHOLE),
            ("train_positive", WHOLE),
            ("test", WHOLE),
            ("test_positive", WHOLE),
            ("accuracy", REAL),
            ("balanced_accuracy", REAL),
            ("auc", REAL),
            ("average_precision", REAL),
            ("brier", REAL),
            ("calibration_error", REAL),
            ("majority", REAL),
            ("permutations", WHOLE),
            ("permuted_auc", REAL),
            ("p_value", REAL),
            ("config", TEXT),
            ("space_fingerprint", TEXT),
        ]
    ),
)
