"""What was computed from a lake's spaces, as rows beside them: one file per computation, named by all that decides it."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa

from une_ray.lake import schema
from une_ray.lake.layout import Lake, space_folder

TEXT, WHOLE, REAL, VECTOR = pa.string(), pa.int64(), pa.float64(), pa.list_(pa.float64())
MADE_FROM = [("config", TEXT), ("space_fingerprint", TEXT)]

# A linear reading of one attribute in one space: score = z·w + b, positive above zero, probability = σ(slope · score + offset).
PROBES = pa.schema(
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
        *MADE_FROM,
    ]
)

# How many of a family's tests accept normality: `control` is NULL for the space itself, else the kind of data in its place.
GAUSSIANITY = pa.schema(
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
        *MADE_FROM,
    ]
)

# A linear map between spaces and what the target's probes read in its images; `attribute` is NULL in the row of the pair itself.
TRANSFERS = pa.schema(
    [
        ("source", TEXT),
        ("target", TEXT),
        ("map", TEXT),
        ("split_seed", WHOLE),
        ("penalty", REAL),
        ("train", WHOLE),
        ("test", WHOLE),
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
)

# One edited latent in one judge's eyes. Rows of one `edit` differ in image, dose and judge alone; `identity` is the cosine of the picture's
# embedding `z` with the original's, `scores` are what the judge's probes read in it; status "off-data" flags latents that no image has.
EDITS = pa.schema(
    [
        ("edit", TEXT),
        ("space", TEXT),
        ("attribute", TEXT),
        ("method", TEXT),
        ("direction", TEXT),
        ("keep", pa.list_(TEXT)),
        ("inner_product", TEXT),
        ("remaining_norm", REAL),
        ("image_id", TEXT),
        ("alpha", REAL),
        ("norm", REAL),
        ("status", TEXT),
        ("error", TEXT),
        ("picture", TEXT),
        ("judge", TEXT),
        ("scores", pa.map_(TEXT, REAL)),
        ("identity", REAL),
        ("z", pa.list_(pa.float16())),
        *MADE_FROM,
    ]
)

# One generated picture, held against its training picture, the plain sampling's of the same seed, and its prompt's other seeds by one metric, and
# its Mahalanobis distance to real pictures; `detectors` and, per class of tokens and step, `attention` are those of method "none" alone, and
# `picture` names the file of a first seed's.
MEMORIZATION = pa.schema(
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
)

# One trial of a sweep. `sweep` is the hash of study, scale and facts of the lake, `point` the name of settings that were to be tried first;
# status is "finished", "stopped" (by halving, judged on `budget` units alone) or "refused"; `command` does it in full: the words after une, but for `--lake`.
SWEEPS = pa.schema(
    [
        ("study", TEXT),
        ("sweep", TEXT),
        ("title", TEXT),
        ("status", TEXT),
        ("error", TEXT),
        ("settings", pa.map_(TEXT, TEXT)),
        ("objectives", pa.map_(TEXT, REAL)),
        ("goals", pa.map_(TEXT, TEXT)),
        ("promise", REAL),
        ("budget", WHOLE),
        ("unit", TEXT),
        ("point", TEXT),
        ("command", pa.list_(TEXT)),
        ("seconds", REAL),
        ("config", TEXT),
    ]
)

KINDS = {
    "probes": PROBES,
    "gaussianity": GAUSSIANITY,
    "transfers": TRANSFERS,
    "edits": EDITS,
    "memorization": MEMORIZATION,
    "sweeps": SWEEPS,
}


# The empty files that let `read_parquet(lake || '/runs/*.parquet')` answer "no rows" before there are any.
EMPTY = {
    "images/empty.parquet": schema.IMAGES,
    f"{space_folder('none')}/empty.parquet": schema.SPACE,
    "runs/empty.parquet": schema.RUNS,
    **{f"{kind}/empty.parquet": columns for kind, columns in KINDS.items()},
}


# What lets `read_blob(lake || '/fingerprints/*')` answer before a space is registered; no space's file is called so, as theirs end in .json.
NO_SPACES = "fingerprints/empty"


def write_empty_tables(lake: Lake) -> None:
    """Those that are not there yet: all of a new lake, the newer kinds of results of one that an earlier une_ray made."""
    if not lake.store.exists(NO_SPACES):
        lake.store.commit(NO_SPACES, b"{}", replace=False)
    for name, columns in EMPTY.items():
        if not lake.store.exists(name):
            lake.store.commit(name, schema.parquet(columns.empty_table(), {}), replace=False)


def config_hash(config: dict) -> str:
    """Sixteen hexadecimal digits of everything that decides a computation: settings and the fingerprints it reads."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def is_done(lake: Lake, kind: str, config: dict) -> bool:
    """Whether this very computation is in the lake already."""
    return lake.store.exists(_name(kind, config))


def commit(lake: Lake, kind: str, config: dict, rows: list[dict], replace: bool = False) -> None:
    """Write the rows of one computation, whole or not at all; of two that finish at once, whose rows are equal, the first stays, or with
    `replace` the last."""
    stamped = [{**row, "config": config_hash(config)} for row in rows]
    table = pa.Table.from_pylist(stamped, schema=KINDS[kind])
    lake.store.commit(_name(kind, config), schema.parquet(table, {"config": config}), replace)


def _name(kind: str, config: dict) -> str:
    return f"{kind}/{config_hash(config)}.parquet"
