"""Small lakes with made-up rows, written without a build."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection

import numpy as np
import pyarrow as pa

from une_ray.corpora import Item
from une_ray.lake import schema
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.parts import plan_digest
from une_ray.lake.session import connect

FINGERPRINT = {"model": "m", "steps": 3}


def items(count: int = 10):
    return [
        Item(f"i{n}", f"{n}.png", "train" if n % 3 else "test", f"caption {n}", {"Even": n % 2 == 0})
        for n in range(count)
    ]


def fill(lake: Lake, space: str = "a/b", dim: int = 4) -> Lake:
    """Commit made-up but consistent files for every shard; image i3 is a reject."""
    lake.register(space, FINGERPRINT)
    for shard in range(lake.shards):
        ids = lake.plan(shard)["image_id"].to_pylist()
        rows = [
            row
            | ({"status": "reject", "error": "empty file"} if row["image_id"] == "i3" else {"status": "ok"})
            for row in lake.plan(shard).to_pylist()
        ]
        write(lake, f"images/{shard_file(shard)}", rows, schema.IMAGES)
        write(lake, f"{space_folder(space)}/{shard_file(shard)}", [latent(i, dim) for i in ids], schema.SPACE)
    return lake


def of_before(lake: Lake, without: Collection[str] = ("metadata",)) -> Lake:
    """The lake as an early une_ray wrote it: a file of the plan per shard, and columns less; without
    split_group it splits by ids."""
    digests = []
    for shard in range(lake.shards):
        table = lake.plan(shard).drop_columns(list(without))
        lake.store.commit(f"plan/{shard_file(shard)}", schema.parquet(table, {}))
        digests.append(plan_digest(table.to_pylist()))
    for name in lake.store.names("images"):
        table = lake.read_table(f"images/{name}").drop_columns(list(without))
        lake.store.commit(f"images/{name}", schema.parquet(table, {}))
    later = {"parts", *(["split_by"] if "split_group" in without else [])}
    manifest = {key: value for key, value in lake.generations[0].items() if key not in later}
    manifest["plan_sha256"] = hashlib.sha256(b"".join(digests)).hexdigest()
    for part in lake.parts:
        lake.store.remove(part.file)
    lake.store.commit("noisezoo.json", json.dumps(manifest).encode())
    return Lake(lake.url)


def latent(image_id: str, dim: int = 4) -> dict:
    if image_id == "i3":
        return {"image_id": image_id, "status": "reject", "error": "image unreadable"}
    z = np.full(dim, int(image_id[1:]) + 1, np.float16)
    return {"image_id": image_id, "status": "ok", "z": z, "norm": float(np.linalg.norm(z.astype(np.float32)))}


def write(lake, name, rows, columns, fingerprint=FINGERPRINT):
    lake.store.commit(
        name, schema.parquet(pa.Table.from_pylist(rows, schema=columns), {"fingerprint": fingerprint})
    )


def rows_of_every_view(url: str, defined: str = "%") -> dict[str, list[tuple]]:
    """Everything that SQL shows of a lake, view by view, but for where the lake lies; or of the views whose
    definition is LIKE `defined`."""
    session = connect(Lake(url))
    query = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND sql LIKE ? ORDER BY 1"
    shown = {}
    for (name,) in session.execute(query, [defined]).fetchall():
        view = session.sql(f"FROM {name}")
        shown[name] = [tuple(view.columns), *sorted(map(str, view.fetchall()))]
    return shown


def keys_of(shown: dict[str, list[tuple]]) -> list[str]:
    """Names of every column of views, and a few more that tables had or may have: what hive partitioning
    would take from `key=value` folders above a lake."""
    names = {column for header, *_ in shown.values() for column in header}
    return sorted((names | {"space", "method", "seed"}) - {"filename"})
