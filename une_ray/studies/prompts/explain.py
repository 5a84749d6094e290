"""What does a direction say? Phrases of captions, by their pictures or by a map into its space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from scipy import linalg

from une_ray.errors import UneError, unknown
from une_ray.geometry.explanations import explain as explained
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.tables import InALine
from une_ray.studies.prompts.said import Said, of_pictures, through_map

SAME = 0.99999  # cosine of a direction with a probe that it is
MADE_OF = 1e-5  # of a direction's length, which is left of it without the probes that it is made of


@dataclass(frozen=True, eq=False, repr=False)
class ExplainResult(InALine):
    """`table`: rows of the view `prompt_explanations`, from the phrases at the direction's head to those at
    its foot."""

    table: pa.Table

    @property
    def is_explained(self) -> bool:
        """Whether its strongest phrase is stronger than nineteen in twenty random directions'."""
        rows = self.table.to_pylist()
        return bool(rows) and max(abs(row["correlation"]) for row in rows) > rows[0]["random"]


def explain(
    lake: Lake,
    space: str,
    query: str,
    split: str | None = None,
    captions: str | None = None,
    map: str = "orthogonal",
) -> ExplainResult:
    """Phrases of captions, by their correlation with the projection on a direction: one row of SQL with a
    list `w` (or `unit`) as long as the latents of `space`.

    The captions are those of the space's own items, where these lie; or `captions`, of a space of texts
    (`mini-clip-a/text`, or `mini-clip-a/text@LAKE`), where a stored `map` puts them in `space`. `split` is by
    default test: on items that a probe was fitted on, its direction tells noise of fewer items than
    dimensions as well. `"all"` is for directions that no labels were fitted to, as a prompt's; it is the
    default for texts of another lake.

    Raises UneError for another query, an unknown space, split or map, a map that is not stored, items
    without captions, and a probe's direction, or what is made of probes, by the captions of items that they
    were fitted on.
    """
    fingerprints = lake.fingerprints()
    if space not in fingerprints:
        raise unknown("space", space, fingerprints)
    if captions is None:
        said = of_pictures(lake, space, split or "test")
    else:
        said = through_map(lake, space, captions, map, split)
    w = direction_of(lake, query, said.z.shape[1])
    if captions is None:
        _refuse_fitted(lake, space, w, split or "test")
    config = {
        "space": space,
        "space_fingerprint": results.config_hash(fingerprints[space]),
        "w": results.config_hash(w.tolist()),
        "direction": query,
        "items": len(said.captions),
        **said.columns,
        **said.facts,
    }
    if not results.is_done(lake, "prompt_explanations", config):
        stamp = {name: config[name] for name in ("space", "space_fingerprint", "direction")}
        results.commit(lake, "prompt_explanations", config, _rows(stamp | dict(said.columns), said, w))
    return ExplainResult(
        results.table_of(lake, "prompt_explanations", config, order_by="correlation DESC, phrase")
    )


def _refuse_fitted(lake: Lake, space: str, w: np.ndarray, split: str) -> None:
    """Raise UneError where `w` is a probe's that items of that split were fitted on, or made of several such
    (`orthogonalized`): it tells them apart by what is their own, whatever the attribute. Of as many probes
    as dimensions nothing is said, as every direction is made of these."""
    query = """SELECT method, split_seed, list(attribute ORDER BY attribute), list(w ORDER BY attribute)
        FROM probes WHERE space = ? AND len(w) = ? AND list_dot_product(w, w) > 0 AND (split_seed > 0 OR ?)
        GROUP BY config, method, split_seed ORDER BY split_seed, method"""
    for method, seed, attributes, weights in lake.rows(query, [space, len(w), split != "test"]):
        probes = np.array(weights) / np.linalg.norm(weights, axis=1, keepdims=True)
        unit = w.astype(float) / np.linalg.norm(w)
        alone = np.abs(probes @ unit)
        basis = linalg.orth(probes.T, rcond=MADE_OF)
        left = np.linalg.norm(unit - basis @ (basis.T @ unit)) if basis.shape[1] < len(w) else 1.0
        if alone.max() > SAME:
            made = f"is the {method} probe of {attributes[alone.argmax()]!r}"
        elif left < MADE_OF:
            made = f"is made of {method} probes, {attributes[alone.argmax()]!r} the most like it,"
        else:
            continue
        raise UneError(
            f"that direction {made} under split {seed}, which was fitted on {split} items, so that their"
            " captions tell how well it knows them: of split 0 take test items (leave out --split), or take"
            " texts that a map leads there (--captions)"
        )


def direction_of(lake: Lake, query: str, dim: int) -> np.ndarray:
    """(dim,) float32 of one row's list w or unit. Raises UneError for anything else."""
    try:
        rows = lake.cursor().sql(query).to_arrow_table().to_pylist()
    except (duckdb.Error, AttributeError) as error:
        raise UneError(f"the direction's SQL, {query!r}, gives no rows: {error}") from error
    found = [row.get("w") or row.get("unit") for row in rows]
    try:
        w = np.array(found, np.float32)
    except (TypeError, ValueError):  # texts, lists of lists of several lengths
        w = np.zeros(0, np.float32)
    if w.shape != (1, dim):
        raise UneError(
            f"the direction's SQL, {query!r}, gives {len(rows)} rows{_width(found)}; it must be one, with a"
            f" list w of {dim} numbers"
        )
    w = w[0]
    if not np.isfinite(w).all() or not w.any():
        raise UneError(f"the direction's SQL, {query!r}, gives a w that is zero or not finite")
    return w


def _width(found: list[object]) -> str:
    """Of what length one row's list is: those of another space have another."""
    return f", whose w has {len(found[0])} numbers" if len(found) == 1 and isinstance(found[0], list) else ""


def _rows(stamp: dict[str, Any], said: Said, w: np.ndarray) -> list[dict[str, Any]]:
    found = explained(said.z, said.captions, w)
    stamp |= {
        "w": w,
        "shuffled": found.shuffled,
        "random": found.random,
        "random_p": found.random_p,
        "images": len(said.captions),
    }
    return [
        stamp | {"phrase": phrase, "share": float(share), "correlation": float(correlation)}
        for phrase, share, correlation in zip(found.phrases, found.shares, found.correlations)
    ]
