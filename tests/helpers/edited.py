"""A lake of avatars with probes of every attribute, ready to be edited."""

from __future__ import annotations

import numpy as np

from tests.helpers.lakes import write
from une_ray.corpora import open_corpus
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.splits import placed
from une_ray.pictures.decode import decode, fit
from une_ray.spaces.space import Space


def lake_of(url: str, spaces: list[Space], corpus: str = "avatars:48") -> Lake:
    """A built lake, made without Ray, with random readings of every attribute as its probes."""
    opened, random = open_corpus(corpus), np.random.default_rng(0)
    lake = create(Lake(url), opened.name, opened.items(), 64)
    plan = lake.plan(0).to_pylist()
    pictures = [decode(opened.read(row["source"])) for row in plan]
    write(
        lake,
        f"images/{shard_file(0)}",
        [row | {"status": "ok"} | placed(row, None, str) for row in plan],
        schema.IMAGES,
    )
    for space, fingerprint in (space.pinned() for space in spaces):
        lake.register(space.name, fingerprint)
        ids = [row["image_id"] for row in plan]
        z = space.load()(np.stack([fit(picture, space.model.preprocessing) for picture in pictures]), ids)[
            "z"
        ].astype(np.float16)
        rows = [
            {"image_id": i, "status": "ok", "z": row, "norm": np.linalg.norm(row.astype(float))}
            for i, row in zip(ids, z)
        ]
        write(lake, f"{space_folder(space.name)}/{shard_file(0)}", rows, schema.SPACE, fingerprint)
        planted(lake, space.name, z.astype(float), random)
    return lake


def planted(lake: Lake, space: str, z: np.ndarray, random: np.random.Generator) -> None:
    names = [name for name, _ in lake.plan(0)["attributes"][0].as_py()]
    made = {"space": space, "method": "ridge", "engine": "fast", "split_seed": 0}
    ok = [
        made
        | {
            "attribute": name,
            "status": "ok",
            "w": random.standard_normal(z.shape[1]),
            "b": 0.5,
            "penalty": 1.0,
        }
        for name in names
    ]
    twin = made | {"attribute": "Twin", "status": "ok", "w": -2 * ok[names.index("Male")]["w"], "b": 0.0}
    refused = made | {"attribute": "Refused", "status": "refused", "error": "only 3 positives"}
    results.commit(lake, "probes", {"space": space}, [*ok, twin, refused])
