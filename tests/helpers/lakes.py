"""Small lakes with made-up rows, written without a build."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from une_ray.corpora import Item
from une_ray.lake import schema
from une_ray.lake.layout import Lake, shard_file, space_folder

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


def latent(image_id: str, dim: int = 4) -> dict:
    if image_id == "i3":
        return {"image_id": image_id, "status": "reject", "error": "image unreadable"}
    z = np.full(dim, int(image_id[1:]) + 1, np.float16)
    return {"image_id": image_id, "status": "ok", "z": z, "norm": float(np.linalg.norm(z.astype(np.float32)))}


def write(lake, name, rows, columns, fingerprint=FINGERPRINT):
    lake.store.commit(
        name, schema.parquet(pa.Table.from_pylist(rows, schema=columns), {"fingerprint": fingerprint})
    )
