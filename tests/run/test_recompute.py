"""Latents that are made again are those of the lake, or the lake is refused."""

import numpy as np
import pytest

from une_ray.corpora import open_corpus
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.run.read import read_space
from une_ray.run.recompute import recompute
from une_ray.run.shard import images_table, read_bytes
from une_ray.spaces.space import Space

SPACES = ("pixels-16", "mini-dino", "mini-sd-a/ddim5")


@pytest.fixture
def lake(tmp_path) -> Lake:
    """As a build makes it, without Ray; the networks run in float16 where they can, as on a GPU."""
    corpus = open_corpus("avatars:5")
    lake = create(Lake(str(tmp_path / "lake")), corpus.name, corpus.items(), 3)
    for shard in range(lake.shards):
        plan = lake.plan(shard)
        contents = list(read_bytes(corpus, plan["source"].to_pylist()))
        lake.store.commit(f"images/{shard_file(shard)}", schema.parquet(images_table(plan, contents), {}))
        for text in SPACES:
            space, fingerprint = Space.parse(text).pinned()
            lake.register(text, fingerprint)
            table = read_space(
                space.load(), space.model.preprocessing, 4, plan["image_id"].to_pylist(), contents
            )
            name = f"{space_folder(text)}/{shard_file(shard)}"
            lake.store.commit(name, schema.parquet(table, {"fingerprint": fingerprint}))
    return lake


def test_a_sound_lake_is_what_it_says(lake):
    lines = list(recompute(lake, 4))
    assert len(lines) == 3 and all("4 latents made again" in line for line in lines)


@pytest.mark.parametrize("fault", ["other weights", "shuffled", "scaled"])
def test_latents_of_other_weights_or_pictures_are_told(lake, fault):
    """Each lake passes une verify: ids, norms and fingerprints are those of a lake that is whole."""
    name = f"{space_folder('mini-dino')}/{shard_file(0)}"
    table = lake.read_table(name)
    z = np.array(table["z"].to_pylist(), np.float32)
    z = {
        "other weights": np.random.default_rng(0).standard_normal(z.shape) * z.std(),
        "shuffled": z[[1, 2, 0]],
        "scaled": z * 1.1,
    }[fault].astype(np.float16)
    rows = [
        row | {"z": vector, "norm": float(np.linalg.norm(vector.astype(np.float32)))}
        for row, vector in zip(table.to_pylist(), z, strict=True)
    ]
    changed = type(table).from_pylist(rows, schema=schema.SPACE)
    lake.store.commit(name, schema.parquet(changed, {"fingerprint": lake.fingerprints()["mini-dino"]}))
    with pytest.raises(UneError, match=r"space 'mini-dino': the latent of 'avatar-0-0000000\d' made again"):
        list(recompute(Lake(lake.url), 5))
