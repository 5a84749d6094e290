"""Thousands of prompts under `kill -9`: the same question again finds nothing lost and nothing doubled."""

from pathlib import Path

import numpy as np
import pytest

from tests.faults.scene import command, committed, finish, kill, wait_for
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.verify import verify
from une_ray.spaces.space import Space

PROMPTS, SEEDS = 2000, 2
BESIDES = ["a person", "a man", "a woman"]


def files(lake: Lake) -> dict[str, bytes]:
    """Every shard of the h-space that is committed by now."""
    folder = space_folder(f"sd/hspace{SEEDS}")
    names = (name for name in lake.store.names(folder) if name.startswith("shard-"))
    return {name: lake.store.read(f"{folder}/{name}") for name in names}


@pytest.mark.slow
def test_thousands_of_prompts_killed_in_the_middle_lose_and_double_nothing(zoo, tmp_path):
    texts = [f"a person of {row} hats" for row in range(PROMPTS)]
    (tmp_path / "hats.txt").write_text("\n".join(texts) + "\n")
    lake, model = Lake(f"{tmp_path}/lake"), f"sd=stable-diffusion:{zoo}/sd"
    words = ["prompts", "bias", "--model", model, "--prompts", f"{tmp_path}/hats.txt", "--lake", lake.url]
    words += ["--texts", "", "--seeds", str(SEEDS), "--resamples", "100"]
    job = command(*words)
    wait_for(lambda: committed(lake) or job.poll() is not None, "a shard")
    assert job.poll() is None, f"it was to be killed before its end: {job.communicate()[0]}"
    kill(job)
    before = files(lake)
    assert 0 < len(before) < lake.shards and not list(Path(lake.url).glob("prompt_biases/*[0-9].parquet"))
    finish(command(*words))

    list(verify(lake))
    assert files(lake).items() >= before.items()  # what was done is not done again
    lake = Lake(lake.url)
    prompts = {*texts, *BESIDES}
    assert {
        text for (text,) in lake.rows("SELECT caption FROM latents JOIN images USING (image_id)")
    } == prompts
    counts = "SELECT count(*), count(DISTINCT image_id) FROM latents"
    assert lake.rows(counts) == [(len(prompts), len(prompts))]
    counts = "SELECT count(*), count(DISTINCT (image_id, seed)) FROM seeds"
    assert lake.rows(counts) == [(len(prompts) * SEEDS, len(prompts) * SEEDS)]
    assert lake.rows("SELECT count(*), count(DISTINCT prompt) FROM prompt_biases") == [(PROMPTS, PROMPTS)]

    some = [texts[0], texts[PROMPTS // 2], texts[-1], *BESIDES]
    step = Space.from_fingerprint("sd", lake.fingerprints()[f"sd/hspace{SEEDS}"]).load()
    expected = step(some, [""] * len(some))["seeds"]
    query = "SELECT z FROM seeds JOIN images USING (image_id) WHERE caption = ? ORDER BY seed"
    for text, by_seed in zip(some, expected, strict=True):
        assert np.allclose([z for (z,) in lake.rows(query, [text])], by_seed, atol=1e-3)
