"""Lakes of two spaces and labels that are known, which probes are fitted on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.lakes import FINGERPRINT, write
from une_ray.corpora import Item
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.session import QUERIES, connect

ROWS = 150
TRAIN = np.array([n for n in range(ROWS) if n % 3 and n != 7])  # the image i007 has no latent in any space
TEST = np.array([n for n in range(ROWS) if n % 3 == 0])
RNG = np.random.default_rng(0)
Z = {
    "enc": (RNG.standard_normal((ROWS, 12)) @ RNG.standard_normal((12, 12)) + RNG.standard_normal(12)).astype(
        np.float16
    ),
    "gen/ddim50": RNG.standard_normal((ROWS, 130)).astype(np.float16),
}
EASY = ("Bald", "Male", "Smiling", "Young")
Y = {
    name: Z["enc"].astype(float) @ RNG.standard_normal(12) + 3 * RNG.standard_normal(ROWS) > 1
    for name in EASY
}


def fill(
    folder: Path,
    z: dict[str, np.ndarray | list],
    labels: dict[str, np.ndarray | list],
    shard_size: int = 64,
    fingerprints: dict[str, dict] | None = None,
) -> Lake:
    """A lake of `z` and `labels`, by row; a label of None is not there. Spaces are registered with
    `fingerprints`, or not at all."""
    items = [
        Item(
            f"i{n:03}",
            "x.png",
            "train" if n % 3 else "test",
            "",
            {name: bool(y[n]) for name, y in labels.items() if y[n] is not None},
        )
        for n in range(ROWS)
    ]
    lake = create(Lake(str(folder)), "test", iter(items), shard_size)
    for space, fingerprint in (fingerprints or {}).items():
        lake.register(space, fingerprint)
    for shard in range(lake.shards):
        plan = lake.plan(shard).to_pylist()
        write(lake, f"images/{shard_file(shard)}", [row | {"status": "ok"} for row in plan], schema.IMAGES)
        for space, latents in z.items():
            rows = [latent(row["image_id"], latents[int(row["image_id"][1:])]) for row in plan]
            stamp = (fingerprints or {}).get(space, FINGERPRINT)
            write(lake, f"{space_folder(space)}/{shard_file(shard)}", rows, schema.SPACE, stamp)
    return lake


def latent(image_id: str, z: np.ndarray) -> dict:
    if image_id == "i007":
        return {"image_id": image_id, "status": "reject", "error": "out of memory"}
    return {"image_id": image_id, "status": "ok", "z": z, "norm": 1.0}


def ask(lake: Lake, query: str, *files: str, **variables) -> list[dict]:
    """Rows of `query` after `files` of queries/, with these variables set."""
    connection = connect(lake)
    for name, value in variables.items():
        connection.execute(f"SET VARIABLE {name} = ?", [value])
    for file in files:
        connection.execute((QUERIES / file).read_text()).fetchall()
    return connection.sql(query).to_arrow_table().to_pylist()


def evaluated(lake: Lake, **variables) -> list[dict]:
    """Rows that fit_probes.sql and evaluate_probes.sql leave."""
    return ask(lake, "FROM evaluated", "fit_probes.sql", "evaluate_probes.sql", **variables)


def same(ours, theirs) -> bool:
    """Equal but for rounding, through lists and dictionaries."""
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    if isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return ours == pytest.approx(theirs, rel=1e-9, abs=1e-12) if isinstance(ours, float) else ours == theirs
