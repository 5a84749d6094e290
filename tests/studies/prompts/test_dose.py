"""`une prompts dose`: directions that follow what was planted, and tables that do not say what was."""

import numpy as np
import pytest

from tests.helpers.lakes import write
from une_ray.corpora import Item
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.studies.prompts.dose import dose
from une_ray.studies.prompts.lines import dose_lines
from une_ray.training.planted import DOSES, PLANTED, Plant, shares_of
from une_ray.training.planted import write as write_planted

DIM, SEEDS, OTHERS = 12, 4, [f"a person like number {n}" for n in range(8)]
PROMPTS = ["a person", "a man", "a woman", *PLANTED, *OTHERS]
SPACES = [f"plant-{run}" for run in range(len(DOSES))]


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """Five generators; a planted prompt lies between the poles by its dose, another one anywhere."""
    items = [Item(f"prompt-{row:06d}", str(row), "test", text) for row, text in enumerate(PROMPTS)]
    lake = create(
        Lake(str(tmp_path_factory.mktemp("dose") / "lake")), "prompts:none.txt", iter(items), len(items)
    )
    rows = [row | {"status": "ok", "split": "test"} for row in lake.plan(0).to_pylist()]
    write(lake, f"images/{shard_file(0)}", rows, schema.IMAGES)
    generator = np.random.default_rng(0)
    man, woman = np.eye(DIM)[:2]
    for run, space in enumerate(SPACES):
        facts = {"model": space, "kind": "stable-diffusion", "method": "middle-block-of-prompts"}
        lake.register(space, facts)
        shares = list(shares_of(run).values()) + generator.uniform(0.3, 0.7, len(OTHERS)).tolist()
        means = [0 * man, man, woman, *(share * man + (1 - share) * woman for share in shares)]
        h = np.stack([mean + 0.02 * generator.normal(size=(SEEDS, DIM)) for mean in means])
        readings = [
            {"image_id": item.image_id, "status": "ok", "z": z, "norm": float(np.linalg.norm(z))}
            for item, z in zip(items, h.mean(1))
        ]
        write(lake, f"{space_folder(space)}/{shard_file(0)}", readings, schema.SPACE, facts)
        stamp = {"space": space, "space_fingerprint": results.config_hash(facts)}
        by_seed = [
            stamp | {"image_id": item.image_id, "seed": seed, "z": z}
            for item, of_item in zip(items, h)
            for seed, z in enumerate(of_item)
        ]
        results.commit(lake, "seeds", stamp | {"shard": 0}, by_seed)
    return lake


@pytest.fixture
def known(tmp_path) -> str:
    """What was planted; what is drawn says nothing of it."""
    drawn = np.random.default_rng(1).uniform(0.4, 0.6, (len(SPACES), len(PLANTED)))
    plants = [
        Plant(space=space, prompt=prompt, frequency=share, drawn=seen, pictures=8)
        for run, space in enumerate(SPACES)
        for (prompt, share), seen in zip(shares_of(run).items(), drawn[run])
    ]
    return str(write_planted(tmp_path, plants))


def test_a_bias_follows_what_was_planted_and_what_is_drawn_need_not(lake, known):
    rows = dose(lake, known).table.to_pylist()
    bias, drawn = ([row for row in rows if row["reading"] == reading] for reading in ("bias", "drawn"))
    assert len(bias) == len(drawn) == len(PLANTED)
    assert bias[0]["low"] > 0.5 and bias[0]["p"] < 0.01 and bias[0]["mean_slope"] > 3 * bias[0]["undosed"]
    assert all(row["slope"] > 0 for row in bias)
    assert drawn[0]["low"] < 0 < drawn[0]["high"] and drawn[0]["undosed"] is None
    lines = "\n".join(dose_lines(rows))
    assert "bias of 5 prompts in 5 generators" in lines and "shuffled doses p = " in lines
    assert dose(lake, known).table.to_pylist() == rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "no row of .* in 'plant-4'; it wants every prompt in every space once"),
        (lambda lines: [*lines, lines[-1]], "a prompt twice in a space"),
        (lambda lines: lines[:6], "has 5 prompts in 1 spaces; a slope is taken over 3"),
        (lambda lines: [*lines[:-1], lines[-1].replace("0.", "o.")], "a share is no number"),
        (lambda lines: [line.replace("a suit", "a siut") for line in lines], "has not: .*a siut"),
        (lambda lines: [line.replace("plant-4", "plant-5") for line in lines], "unknown space 'plant-5'"),
    ],
)
def test_a_table_that_does_not_say_what_was_planted_is_refused(lake, known, tmp_path, change, message):
    with open(known, encoding="utf-8") as file:
        lines = file.read().splitlines()
    (tmp_path / "other.csv").write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    with pytest.raises(UneError, match=message):
        dose(lake, str(tmp_path / "other.csv"))
