"""Columns of the table `transfers`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import REAL, TEXT, WHOLE, Table

# A linear map between spaces and what the target's probes read in its images; `attribute` is NULL in the row
# of the pair itself.
TABLE = Table(
    "transfers",
    pa.schema(
        [
            ("source", TEXT),
            ("target", TEXT),
            ("map", TEXT),
            ("split_seed", WHOLE),
            ("penalty", REAL),
            ("train", WHOLE),
            ("test", WHOLE),
            ("copies", WHOLE),
            ("cosine", REAL),
            ("centred_cosine", REAL),
            ("r2", REAL),
            ("attribute", TEXT),
            ("accuracy_native", REAL),
            ("accuracy", REAL),
            ("auc_native", REAL),
            ("auc", REAL),
            ("direction_cosine", REAL),
            ("score_correlation", REAL),
            ("config", TEXT),
            ("source_fingerprint", TEXT),
            ("target_fingerprint", TEXT),
        ]
    ),
)
