"""`une prompts` on a lake whose prompts lie between two poles by known shares."""

import duckdb
import numpy as np
import pytest

from tests.helpers.prompted import DESCRIBES, FINGERPRINT, PROMPTS, SEEDS, SPACE
from une_ray.corpora.avatar_concepts import frequencies
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.studies.prompts.bias import bias
from une_ray.studies.prompts.clusters import cluster
from une_ray.studies.prompts.defaults import defaults
from une_ray.studies.prompts.explain import explain
from une_ray.studies.prompts.lines import (
    bias_lines,
    cluster_lines,
    default_lines,
    explain_lines,
    ranking_lines,
)
from une_ray.studies.prompts.read import Prompts, read_prompts


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


def test_defaults_are_the_planted_ones_beside_their_truth_and_random_directions(lake):
    found = defaults(lake, "a person", truth="avatars", resamples=200)
    rows = found.table.to_pylist()
    gender = [row for row in rows if row["describes"] == "gender" and row["is_default"]]
    assert len(gender) == 20 and {row["descriptor"] for row in gender} == {"a man", "a woman"}
    clear = [row for row in gender if abs(row["truth"] - 0.5) > 0.2]
    assert len(clear) >= 3 and all(row["truth"] > 0.7 and row["support"] > 0.95 for row in clear)
    assert not [row for row in rows if DESCRIBES.get(row["prompt"]) == row["describes"]]
    (agreed,) = found.agreements.to_pylist()
    assert agreed["seeds"] == SEEDS and agreed["low"] < agreed["accuracy"] < agreed["high"]
    assert 0 < agreed["majority"] < 1 and agreed["rho"] > 0
    lines = "\n".join(default_lines(rows, found.agreements.to_pylist()))
    assert "gender: a man" in lines and "always the commonest" in lines
    ranked = ranking_lines(rows, "a person with a bald head")
    assert ranked[1].split("  ")[1].startswith("a ") and len(ranked) > 10
    assert "both from the neutral prompt; [95 % interval over seeds]" in ranked[-1]
    many = [row | {"prompt": f"{row['prompt']} {n}"} for n in range(3) for row in gender]
    listed = default_lines(many, [])
    assert sum(line.startswith("    gender: ") for line in listed) == 24
    assert "  and 36 prompts more; all are in the view prompt_defaults (une sql)" in listed
    with pytest.raises(UneError, match="unknown prompt 'a bald head'"):
        ranking_lines(rows, "a bald head")


def test_clusters_stand_beside_shuffled_categories_and_have_places_on_a_map(lake):
    found = cluster(lake, "a person", categories="describes", resamples=20)
    rows, scores = found.table.to_pylist(), found.scores.to_pylist()
    assert [row["measure"] for row in scores] == ["ARI", "NMI"]
    assert {row["category"] for row in rows} == {*DESCRIBES.values()} - {"eyes", "eyebrows"}
    assert len(rows) == scores[0]["prompts"] and np.isfinite([(row["x"], row["y"]) for row in rows]).all()
    assert 0 < scores[1]["shuffled"] < 1 and 0.5 < scores[0]["trust"] <= 1
    assert "shuffled categories reach" in cluster_lines(rows, scores)[-1]
    assert cluster(lake, "a person", categories="describes", resamples=20).table.equals(found.table)


def test_a_lake_without_such_a_column_says_which_there_are(lake):
    with pytest.raises(UneError, match="no prompt of .* has metadata 'category'; it has describes"):
        cluster(lake, "a person")
    with pytest.raises(UneError, match="unknown prompt 'a persn'"):
        defaults(lake, "a persn")
    with pytest.raises(UneError, match="unknown truth 'avatar'.*avatars"):
        defaults(lake, "a person", truth="avatar")


def test_a_truth_of_ones_own_is_read(lake, tmp_path):
    shares = frequencies("Male")
    rows = [f"{text},{shares[text]}" for text in PROMPTS[3:12]]
    (tmp_path / "truth.csv").write_text("\n".join(["prompt,frequency", *rows]) + "\n")
    found = bias(lake, "a person", ["a man", "a woman"], truth=str(tmp_path / "truth.csv"), resamples=100)
    assert found.agreements["prompts"].to_pylist() == [9]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a pilot,nan"], "the frequency of 'a pilot' is nan; it is a share, from 0 to 1"),
        (["a pilot,17"], "is 17; it is a share"),
        (["a pilot,-3"], "is -3; it is a share"),
        (["a pilot,often"], "the frequency of 'a pilot' is no number: 'often'"),
        (["a pilot,"], "the frequency of 'a pilot' is no number"),
        (["a pilot,.1", "a pilot ,.9"], "has 'a pilot' twice; a prompt has one frequency"),
        ([], "has no rows; a truth is rows of prompt and frequency"),
    ],
)
def test_a_truth_that_is_none_is_refused(lake, tmp_path, rows, message):
    (tmp_path / "truth.csv").write_text("\n".join(["prompt,frequency", *rows]) + "\n")
    with pytest.raises(UneError, match=message):
        bias(lake, "a person", ["a man", "a woman"], truth=str(tmp_path / "truth.csv"), resamples=100)


