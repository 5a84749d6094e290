"""What does a direction say? The captions of the pictures at both its ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from une_ray.errors import UneError, unknown
from une_ray.geometry.explanations import explain as explained
from une_ray.lake import results
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake

SPLITS = ("test", "train", "val", "all")
LIMIT = 5000  # items that are read, spread over the corpus by a hash of their ids

CAPTIONED = """
    SELECT caption, z FROM latents JOIN images USING (image_id)
    WHERE space = $space AND caption IS NOT NULL AND ($split = 'all' OR images.split = $split)
    ORDER BY md5(image_id), image_id LIMIT $limit"""


@dataclass(frozen=True, eq=False)
class ExplainResult:
    """`table`: rows of the view `prompt_explanations`, from the phrases at the direction's head to those at
    its foot."""

    table: pa.Table

    @property
    def is_explained(self) -> bool:
        """Whether its strongest phrase is stronger than nineteen in twenty random directions'."""
        rows = self.table.to_pylist()
        return bool(rows) and max(abs(row["correlation"]) for row in rows) > rows[0]["random"]


def explain(lake: Lake, space: str, query: str, limit: int = LIMIT, split: str = "test") -> ExplainResult:
    """Phrases of the captions of `space`'s own items, by their correlation with the projection on a
    direction: one row of SQL with a list `w` (or `unit`) as long as the space's latents.

    Of test items: on those that a probe was fitted on, its direction tells noise of fewer items than
    dimensions as well. `split="all"` is for directions that no labels were fitted to, as a prompt's.

    Raises UneError for another query, an unknown split, and for items without captions.
    """
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    fingerprints = lake.fingerprints()
    if space not in fingerprints:
        raise unknown("space", space, fingerprints)
    wanted = {"space": space, "split": split, "limit": limit}
    table = lake.session.sql(CAPTIONED, params=wanted).to_arrow_table()
    if len(table) < 20:
        raise UneError(
            f"{space} has {len(table)} items of split {split!r} with captions; a direction is explained by 20"
            " or more (split 'all' takes those too that a probe was fitted on, which proves nothing of it)"
        )
    z = matrix(table["z"], np.float32)
    w = direction_of(lake, query, z.shape[1])
    config = {
        "space": space,
        "space_fingerprint": results.config_hash(fingerprints[space]),
        "w": results.config_hash(w.tolist()),
        "direction": query,
        "items": len(table),
        "split": split,
    }
    if not results.is_done(lake, "prompt_explanations", config):
        results.commit(lake, "prompt_explanations", config, _rows(config, table["caption"].to_pylist(), z, w))
    return ExplainResult(
        results.table_of(lake, "prompt_explanations", config, order_by="correlation DESC, phrase")
    )


def direction_of(lake: Lake, query: str, dim: int) -> np.ndarray:
    """(dim,) float32 of one row's list w or unit. Raises UneError for anything else."""
    try:
        rows = lake.cursor().sql(query).to_arrow_table().to_pylist()
    except (duckdb.Error, AttributeError) as error:
        raise UneError(f"the direction's SQL, {query!r}, gives no rows: {error}") from error
    found = [row.get("w") or row.get("unit") for row in rows]
    if len(found) != 1 or not isinstance(found[0], list) or len(found[0]) != dim:
        raise UneError(
            f"the direction's SQL, {query!r}, gives {len(rows)} rows; it must be one, with a list w of {dim}"
            " numbers"
        )
    w = np.array(found[0], np.float32)
    if not np.isfinite(w).all() or not w.any():
        raise UneError(f"the direction's SQL, {query!r}, gives a w that is zero or not finite")
    return w


def _rows(config: dict[str, Any], captions: list[str], z: np.ndarray, w: np.ndarray) -> list[dict[str, Any]]:
    found = explained(z, captions, w)
    stamp = {
        "space": config["space"],
        "space_fingerprint": config["space_fingerprint"],
        "direction": config["direction"],
        "w": w,
        "split": config["split"],
        "shuffled": found.shuffled,
        "random": found.random,
        "random_p": found.random_p,
        "images": config["items"],
    }
    return [
        stamp | {"phrase": phrase, "share": float(share), "correlation": float(correlation)}
        for phrase, share, correlation in zip(found.phrases, found.shares, found.correlations)
    ]
