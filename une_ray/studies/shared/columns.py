"""Columns of the tables `shared_maps` and `shared_scores`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import FLAG, REAL, TEXT, VECTOR, WHOLE, Table

# How one view enters a shared space: x = Σ over views of (z − mean)·matrix. `weights` is A of (z − mean)·A
# ≈ x from that view alone, `back` its pseudo-inverse; each column after column, `dim` (`view_dim`) of them.
SHARED_MAPS = Table(
    "shared_maps",
    pa.schema(
        [
            ("space", TEXT),
            ("source", TEXT),
            ("dim", WHOLE),
            ("view_dim", WHOLE),
            ("rank", WHOLE),
            ("ridge", REAL),
            ("shuffled", FLAG),
            ("split_seed", WHOLE),
            ("train", WHOLE),
            ("copies", WHOLE),
            ("mean", VECTOR),
            ("matrix", VECTOR),
            ("weights", VECTOR),
            ("back", VECTOR),
            ("sha256", TEXT),
            ("config", TEXT),
            ("source_fingerprint", TEXT),
        ]
    ),
)

# What test images say of it: per dimension k the `variance`, the views' `held-out correlation` and its null
# on mixed-up pairs; and at k dimensions the mean `accuracy` and `AUC` of attributes, of the shared space, of
# each view's own leading components (`of` names it) and of a space fitted on shuffled views.
SHARED_SCORES = Table(
    "shared_scores",
    pa.schema(
        [
            ("space", TEXT),
            ("measure", TEXT),
            ("of", TEXT),
            ("k", WHOLE),
            ("value", REAL),
            ("majority", REAL),
            ("attributes", WHOLE),
            ("test", WHOLE),
            ("split_seed", WHOLE),
            ("config", TEXT),
        ]
    ),
)

TABLES = (SHARED_MAPS, SHARED_SCORES)
