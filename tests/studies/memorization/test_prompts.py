"""The prompts of a study, and those that somebody hands in."""

import json
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from une_ray.corpora import duplicates
from une_ray.errors import UneError
from une_ray.studies.memorization import prompts
from une_ray.training import data


def test_titles_come_in_equal_numbers_of_every_dose():
    assert Counter(prompt.dose for prompt in prompts.duplicated(3)) == dict.fromkeys(duplicates.COPIES, 3)
    assert {prompt.text for prompt in prompts.duplicated()} == set(duplicates.TITLES)


def test_titles_of_chosen_doses_alone():
    assert Counter(prompt.dose for prompt in prompts.duplicated(2, prompts.doses("250, 1000"))) == {
        250: 2,
        1000: 2,
    }
    with pytest.raises(UneError, match="unknown dose '99'; known, nearest first: 50, 250"):
        prompts.doses("250,99")


def test_a_titles_picture_is_the_one_that_was_duplicated():
    corpus = duplicates.Duplicates()
    pictures = {item.caption: (item.factors["copies"], corpus.read(item.source)) for item in corpus.items()}
    assert all((prompt.dose, prompt.picture()) == pictures[prompt.text] for prompt in prompts.duplicated(1))


def test_ordinary_prompts_are_what_the_trainer_did_and_did_not_show():
    assert {prompt.source[0] for prompt in prompts.trained(5)} == {data.TRAINING_SEED}
    assert all(prompt.source[1] % 2 == 0 and prompt.dose == 1 for prompt in prompts.trained(5)), (
        "half a: the even ones"
    )
    assert {prompt.source[0] for prompt in prompts.held_out(5)} == {data.HELD_OUT_SEED}


def test_given_prompts_are_a_files_lines_once_each(tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("a cat\n\n  héllo 🙂 \na cat\n", encoding="utf-8")
    assert [prompt.text for prompt in prompts.given(file)] == ["a cat", "héllo 🙂"]
    assert prompts.given(file)[0].picture() is None


def test_given_prompts_are_a_parquet_files_column(tmp_path):
    pq.write_table(pa.table({"prompt": ["x", None, "y"]}), tmp_path / "p.parquet")
    assert [prompt.text for prompt in prompts.given(tmp_path / "p.parquet")] == ["x", "y"]


def test_a_file_without_prompts_says_what_is_missing(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "broken.parquet").write_text("no parquet")
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "other.parquet")
    for name, message in (
        ("empty.txt", "holds no prompts"),
        ("broken.parquet", "can't read"),
        ("other.parquet", "its columns are text"),
        ("none.txt", "can't read"),
    ):
        with pytest.raises(UneError, match=message):
            prompts.given(tmp_path / name)


def test_given_prompts_may_be_texts_themselves():
    assert [prompt.text for prompt in prompts.given(["a cat", " ", "a cat", " a dog "])] == ["a cat", "a dog"]
    assert [prompt.kind for prompt in prompts.ordinary(["a cat"])] == ["held-out"]
    assert prompts.ordinary(2) == prompts.ordinary("2") == prompts.held_out(2)
    with pytest.raises(UneError, match="no prompts"):
        prompts.given([])


def test_a_prompt_survives_the_way_through_a_row():
    for prompt in (prompts.held_out(1)[0], prompts.Prompt(text="a cat", kind="given")):
        assert prompts.Prompt.from_row(json.loads(json.dumps(prompt.to_row()))) == prompt
