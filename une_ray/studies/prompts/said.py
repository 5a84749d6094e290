"""Captions as points of a direction's space: where their pictures lie, or where a stored map puts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from une_ray.corpora.files import absolute
from une_ray.errors import UneError, unknown
from une_ray.lake import results
from une_ray.lake.latents import matrix
from une_ray.lake.layout import Lake
from une_ray.lake.stored_maps import StoredMap, find_map
from une_ray.spaces.text import KIND

LIMIT, FEWEST = 5000, 20  # captions that are read, spread over the corpus by a hash of their ids
MAPS = ("orthogonal", "ridge")
SPLITS = ("test", "train", "val", "all")
SAME = ("model", "kind", "source", "weights")  # facts that a model's texts and pictures have in common

CAPTIONED = """
    SELECT caption, z FROM latents JOIN images USING (image_id)
    WHERE space = $space AND caption IS NOT NULL AND ($split = 'all' OR images.split = $split)
    ORDER BY md5(image_id), image_id LIMIT $limit"""


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """`captions` (n) at the places z (n, d) of the direction's space.

    `columns` are what a row says of them: whose they are and, with a map, which; `facts` what decides them
    besides.
    """

    captions: list[str]
    z: np.ndarray
    columns: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)


def of_pictures(lake: Lake, space: str, split: str) -> Said:
    """Captions where the latents of their own items lie. Raises UneError for items of which too few have
    captions."""
    table = _read(lake, space, split)
    texts, columns = table["caption"].to_pylist(), {"captions": space, "split": split}
    facts = {"captions_sha256": results.config_hash(texts)}
    return Said(captions=texts, z=matrix(table["z"], np.float32), columns=columns, facts=facts)


def through_map(lake: Lake, space: str, captions: str, map: str, split: str | None = None) -> Said:
    """Captions of `captions`, a space of texts of this lake or, as SPACE@LAKE, of another, where a map that
    `une map fit` stored puts their embeddings in `space`: no picture of them is needed.

    The map is one from that very space of texts, or from the pictures of the same model; where `space` is
    that model's, they lie there without one. `split` is by default test here, as the map was fitted on train
    items, and all of another lake. Raises UneError for what is no space of texts, and where no such map is
    stored.
    """
    if map not in MAPS:
        raise unknown("map", map, MAPS)
    name, at, url = captions.partition("@")
    home = Lake(absolute(url)).existing() if at else lake
    known = home.fingerprints()
    if name not in known:
        raise unknown(f"space of {home.url}", name, known)
    fingerprint = known[name]
    if fingerprint.get("method") != KIND.method:
        raise UneError(f"{name} is no space of texts, as MODEL/text is; its items have places of their own")
    sources = _of_the_same_model(lake, fingerprint)
    row = None if space in sources else _map_onto(lake, space, sources, fingerprint["model"], map)
    split = split or ("all" if at else "test")
    table = _read(home, name, split)
    texts, z = table["caption"].to_pylist(), matrix(table["z"], np.float64)
    columns = {"captions": captions, "split": split}
    facts = {
        "captions_fingerprint": results.config_hash(fingerprint),
        "captions_sha256": results.config_hash(texts),
    }
    if row is not None:
        z = StoredMap.from_row(row)(z)
        columns |= {"map": map, "source": row["source"]}
        facts["map_sha256"] = row["sha256"]
    return Said(captions=texts, z=z.astype(np.float32), columns=columns, facts=facts)


def _of_the_same_model(lake: Lake, texts: Mapping[str, Any]) -> list[str]:
    """Spaces of that model's texts, and behind them those of its pictures."""
    known = lake.fingerprints()
    same = [name for name, facts in known.items() if all(facts.get(key) == texts.get(key) for key in SAME)]
    found = [name for name in same if known[name].get("method") in (KIND.method, None)]
    return sorted(found, key=lambda name: known[name].get("method") is None)


def _map_onto(lake: Lake, space: str, sources: Sequence[str], model: str, map: str) -> dict[str, Any]:
    """The first map of `sources` onto `space` that is stored."""
    for source in sources:
        row = find_map(lake, source, space, map)
        if row is not None:
            return row
    remedy = (
        f"une map fit --lake {lake.url} --from {sources[-1]} --to {space} stores one"
        if sources
        else f"une map fit stores one, once {lake.url} has the pictures in {model}"
    )
    raise UneError(f"no {map} map of {model} onto {space} in {lake.url}; {remedy}")


def _read(lake: Lake, space: str, split: str) -> pa.Table:
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    wanted = {"space": space, "split": split, "limit": LIMIT}
    table = lake.session.sql(CAPTIONED, params=wanted).to_arrow_table()
    if len(table) < FEWEST:
        raise UneError(
            f"{space} has {len(table)} items of split {split!r} with captions; a direction is explained by"
            f" {FEWEST} or more (split 'all' takes those too that a probe was fitted on, which proves nothing"
            " of it)"
        )
    return table
