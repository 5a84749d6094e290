"""Columns of the tables `maps` and `map_fits`."""

from __future__ import annotations

import pyarrow as pa

from une_ray.lake.tables import FLAG, REAL, TEXT, VECTOR, WHOLE, Table

# A fitted map, kept: z' = target_norm · (scale · (z/‖z‖ − source_mean) · matrix + target_mean) where
# `normalised`, without the norms where not. `matrix` is target_dim columns of source_dim numbers each.
MAPS = Table(
    "maps",
    pa.schema(
        [
            ("source", TEXT),
            ("target", TEXT),
            ("map", TEXT),
            ("centred", FLAG),
            ("normalised", FLAG),
            ("split_seed", WHOLE),
            ("train", WHOLE),
            ("copies", WHOLE),
            ("source_dim", WHOLE),
            ("target_dim", WHOLE),
            ("rank", WHOLE),
            ("undetermined", WHOLE),
            ("scale", REAL),
            ("target_norm", REAL),
            ("source_mean", VECTOR),
            ("target_mean", VECTOR),
            ("matrix", VECTOR),
            ("sha256", TEXT),
            ("config", TEXT),
            ("source_fingerprint", TEXT),
            ("target_fingerprint", TEXT),
        ]
    ),
)

# One figure of one map that was fitted on one draw of anchors. `any_orthogonal`: every orthogonal matrix
# would give it, so it says nothing of this one.
MAP_FITS = Table(
    "map_fits",
    pa.schema(
        [
            ("source", TEXT),
            ("target", TEXT),
            ("map", TEXT),
            ("centred", FLAG),
            ("anchors", WHOLE),
            ("draw", WHOLE),
            ("classes_fitted", WHOLE),
            ("of", TEXT),
            ("subset", TEXT),
            ("metric", TEXT),
            ("value", REAL),
            ("items", WHOLE),
            ("any_orthogonal", FLAG),
            ("split_seed", WHOLE),
            ("config", TEXT),
            ("source_fingerprint", TEXT),
            ("target_fingerprint", TEXT),
        ]
    ),
)

# A space made through a map, judged on test images: `value` is its own, `native` that of really embedding
# with the target, `random` that of a random rotation about the target's mean.
MAP_USES = Table(
    "map_uses",
    pa.schema(
        [
            ("space", TEXT),
            ("source", TEXT),
            ("target", TEXT),
            ("map", TEXT),
            ("centred", FLAG),
            ("measure", TEXT),
            ("value", REAL),
            ("native", REAL),
            ("random", REAL),
            ("chance", REAL),
            ("items", WHOLE),
            ("split_seed", WHOLE),
            ("config", TEXT),
        ]
    ),
)

TABLES = (MAPS, MAP_FITS, MAP_USES)
