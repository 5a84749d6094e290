"""What was computed from a lake's spaces, as rows beside them: one file per computation, named by all that decides it."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa

from une_ray.lake import schema
from une_ray.lake.layout import Lake

TEXT, WHOLE, REAL, VECTOR = pa.string(), pa.int64(), pa.float64(), pa.list_(pa.float64())
MADE_FROM = [("config", TEXT), ("space_fingerprint", TEXT)]

# A linear reading of one attribute in one space: score = z·w + b, positive above zero, probability = σ(slope · score + offset).
PROBES = pa.schema(
    [
        ("space", TEXT), ("attribute", TEXT), ("method", TEXT), ("engine", TEXT), ("penalty", REAL), ("rank", WHOLE), ("split_seed", WHOLE),
        ("status", TEXT), ("error", TEXT), ("w", VECTOR), ("b", REAL), ("slope", REAL), ("offset", REAL),
        ("train", WHOLE), ("train_positive", WHOLE), ("test", WHOLE), ("test_positive", WHOLE),
        ("accuracy", REAL), ("balanced_accuracy", REAL), ("auc", REAL), ("average_precision", REAL), ("brier", REAL), ("calibration_error", REAL),
        ("majority", REAL), ("permutations", WHOLE), ("permuted_auc", REAL), ("p_value", REAL), *MADE_FROM,
    ]
)  # fmt: skip

# How many of a family's tests accept normality: `control` is NULL for the space itself, else the kind of data in its place.
GAUSSIANITY = pa.schema(
    [
        ("space", TEXT), ("control", TEXT), ("unit", TEXT), ("test", TEXT), ("tests", WHOLE), ("rows", WHOLE), ("statistic", REAL),
        ("accepted", REAL), ("rejected_fdr", REAL), ("smallest_p", REAL), *MADE_FROM,
    ]
)  # fmt: skip

# A linear map between spaces and what the target's probes read in its images; `attribute` is NULL in the row of the pair itself.
TRANSFERS = pa.schema(
    [
        ("source", TEXT), ("target", TEXT), ("map", TEXT), ("split_seed", WHOLE), ("penalty", REAL), ("train", WHOLE), ("test", WHOLE),
        ("cosine", REAL), ("centred_cosine", REAL), ("r2", REAL), ("attribute", TEXT), ("accuracy_native", REAL), ("accuracy", REAL),
        ("auc_native", REAL), ("auc", REAL), ("direction_cosine", REAL), ("score_correlation", REAL), ("config", TEXT), ("source_fingerprint", TEXT), ("target_fingerprint", TEXT),
    ]
)  # fmt: skip

KINDS = {"probes": PROBES, "gaussianity": GAUSSIANITY, "transfers": TRANSFERS}


def config_hash(config: dict) -> str:
    """Sixteen hexadecimal digits of everything that decides a computation: settings and the fingerprints it reads."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def is_done(lake: Lake, kind: str, config: dict) -> bool:
    """Whether this very computation is in the lake already."""
    return lake.store.exists(_name(kind, config))


def commit(lake: Lake, kind: str, config: dict, rows: list[dict]) -> None:
    """Write the rows of one computation, whole or not at all; of two that finish at once, whose rows are equal, one stays."""
    stamped = [{**row, "config": config_hash(config)} for row in rows]
    table = pa.Table.from_pylist(stamped, schema=KINDS[kind])
    lake.store.commit(_name(kind, config), schema.parquet(table, {"config": config}), replace=False)


def _name(kind: str, config: dict) -> str:
    return f"{kind}/{config_hash(config)}.parquet"
