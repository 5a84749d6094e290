"""`une prompts` on a lake whose prompts lie between two poles by known shares."""

import duckdb
import numpy as np
import pytest

from tests.helpers.lakes import write
from une_ray.corpora import Item
from une_ray.corpora.avatar_concepts import CONCEPTS, frequencies
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.studies.prompts.bias import bias
from une_ray.studies.prompts.command import bias_lines, explain_lines
from une_ray.studies.prompts.explain import explain

SPACE, DIM, SEEDS = "sd/hspace", 16, 6
FINGERPRINT = {"model": "sd", "kind": "stable-diffusion", "method": "middle-block-of-prompts", "seeds": SEEDS}
PROMPTS = ["a person", "a man", "a woman", *list(CONCEPTS)[:20]]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """Prompts of which each is as near to the pole as its concept's share of men says."""
    lake = Lake(str(tmp_path_factory.mktemp("prompts") / "lake"))
    items = [Item(f"prompt-{row:06d}", str(row), "test", text) for row, text in enumerate(PROMPTS)]
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


def test_the_planted_bias_is_found_beside_its_truth_and_controls(lake):
    found = bias(lake, "a person", ["a man", "a woman"], truth="avatars", resamples=200)
    (row,) = found.agreements.to_pylist()
    assert row["rho"] > 0.85 and row["p"] < 0.01 and row["halves"] > 0.7 and row["seeds"] == SEEDS
    by_prompt = {row["prompt"]: row for row in found.table.to_pylist()}
    assert len(by_prompt) == 20 and by_prompt["a person with long hair"]["bias"] < 0
    assert by_prompt["a person with a bald head"]["low"] > 0
    lines = "\n".join(bias_lines(found.table.to_pylist(), found.agreements.to_pylist()))
    assert "a woman ← → a man" in lines and "truth 0.06" in lines
    again = bias(lake, "a person", ["a man", "a woman"], truth="avatars", resamples=200)
    assert again.table.equals(found.table)


def test_the_poles_the_other_way_round_turn_the_sign(lake):
    one, other = (
        bias(lake, "a person", poles, resamples=100).table.to_pylist()
        for poles in (["a man", "a woman"], ["a woman", "a man"])
    )
    assert [row["bias"] for row in one] == pytest.approx([-row["bias"] for row in other])


@pytest.mark.parametrize(
    ("neutral", "poles", "truth", "message"),
    [
        ("a man", ["a man", "a woman"], None, "neutral prompt 'a man' is a pole too"),
        ("a person", ["a man"], None, "two different prompts"),
        ("a person", ["a man", "a womn"], None, "unknown prompt 'a womn'.*a woman"),
        ("a person", ["a man", "a person with a hat"], "avatars", "no avatar's attribute is known"),
    ],
)
def test_what_has_no_bias_is_refused(lake, neutral, poles, truth, message):
    with pytest.raises(UneError, match=message):
        bias(lake, neutral, poles, truth=truth)


def test_a_truth_of_ones_own_is_read(lake, tmp_path):
    shares = frequencies("Male")
    rows = [f"{text},{shares[text]}" for text in PROMPTS[3:12]]
    (tmp_path / "truth.csv").write_text("\n".join(["prompt,frequency", *rows]) + "\n")
    found = bias(lake, "a person", ["a man", "a woman"], truth=str(tmp_path / "truth.csv"), resamples=100)
    assert found.agreements["prompts"].to_pylist() == [9]


def test_a_prompts_direction_in_sql_is_its_difference_from_the_neutral_one(lake):
    query = "SELECT w, norm, unit FROM prompt_direction('sd/hspace', 'a man', ?)"
    ((w, norm, unit),) = lake.rows(query, ["a person"])
    z = dict(lake.rows("SELECT caption, z FROM latents JOIN images USING (image_id)"))
    expected = np.array(z["a man"]) - np.array(z["a person"])
    assert np.allclose(w, expected) and norm == pytest.approx(np.linalg.norm(expected))
    assert np.linalg.norm(unit) == pytest.approx(1)
    for neutral, message in [
        ("a man", "no direction from itself"),
        ("a persn", "no prompt 'a persn'.*a person"),
    ]:
        with pytest.raises(duckdb.InvalidInputException, match=message):
            lake.rows(query, [neutral])


def test_captions_explain_a_prompts_direction(lake):
    direction = "FROM prompt_direction('sd/hspace', 'a woman', 'a man')"
    found = explain(lake, SPACE, direction, split="all")
    with pytest.raises(UneError, match="has 0 items of split 'val' with captions"):
        explain(lake, SPACE, direction, split="val")
    rows = found.table.to_pylist()
    assert "long" in rows[0]["phrase"] and rows[0]["images"] == len(PROMPTS)
    assert "captions of 23 items" in explain_lines(rows, 3, found.is_explained)[-1]
    with pytest.raises(UneError, match="it must be one, with a list w of 16"):
        explain(lake, SPACE, "SELECT [1.0, 2.0] AS w", split="all")
    with pytest.raises(UneError, match="unknown space 'sd/hspac'"):
        explain(lake, "sd/hspac", "SELECT 1")
