"""`une prompts dose`: directions that follow what was planted, and tables that do not say what was."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.lakes import write
from une_ray.corpora import Item
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.studies.prompts.bias import BiasResult, bias
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


def changed(known: str, tmp_path, change) -> str:
    """The table with other lines."""
    with open(known, encoding="utf-8") as file:
        lines = file.read().splitlines()
    (tmp_path / "other.csv").write_text("\n".join(change(lines)) + "\n", encoding="utf-8")
    return str(tmp_path / "other.csv")


def test_a_table_is_answered_by_its_own_rows_in_whatever_order_it_has_them(lake, known, tmp_path):
    rows = dose(lake, known).table.to_pylist()
    assert (
        dose(lake, changed(known, tmp_path, lambda lines: [lines[0], *lines[:0:-1]])).table.to_pylist()
        == rows
    )
    first, second, *_ = PLANTED
    renamed = {first: OTHERS[0], second: OTHERS[1]}

    def other_prompts(lines: list[str]) -> list[str]:
        for told, asked in renamed.items():
            lines = [line.replace(f",{told},", f",{asked},") for line in lines]
        return lines

    others = dose(lake, changed(known, tmp_path, other_prompts)).table.to_pylist()
    assert {row["prompt"] for row in others} == {*PLANTED, *renamed.values()} - {*renamed}
    swap = {first: second, second: first}

    def swapped(lines: list[str]) -> list[str]:
        cells = [line.split(",") for line in lines]
        return [",".join([space, swap.get(prompt, prompt), *shares]) for space, prompt, *shares in cells]

    slopes = {(row["reading"], row["prompt"]): row["slope"] for row in rows}
    for row in dose(lake, changed(known, tmp_path, swapped)).table.to_pylist():
        if row["prompt"] in swap and row["reading"] == "drawn":
            assert row["slope"] == pytest.approx(slopes["drawn", swap[row["prompt"]]])
        elif row["prompt"] in swap:
            assert row["slope"] != pytest.approx(slopes["bias", swap[row["prompt"]]], abs=1e-6)


def test_a_prompt_that_only_some_spaces_have_is_named(lake, known, monkeypatch):
    def partial(*asked) -> BiasResult:
        found = bias(*asked)
        is_there = [
            (row["prompt"], row["space"]) != (OTHERS[0], "plant-3") for row in found.table.to_pylist()
        ]
        return replace(found, table=found.table.filter(is_there))

    monkeypatch.setattr("une_ray.studies.prompts.dose.bias", partial)
    with pytest.raises(
        UneError, match="has 'a person like number 0' in some of .* and not in plant-3; une b"
    ):
        dose(lake, known)


def one_share(lines: list[str]) -> list[str]:
    """The first prompt has the share of its first row in every space."""
    told = lines[1].split(",")
    cells = [line.split(",") for line in lines]
    return [",".join([*row[:2], told[2], *row[3:]] if row[1] == told[1] else row) for row in cells]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda lines: lines[:-1], "no row of .* in 'plant-4'; it wants every prompt in every space once"),
        (lambda lines: [*lines, lines[-1]], "a prompt twice in a space"),
        (lambda lines: lines[:6], "has 5 prompts in 1 spaces; a slope is taken over 3"),
        (lambda lines: [*lines[:-1], lines[-1].replace("0.", "o.")], "a share is no number"),
        (lambda lines: [*lines[:-1], lines[-1].replace(",0.", ",1.")], "has the share 1.*; a share is of"),
        (lambda lines: [*lines[:-1], ",".join([*lines[-1].split(",")[:3], "nan", "8"])], "has the share nan"),
        (one_share, "has the share 0.1 in every space, and no slope"),
        (lambda lines: [line.replace("a suit", "a siut") for line in lines], "has not: .*a siut"),
        (lambda lines: [line.replace("plant-4", "plant-5") for line in lines], "unknown space 'plant-5'"),
    ],
)
def test_a_table_that_does_not_say_what_was_planted_is_refused(lake, known, tmp_path, change, message):
    with pytest.raises(UneError, match=message):
        dose(lake, changed(known, tmp_path, change))
