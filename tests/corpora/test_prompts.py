"""Captions without pictures: what a file of prompts says, and the class prompts of a lake's attributes."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.lakes import items
from une_ray.corpora import open_corpus
from une_ray.corpora.avatar_concepts import CONCEPTS, conditional, digest, frequencies, shows
from une_ray.corpora.avatar_features import Dice, attributes_of, sample_features
from une_ray.corpora.base import Unreadable, has_pictures, lineage, remarks
from une_ray.corpora.describe import describe
from une_ray.corpora.prompts import Prompts, shipped
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.listed import planned


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
    assert remarks(corpus) == [
        "1 blank lines left out",
        "1 of the prompts come again, and count once",
    ]
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
    with pytest.raises(UneError, match="no file of prompts .*none.txt; .*prompts:professions"):
        captions(f"prompts:{tmp_path}/none.txt")
    with pytest.raises(UneError, match="names no file.*prompts:avatar-concepts"):
        captions("prompts:")
    with pytest.raises(UneError, match="is a text file"):
        captions(written(tmp_path, "a\n") + "?factors=x")


def test_lists_of_the_package_open_by_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in shipped():
        corpus = open_corpus(f"prompts:{name}")
        items = list(corpus.items())
        assert corpus.name == f"prompts:{name}" and len({item.caption for item in items}) == len(items) > 30
        assert not [remark for remark in remarks(corpus) if "come again" in remark]
    assert set(CONCEPTS) <= set(captions("prompts:avatar-concepts"))
    professions = list(open_corpus("prompts:professions").items())
    groups = {item.metadata["isco"][0]: item.metadata["category"] for item in professions}
    assert len(groups) == len(set(groups.values())) == 10  # the major groups of ISCO-08
    assert all(groups[item.metadata["isco"][0]] == item.metadata["category"] for item in professions)
    assert all(re.fullmatch(r"\d{4}", item.metadata["isco"]) for item in professions)


def test_several_files_and_prompts_besides_keep_their_ids_as_each_grows(tmp_path):
    one, other = (tmp_path / name for name in ("one.txt", "other.csv"))
    one.write_text("a nurse\na baker\n")
    other.write_text("prompt,describes\na baker,work\nan old person,age\n")
    name = f"prompts:{one},{other}?besides=a person|a man|a nurse"
    corpus = open_corpus(name)
    ids = {item.caption: item.image_id for item in corpus.items()}
    assert ids == {
        "a nurse": "prompt-000000",
        "a baker": "prompt-000001",
        "an old person": "other-000001",
        "a person": "besides-000000",
        "a man": "besides-000001",
    }
    assert "1 prompts are in an earlier file as well" in remarks(corpus)
    assert open_corpus(corpus.name) == corpus and lineage(corpus) == lineage(open_corpus(f"prompts:{one}"))
    one.write_text("a nurse\na baker\na judge\n")
    grown = {item.caption: item.image_id for item in open_corpus(f"{name}|a woman").items()}
    assert grown.items() > ids.items()


@pytest.mark.parametrize(
    "besides",
    [
        ("",),
        ("", "a man"),
        ("a man & a woman", "50% + more"),
        ("two\nlines", "a\r\nb"),
        ("a man|a boy", '"hi"', ""),
    ],
)
def test_prompts_besides_survive_the_corpus_name(tmp_path, besides):
    one = tmp_path / "one.txt"
    one.write_text("a nurse\n")
    corpus = Prompts((str(one),), besides=besides)
    assert open_corpus(corpus.name) == corpus and captions(corpus.name)[1:] == list(besides)


def test_a_lake_of_prompts_grows_by_a_file_that_has_a_text_besides(tmp_path):
    one, other = tmp_path / "one.txt", tmp_path / "other.csv"
    one.write_text("a nurse\n")
    other.write_text("prompt,describes\nan old person,age\na man,gender\n")
    url, name = str(tmp_path / "lake"), f"prompts:{one}?besides=a person|a man"
    lake = planned(Lake(url), open_corpus(name), 4)
    grown = open_corpus(f"prompts:{one},{other}?besides=a person|a man|a woman")
    assert planned(lake, grown).manifest["images"] == 5
    ids = {row["image_id"]: row["caption"] for shard in (0, 1) for row in Lake(url).plan(shard).to_pylist()}
    assert ids == {
        "prompt-000000": "a nurse",
        "besides-000000": "a person",
        "besides-000001": "a man",
        "besides-000002": "a woman",
        "other-000000": "an old person",
    }
    assert any("besides and in a file" in remark and "'a man'" in remark for remark in remarks(grown))


@pytest.mark.parametrize("stem", ["x", "prompt", "besides"])
def test_files_whose_ids_would_be_equal_are_refused_by_name(stem):
    with pytest.raises(UneError, match=f"prompts of b/{stem}.txt would be {stem}-ROW, .*rename the file"):
        open_corpus(f"prompts:first.txt,a/x.txt,b/{stem}.txt")


def test_a_path_with_a_comma_is_one_file(tmp_path):
    name = written(tmp_path, "a nurse\n", "a,b.txt")
    assert captions(name) == ["a nurse"] == captions(open_corpus(name).name)


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


def test_prompts_that_models_read_as_one_are_said(tmp_path):
    words = written(tmp_path, "prompt\na man\na man \n A man\ncaf\u00e9\ncafe\u0301\na woman\n", "p.csv")
    (said,) = [remark for remark in remarks(open_corpus(f"{words}?besides=A woman")) if "capitals" in remark]
    assert said.startswith("4 prompts differ from others") and "'a man '" in said and "'A woman'" in said
    other = open_corpus(written(tmp_path, "a man\na woman\n", "q.txt"))
    assert not any("capitals" in remark for remark in remarks(other))


def test_the_truth_of_avatars_counts_what_a_picture_shows():
    """No hat and no bald head shows a colour of hair, and no eye is seen behind sunglasses."""
    drawn = [sample_features(Dice(7, index)) for index in range(3000)]
    for colour in ("black", "gray"):
        shown = [features for features in drawn if shows(features, f"a person with {colour} hair")]
        assert shown and not [features for features in shown if features.hair in ("bald", "hat")]
        assert any(f.hair_color == colour and f.hair == "hat" for f in drawn), "a hidden one has a colour"
    shares = conditional(
        [
            "a person with a bald head",
            "a person with gray hair",
            "a person with sunglasses",
            "a person with closed eyes",
        ]
    )
    assert np.isnan(shares[0, 1]) and shares[1, 0] == 0
    assert np.isnan(shares[2, 3]) and shares[3, 2] == 0
    gray = [features for features in drawn if shows(features, "a person with gray hair")]
    men = np.mean([attributes_of(features)["Male"] for features in gray])
    assert frequencies("Male")["a person with gray hair"] == pytest.approx(men, abs=0.1)
    assert (
        conditional(["a person with gray hair", "a man"])[0, 1]
        == frequencies("Male")["a person with gray hair"]
    )
    assert digest() == digest() and len(digest()) == 16


def test_a_line_break_besides_that_is_in_no_quotes_is_refused_not_cut_off(tmp_path):
    with pytest.raises(UneError, match="has a line break; a prompt with one stands in double quotes"):
        open_corpus(f"{written(tmp_path, 'a nurse')}?besides=two%0Alines|a man")
