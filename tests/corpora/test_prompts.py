"""Captions without pictures: what a file of prompts says, and the class prompts of a lake's attributes."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.lakes import items
from une_ray.corpora import open_corpus
from une_ray.corpora.base import Unreadable, has_pictures, remarks
from une_ray.corpora.describe import describe
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake


def captions(name: str) -> list[str | None]:
    return [item.caption for item in open_corpus(name).items()]


def written(tmp_path, text: str | bytes, name: str = "p.txt") -> str:
    file = tmp_path / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return f"prompts:{file}"


def test_a_text_file_is_a_prompt_a_line_without_mark_blanks_and_repetitions(tmp_path):
    name = written(tmp_path, b"\xef\xbb\xbfa man\r\n\r\n a woman \na man\n")
    corpus = open_corpus(name)
    assert captions(name) == ["a man", "a woman"] and not has_pictures(corpus)
    assert remarks(corpus) == ["1 blank lines left out", "1 prompts come again, and are left out there"]
    assert [item.image_id for item in corpus.items()] == ["prompt-000000", "prompt-000001"]
    assert "2 prompts" in str(describe(name))
    with pytest.raises(Unreadable, match="no picture"):
        corpus.read("0")


def test_columns_beside_the_prompt_are_attributes_and_factors(tmp_path):
    table = 'prompt,Medical,category,word,split\n"a nurse, smiling",yes,1,red,test\n,no,2,blue,\n'
    nurse, empty = open_corpus(written(tmp_path, table, "p.csv") + "?factors=category").items()
    assert (nurse.caption, nurse.attributes, nurse.factors) == (
        "a nurse, smiling",
        {"Medical": True},
        {"category": 1},
    )
    assert nurse.split == "test" and nurse.metadata == {"word": "red"}
    assert empty.caption == ""  # the prompt of no words

    rows = pa.table({"prompt": ["007", "true"], "A": [True, None]})
    pq.write_table(rows, tmp_path / "p.parquet")
    assert captions(f"prompts:{tmp_path}/p.parquet") == ["007", "true"]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("\n\n", "p.txt", "holds no prompts"),
        ("text\na man\n", "p.csv", "has no column 'prompt' .a text.; it has text"),
        ("prompt,A\na,1\na,0\n", "p.csv", "row 3 .*'a' has a row already"),
        ("prompt,B\na,yes\nb,no\nc,maybe\n", "p.csv", "column 'B' .* holds 'maybe'"),
        (b"caf\xe9\n", "p.txt", "is not utf-8 text: line 1 has the byte 0xe9"),
    ],
)
def test_what_is_no_list_of_prompts_is_refused(tmp_path, text, name, message):
    with pytest.raises(UneError, match=message):
        captions(written(tmp_path, text, name))


def test_a_missing_file_and_options_of_tables_are_refused(tmp_path):
    with pytest.raises(UneError, match="no file of prompts"):
        captions(f"prompts:{tmp_path}/none.txt")
    with pytest.raises(UneError, match="is a text file"):
        captions(written(tmp_path, "a\n") + "?factors=x")


@pytest.fixture
def lake(tmp_path) -> str:
    create(Lake(str(tmp_path / "lake")), "avatars:5", iter(items(5)), 4)
    return str(tmp_path / "lake")


def test_every_attribute_is_said_and_denied_by_every_template(lake):
    found = list(open_corpus(f"classes:{lake}").items())
    assert len(found) == 26 * 2 * 4 and len({item.image_id for item in found}) == len(found)
    smiling = {item.caption for item in found if item.attributes == {"Smiling": False}}
    assert "a portrait of a person with a serious mouth" in smiling and len(smiling) == 4


def test_own_words_and_templates_for_classes(lake, tmp_path):
    (tmp_path / "names.csv").write_text("attribute,true,false\nMale,a king,a queen\n")
    (tmp_path / "templates.txt").write_text("{}\na coin of {}\n")
    name = f"classes:{lake}?names={tmp_path}/names.csv&templates={tmp_path}/templates.txt"
    assert captions(name) == ["a king", "a coin of a king", "a queen", "a coin of a queen"]

    (tmp_path / "templates.txt").write_text("a coin\n")
    with pytest.raises(UneError, match="no single {} where the class stands"):
        captions(name)
    (tmp_path / "names.csv").write_text("attribute,true,false\nMail,a king,a queen\n")
    with pytest.raises(UneError, match="'Mail'.*Male"):
        captions(name)
    with pytest.raises(UneError, match="no lake at"):
        captions(f"classes:{tmp_path}/nowhere")
