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


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfa cat\r\n\r\na dog, with commas\r\na cat\r\n",  # as Windows' editor saves it
        "a cat\n\na dog, with commas\n".encode("utf-16"),
    ],
)
def test_a_mark_at_the_start_of_a_file_is_no_part_of_the_prompt(tmp_path, data):
    (tmp_path / "prompts.txt").write_bytes(data)
    found = [prompt.text for prompt in prompts.given(tmp_path / "prompts.txt")]
    assert found == ["a cat", "a dog, with commas"]


def test_given_prompts_are_a_tables_column(tmp_path):
    table = {"prompt": ["x", None, "y, z"], "emb": [[1.0]] * 3, "A": [1, 2, 3]}
    pq.write_table(pa.table(table), tmp_path / "p.parquet")
    (tmp_path / "p.csv").write_text('A,prompt\n1,x\n2,\n3,"y, z"\n')
    for name in ("p.parquet", "p.csv"):
        assert [prompt.text for prompt in prompts.given(tmp_path / name)] == ["x", "y, z"]


def test_a_file_without_prompts_says_what_is_missing(tmp_path):
    (tmp_path / "empty.txt").write_text("\n \n")
    (tmp_path / "broken.parquet").write_text("no parquet")
    (tmp_path / "latin.txt").write_bytes("a\ncafé".encode("latin-1"))
    (tmp_path / "lines.jsonl").write_text('{"prompt": "a cat"}\n')
    pq.write_table(pa.table({"text": ["x"]}), tmp_path / "other.parquet")
    for name, message in (
        ("empty.txt", "holds no prompts"),
        ("broken.parquet", "can't read"),
        ("other.parquet", "unknown column of .*other.parquet 'prompt'; known, nearest first: text"),
        ("none.txt", "there is no file of prompts .*none.txt"),
        ("latin.txt", "is not utf-8 text: line 2 has the byte 0xe9"),
        ("lines.jsonl", "is JSON"),
    ):
        with pytest.raises(UneError, match=message):
            prompts.given(tmp_path / name)
    with pytest.raises(UneError, match="there is no file of prompts ~nobody-of-that-name/p.txt"):
        prompts.given("~nobody-of-that-name/p.txt")


def test_given_prompts_may_be_texts_themselves():
    assert [prompt.text for prompt in prompts.given(["a cat", " ", "a cat", " a dog "])] == ["a cat", "a dog"]
    assert [prompt.kind for prompt in prompts.ordinary(["a cat"])] == ["held-out"]
    assert prompts.ordinary(2) == prompts.ordinary("2") == prompts.held_out(2)
    with pytest.raises(UneError, match="no prompts"):
        prompts.given([])


def test_a_prompt_survives_the_way_through_a_row():
    for prompt in (prompts.held_out(1)[0], prompts.Prompt(text="a cat", kind="given")):
        assert prompts.Prompt.from_row(json.loads(json.dumps(prompt.to_row()))) == prompt
