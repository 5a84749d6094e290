"""A lake of prompts that lie between two poles of h-space by known shares."""

from __future__ import annotations

import numpy as np

from tests.helpers.lakes import write
from une_ray.corpora import Item
from une_ray.corpora.avatar_concepts import CONCEPTS, frequencies
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder

SPACE, DIM, SEEDS = "sd/hspace", 16, 6
FINGERPRINT = {"model": "sd", "kind": "stable-diffusion", "method": "middle-block-of-prompts", "seeds": SEEDS}
PROMPTS = ["a person", "a man", "a woman", *list(CONCEPTS)[:20]]
DESCRIBES = {"a man": "gender", "a woman": "gender"} | {text: CONCEPTS[text][0] for text in PROMPTS[3:]}


def lake_of_prompts(url: str) -> Lake:
    """Prompts of which each is as near to the pole as its concept's share of men says."""
    lake = Lake(url)
    items = [
        Item(f"prompt-{row:06d}", str(row), "test", text, metadata={"describes": DESCRIBES[text]})
        if text in DESCRIBES
        else Item(f"prompt-{row:06d}", str(row), "test", text)
        for row, text in enumerate(PROMPTS)
    ]
    lake = create(lake, "prompts:none.txt", iter(items), len(items))
    lake.register(SPACE, FINGERPRINT)
    rows = [row | {"status": "ok", "split": "test"} for row in lake.plan(0).to_pylist()]
    write(lake, f"images/{shard_file(0)}", rows, schema.IMAGES, FINGERPRINT)
    generator, shares = np.random.default_rng(0), frequencies("Male")
    man, woman = np.eye(DIM)[:2]
    means = [np.zeros(DIM), man, woman]
    means += [shares[text] * man + (1 - shares[text]) * woman for text in PROMPTS[3:]]
    shared = 3 * generator.normal(size=(SEEDS, DIM))
    h = np.stack([mean + shared + 0.1 * generator.normal(size=(SEEDS, DIM)) for mean in means])
    z = h.mean(1).astype(np.float16)
    readings = [
        {
            "image_id": item.image_id,
            "status": "ok",
            "z": z[row],
            "norm": float(np.linalg.norm(z[row].astype(float))),
        }
        for row, item in enumerate(items)
    ]
    write(lake, f"{space_folder(SPACE)}/{shard_file(0)}", readings, schema.SPACE, FINGERPRINT)
    stamp = {"space": SPACE, "space_fingerprint": results.config_hash(FINGERPRINT)}
    by_seed = [
        stamp | {"image_id": item.image_id, "seed": seed, "z": h[row, seed]}
        for row, item in enumerate(items)
        for seed in range(SEEDS)
    ]
    results.commit(lake, "seeds", stamp | {"shard": 0}, by_seed)
    return lake