@pytest.mark.parametrize("known", [0, 4])
def test_a_truth_of_too_few_prompts_leaves_the_ranking_and_is_said(lake, tmp_path, capsys, known):
    rows = [f"{text},0.{n}" for n, text in enumerate(["a pilot", *PROMPTS[3 : 3 + known]], 1)]
    (tmp_path / "few.csv").write_text("\n".join(["prompt,frequency", *rows]) + "\n")
    for _ in range(2):  # also when it is done already
        found = bias(lake, "a person", ["a man", "a woman"], truth=str(tmp_path / "few.csv"), resamples=100)
        assert found.agreements.num_rows == 0 and found.table.num_rows == len(PROMPTS) - 3
        assert found.table["truth"].null_count == len(PROMPTS) - 3 - known
        assert f"the truth is known of {known} of {len(PROMPTS) - 3} prompts" in capsys.readouterr().err


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


def test_a_prompt_that_the_model_reads_as_the_neutral_one_has_no_direction(lake, monkeypatch, capsys):
    """What is left of their difference is what another batch rounds, and would have a bias of any size."""
    read = read_prompts(lake, SPACE, results.config_hash(FINGERPRINT))
    generator = np.random.default_rng(0)

    def of(text: str) -> np.ndarray:
        return read.of(text) * (1 + 3e-7 * generator.normal(size=read.of(text).shape))

    h = [*read.h, of("a person"), of("a man")]
    known = Prompts([*read.texts, "A person", "A man"], np.array(h, np.float32))
    monkeypatch.setattr("une_ray.studies.prompts.read.read_prompts", lambda *_: known)
    monkeypatch.setattr("une_ray.studies.prompts.read.results.is_done", lambda *_: False)
    committed: list[dict] = []
    monkeypatch.setattr(
        "une_ray.studies.prompts.bias.results.commit",
        lambda lake, table, config, rows: committed.extend(rows),
    )
    bias(lake, "a person", ["a man", "a woman"], resamples=100)
    assert "A person" not in {row["prompt"] for row in committed}
    assert {"A man", "a person with a hat"} <= {row["prompt"] for row in committed}
    assert "left out, as the model reads the neutral prompt: 'A person'" in capsys.readouterr().err
    with pytest.raises(UneError, match="'A person' is the neutral prompt to this model"):
        bias(lake, "a person", ["A person", "a woman"], resamples=100)
    with pytest.raises(UneError, match="reads 'a man' and 'A man' as one prompt"):
        bias(lake, "a person", ["a man", "A man"], resamples=100)


def test_a_phrase_of_few_stands_at_its_own_end_alone(lake):
    direction = "FROM prompt_direction('sd/hspace', 'a woman', 'a man')"
    first, *_, last = explain(lake, SPACE, direction, split="all").table.to_pylist()
    _, head, dots, foot, _ = explain_lines([first, last], 6, True)
    assert first["correlation"] > 0 > last["correlation"] and dots.strip() == "…"
    assert head.endswith(first["phrase"]) and foot.endswith(last["phrase"])


def test_captions_explain_a_prompts_direction(lake):
    direction = "FROM prompt_direction('sd/hspace', 'a woman', 'a man')"
    found = explain(lake, SPACE, direction, split="all")
    with pytest.raises(UneError, match="has 0 items of split 'val' with captions"):
        explain(lake, SPACE, direction, split="val")
    rows = found.table.to_pylist()
    assert "long" in rows[0]["phrase"] and rows[0]["images"] == len(PROMPTS)
    assert "captions of 23 items" in explain_lines(rows, 3, found.is_explained)[-1]
    with pytest.raises(UneError, match="1 rows, whose w has 2 numbers; it must be one, with a list w of 16"):
        explain(lake, SPACE, "SELECT [1.0, 2.0] AS w", split="all")
    for query in (
        "SELECT list_transform(range(16), lambda x: 'a' || x) AS w",
        "SELECT [[1.0], [2.0, 3.0]] AS w",
    ):
        with pytest.raises(UneError, match="it must be one, with a list w of 16"):
            explain(lake, SPACE, query, split="all")
    with pytest.raises(UneError, match="unknown space 'sd/hspac'"):
        explain(lake, "sd/hspac", "SELECT 1")
