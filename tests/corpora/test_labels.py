"""Tables of labels as people have them: obeyed by stated rules or refused with row, column and remedy."""

import gzip
import os
import unicodedata
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem

from tests.helpers.pictures import png
from une_ray.corpora import Item, open_corpus
from une_ray.corpora.base import Unreadable, remarks
from une_ray.corpora.listing import pictures_in, stamp_of
from une_ray.errors import UneError

NAMES = tuple(f"x{n}.png" for n in range(6))


@pytest.fixture
def folder(tmp_path):
    pictures = tmp_path / "img"
    pictures.mkdir()
    for name in NAMES:
        (pictures / name).write_bytes(png((8, 8)))
    return pictures


def opened(folder, table: bytes | str, options: str = "", name: str = "labels.csv"):
    path = folder.parent / name
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    return open_corpus(f"folder:{folder}?table={quote(str(path))}{options}")


def listed(folder, table, options="") -> list[Item]:
    return list(opened(folder, table, options).items())


def column(values, header="A") -> str:
    return f"file,{header}\n" + "".join(f"{name},{value}\n" for name, value in zip(NAMES, values))


@pytest.mark.parametrize(
    "captions",
    [
        ("007", "010"),
        ("2020-01-01", "2020-01-02"),
        ("true", "false"),
        ("1.0", "2.0"),
        ("NA", "null"),
        ("1e5", "-0"),
    ],
)
def test_captions_stay_the_text_that_they_are(folder, captions):
    assert tuple(item.caption for item in listed(folder, column(captions, "caption"))[:2]) == captions


@pytest.mark.parametrize(
    ("values", "splits"),
    [
        ("000001", ["train"] * 5 + ["val"]),
        ("000000", ["train"] * 6),  # what a table says is obeyed, though nothing is left to test on
        ("222222", ["test"] * 6),
        ("012012", ["train", "val", "test"] * 2),
        (("0.0", "1.0", "2.0"), ["train", "val", "test"]),
        (
            ("Train", "valid", "TEST", "validation", "testing", "dev"),
            ["train", "val", "test", "val", "test", "val"],
        ),
    ],
)
def test_splits_in_their_known_spellings(folder, values, splits):
    assert [item.split for item in listed(folder, column(values, "split"))][: len(splits)] == splits


@pytest.mark.parametrize("value", ["3", "holdout", "fold1", "-1"])
def test_another_split_is_refused_by_value_and_row(folder, value):
    with pytest.raises(UneError, match=f"row 3 of .*split '{value}'"):
        listed(folder, column(["train", value], "split"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ("000000", "stated to be train, so nothing of that split is left to be tested on"),
        ("010101", "stated to be train and val, so nothing of that split is left to be tested on"),
        ("222222", "stated to be test, so nothing of that split is left to be fitted on"),
        ("000002", None),
        (("0", "", "0"), None),  # a hash decides the others
    ],
)
def test_a_split_of_one_side_is_obeyed_and_said(folder, values, said):
    lines = [line for line in remarks(opened(folder, column(values, "split"))) if "stated" in line]
    assert [said in line and "?skip=split" in line for line in lines] == [True] * (said is not None)


def test_folders_called_like_splits_decide_where_they_are_asked(tmp_path):
    """datasets#5021, fastai#1552: they are taken for splits, or classes, of their own accord elsewhere."""
    for name in ("Train/0/a.png", "train/1/b.png", "valid/0/c.png", "testing/1/train.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png((8, 8)))
    plain, asked = (open_corpus(f"folder:{tmp_path}{options}") for options in ("", "?split=folder"))
    assert [item.split for item in plain.items()] == [None] * 4
    assert "4 pictures lie in folders called like splits" in remarks(plain)[1] and len(remarks(plain)) == 2
    assert [item.split for item in asked.items()] == ["train", "test", "train", "val"]
    assert len(remarks(asked)) == 1 and open_corpus(asked.name) == asked
    (tmp_path / "0").mkdir()
    (tmp_path / "0/e.png").write_bytes(png((8, 8)))
    with pytest.raises(UneError, match="'0/e.png' of .* lies in no folder called train, val or test"):
        list(open_corpus(f"folder:{tmp_path}?split=folder").items())
    with pytest.raises(UneError, match="split=hash; it is folder, or a column"):
        open_corpus(f"folder:{tmp_path}?split=hash")


def test_folders_and_a_table_do_not_both_split(folder):
    for name in ("train", "test"):
        (folder / name).mkdir()
        (folder / name / "y.png").write_bytes(png((8, 8)))
        for picture in folder.glob("x*.png"):
            picture.unlink()
    table = "file,split,who\ntrain/y.png,test,ann\ntest/y.png,,ann\n"
    with pytest.raises(UneError, match="states the split of 'test/y.png', and so would"):
        listed(folder, table.replace(",,", ",test,"), "&split=folder")
    items = listed(folder, table, "&split=folder&skip=split")
    assert [(item.image_id, item.split) for item in items] == [
        ("test/y.png", "test"),
        ("train/y.png", "train"),
    ]
    with pytest.raises(UneError, match="who 'ann' stands in test and in train"):
        listed(folder, table, "&split=folder&skip=split&group=who")


def attributes(folder, values, options="") -> list:
    return [item.attributes.get("A") for item in listed(folder, column(values), options)][: len(values)]


def test_attributes_of_two_values(folder):
    assert attributes(folder, ("true", "FALSE", "Yes", "no", "")) == [True, False, True, False, None]
    assert attributes(folder, ("1", "-1", "1.0", "-1.0")) == [True, False, True, False]
    assert attributes(folder, ("1", "0", "")) == [True, False, None]


@pytest.mark.parametrize(
    ("values", "option", "expected"),
    [
        (("1", "0", "-1"), "-1", [True, False, None]),
        (("1", "0", "-1"), "0", [True, None, False]),
        (("1", "0", "NA"), "NA", [True, False, None]),
        (("1", "0", "1"), "-1", [True, False, True]),
        (("1", "-1", "1"), "-1", [True, None, True]),  # as it was told
        (("0", "-1", ""), "-1", [False, None, None]),
    ],
)
def test_a_column_of_three_values_says_which_is_unknown(folder, values, option, expected):
    assert attributes(folder, values, f"&unknown={option}") == expected
    if len(set(values)) == 3 and "" not in values:
        with pytest.raises(UneError, match=r"column 'A' .*\?unknown="):
            attributes(folder, values)


def test_what_is_unknown_is_that_very_text_and_takes_no_word_along_that_means_the_same(folder):
    """A 0 that means unknown in one column is no "no" of another, nor the other way round."""
    rows = "file,mood,out\n" + "".join(
        f"{name},{row}\n" for name, row in zip(NAMES, ("0,no", "1,yes", "-1,no"))
    )
    by_mood = [item.attributes for item in listed(folder, rows, "&unknown=0")]
    assert [found.get("mood") for found in by_mood[:3]] == [None, True, False]
    assert [found.get("out") for found in by_mood[:3]] == [False, True, False]
    with pytest.raises(UneError, match=r"column 'mood' .* say which.*\?unknown=mood:-1 or \?unknown=mood:0"):
        listed(folder, rows, "&unknown=no")


def test_zeros_of_one_column_that_are_unknown_leave_those_of_another(folder):
    rows = "file,mood,out\n" + "".join(f"{name},{row}\n" for name, row in zip(NAMES, ("0,0", "1,1", "-1,0")))
    with pytest.raises(UneError, match="unknown=0 would make every 0 of column 'out' .*COLUMN:0 says it of"):
        listed(folder, rows, "&unknown=0")
    by_mood = [item.attributes for item in listed(folder, rows, "&unknown=mood:0")]
    assert [found.get("mood") for found in by_mood[:3]] == [None, True, False]
    assert [found.get("out") for found in by_mood[:3]] == [False, True, False]


@pytest.mark.parametrize("value", ["maybe", "2", "0.5", "alice"])
def test_a_column_that_is_none_is_refused_with_every_remedy(folder, value):
    with pytest.raises(UneError, match=rf"'A' of .* holds '{value}' \(row 4\).*\?factors=A.*\?skip=A"):
        attributes(folder, ("1", "0", value))
    assert listed(folder, column(("1", "0", value)), "&skip=A")[0].attributes == {}


PEOPLE = ("Ann Lee", "bob", "007", "", "N/A", "Ann Lee")


@pytest.mark.parametrize(
    "values",
    [
        PEOPLE,
        ("31", "25", "1", "0", "31.0", "47"),  # ages: few are true/false words
        ("3", "1", "7", "0", "2", "5"),  # classes: factors only where the caller says so
        ("male", "female", "male", "male", "male", "male"),
        ("2020-01-01",),
    ],
)
def test_a_column_that_is_no_attribute_is_metadata_as_it_stands(folder, values):
    corpus = opened(folder, column([f" {value}" for value in values], "person"))
    items = list(corpus.items())
    assert [item.metadata.get("person", "") for item in items][: len(values)] == list(values)
    assert not any(item.attributes or item.factors for item in items)
    assert "kept as metadata, as neither attributes nor factors: person" in remarks(corpus)


@pytest.mark.parametrize(
    ("values", "value", "row"),
    [
        (("1", "0", "1", "0", "ann", "bob"), "ann", 6),  # more than half are true or false
        (("yes", "no", "unknown", "unknown", "unknown"), "unknown", 4),  # three values
        (("1", "1", "1", "2"), "2", 5),
        (("0", "1", "2", "2", "2"), "2", 4),
        (("1.0", "0.0", "0.5"), "0.5", 4),
    ],
)
def test_a_column_meant_as_an_attribute_is_not_turned_into_metadata(folder, values, value, row):
    with pytest.raises(UneError, match=rf"'A' of .* holds '{value}' \(row {row}\).*\?metadata=A for text"):
        listed(folder, column(values))
    texts = [item.metadata.get("A") for item in listed(folder, column(values), "&metadata=A")]
    assert texts[: len(values)] == list(values)
    if "unknown" in values:
        assert attributes(folder, values, "&unknown=unknown") == [True, False, None, None, None]


def test_letters_are_true_and_false_only_beside_their_opposites(folder):
    """F may be female."""
    assert attributes(folder, ("T", "F", "f", "")) == [True, False, False, None]
    assert attributes(folder, ("y", "N", "n")) == [True, False, False]
    for values in (("M", "F", "F", "F"), ("F", "F"), ("y", "x")):
        items = listed(folder, column(values, "gender"))
        assert [item.metadata.get("gender") for item in items][: len(values)] == list(values)
    with pytest.raises(UneError, match="'A' of .* holds 'maybe'"):
        attributes(folder, ("y", "n", "maybe"))


def test_the_column_of_paths_may_have_another_name(folder):
    table = "id,image_id,A,file\n0,x0.png,1,a\n1,x1.png,0,b\n"
    items = listed(folder, table, "&file=image_id&skip=id")
    assert [item.attributes for item in items[:3]] == [{"A": True}, {"A": False}, {}]
    corpus = opened(folder, table, "&file=image_id")
    assert open_corpus(corpus.name) == corpus
    with pytest.raises(UneError, match=r"no column 'file' .*it has image, A: .*table=…&file=image"):
        listed(folder, ",image,A\n0,x0.png,1\n")
    with pytest.raises(UneError, match="unknown column of .* 'path'"):
        listed(folder, table, "&file=path")


def test_a_spreadsheets_word_on_its_separator_is_obeyed(folder):
    assert listed(folder, "sep=;\r\nfile;caption\r\nx0.png;a,b\r\n")[0].caption == "a,b"
    with pytest.raises(UneError, match="is JSON; a table is a CSV, or Parquet"):
        list(opened(folder, '{"file_name": "x0.png"}\n', name="metadata.jsonl").items())


def test_what_nobody_knows_is_no_metadata(folder):
    items = listed(folder, column(("ann", "NA", "na", "bob"), "who"), "&unknown=NA")
    assert [item.metadata for item in items][:4] == [{"who": "ann"}, {}, {}, {"who": "bob"}]


def test_a_column_has_one_meaning(folder):
    for options in ("&factors=A&metadata=A", "&skip=A&metadata=A", "&skip=A&group=A", "&metadata=caption"):
        with pytest.raises(UneError, match="two of|both be skipped|are no factors, metadata"):
            listed(folder, "file,A,caption\nx0.png,1,a\n", options)


def test_vectors_in_a_parquet_table_are_no_labels(folder):
    path = folder.parent / "labels.parquet"
    pq.write_table(pa.table({"file": ["x0.png"], "person": ["ann"], "emb": [[1.0, 2.0]]}), path)
    with pytest.raises(UneError, match=r"column 'emb' of .* no label: \?skip=emb .*une import"):
        list(open_corpus(f"folder:{folder}?table={path}").items())
    first = next(iter(open_corpus(f"folder:{folder}?table={path}&skip=emb").items()))
    assert first.metadata == {"person": "ann"}


def test_factors_are_whole_numbers(folder):
    items = listed(folder, column(("3", "0", "7.0", "")), "&factors=A")
    assert [item.factors.get("A") for item in items][:4] == [3, 0, 7, None] and not items[0].attributes
    with pytest.raises(UneError, match="row 3 of .*factor 'A' is '1.5'"):
        listed(folder, column(("3", "1.5")), "&factors=A")


def test_a_group_stands_in_one_split(folder):
    people = ("ann", "ann", "bob", "bob", "cy", "cy")
    items = listed(folder, column(people, "person"), "&group=person")
    assert tuple(item.split_group for item in items) == tuple(f"group/{name}" for name in people)
    assert tuple(item.metadata["person"] for item in items) == people
    both = "file,person,split\nx0.png,ann,train\nx1.png,ann,test\n"
    with pytest.raises(UneError, match="person 'ann' stands in train and in test"):
        listed(folder, both, "&group=person")


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xef\xbb\xbffile,caption\r\nx0.png,caf\xc3\xa9\r\n",
        "file;caption\nx0.png;café\n".encode(),
        "file\tcaption\nx0.png\tcafé\n".encode(),
        "file,caption\nx0.png,café\n".encode("utf-16"),
        '"file","caption"\n"x0.png","café"\n'.encode(),
    ],
)
def test_marks_line_ends_separators_and_encodings(folder, encoded):
    assert listed(folder, encoded)[0].caption == "café"


def test_a_separator_other_than_commas_is_said(folder):
    assert "the table's columns are separated by semicolons" in remarks(opened(folder, "file;A\nx0.png;1\n"))


def test_latin_1_is_refused_with_its_line_and_read_when_named(folder):
    table = "file,caption\nx0.png,plain\nx1.png,café\n".encode("latin-1")
    with pytest.raises(UneError, match="line 3 has the byte 0xe9.*encoding=latin-1"):
        listed(folder, table)
    assert listed(folder, table, "&encoding=latin-1")[1].caption == "café"
    with pytest.raises(UneError, match="no such encoding"):
        listed(folder, table, "&encoding=klingon")


def test_quoted_line_breaks_of_any_size(folder):
    long = "a\n" * 200_000
    assert listed(folder, f'file,caption\nx0.png,"{long}"\nx1.png,"a,""b"""\n')[0].caption == long
    assert listed(folder, 'file,caption\nx1.png,"a,""b"""\n')[1].caption == 'a,"b"'


def test_a_row_of_another_width_is_refused(folder):
    with pytest.raises(UneError, match="row 3 of .* has 3 values for 2 columns"):
        listed(folder, "file,caption\nx0.png,a\nx1.png,a,b\n")


def test_a_stray_quote_is_refused_and_swallows_no_rows(folder):
    for table in ('file,caption\nx0.png,"hello\nx1.png,"world"\n', 'file,caption\nx0.png,"open\nx1.png,b\n'):
        with pytest.raises(UneError, match="can't read the table"):
            listed(folder, table)


def test_a_group_takes_the_split_that_one_of_its_rows_states(folder):
    table = "file,who,split\nx0.png,anna,test\nx1.png, anna,\nx2.png,anna ,\nx3.png,bo,train\nx4.png,bo,\n"
    splits = [item.split for item in listed(folder, table, "&group=who")]
    assert splits[:5] == ["test", "test", "test", "train", "train"]


def test_a_column_without_a_name_is_left_out_and_said(folder):
    corpus = opened(folder, ",file,A\n0,x0.png,1\n1,x1.png,0\n2,x2.png,1\n")
    assert next(iter(corpus.items())).attributes == {"A": True}
    assert "a column without a name is not read" in remarks(corpus)


def test_splits_and_captions_may_be_skipped_and_are_no_factors(folder):
    table = "file,split,caption\nx0.png,fold1,text\n"
    item = listed(folder, table, "&skip=split,caption")[0]
    assert item.split is None and item.caption is None
    for options in ("&skip=file", "&factors=split", "&group=caption"):
        with pytest.raises(UneError, match="no factors, metadata or groups"):
            listed(folder, table.replace("fold1", "0"), options)


@pytest.mark.parametrize("column", ["Split", "CAPTION"])
def test_a_column_called_like_a_split_but_for_its_case_is_asked_about(folder, column):
    """It would be metadata, and the pictures split by hash."""
    table = f"file,{column}\n{NAMES[0]},train\n{NAMES[1]},test\n"
    with pytest.raises(UneError, match=f"the column '{column}'; write '{column.lower()}' if it is that"):
        listed(folder, table)
    kept = listed(folder, table, f"&metadata={column}")
    assert kept[0].metadata == {column: "train"} and kept[0].split is kept[0].caption is None
    assert listed(folder, table, f"&skip={column}")[0].metadata == {}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\3\4 of a spreadsheet", "a zip file, as Excel's .*save it as CSV"),
        (gzip.compress(b"file,A\n", mtime=0), "compressed by gzip: unpack it"),
        (b"PAR1 and more", "Parquet: let its name end in .parquet"),
    ],
)
def test_a_table_that_is_no_text_says_what_it_is(folder, data, said):
    with pytest.raises(UneError, match=said):
        listed(folder, data)


def test_repeated_rows_are_counted_or_refused(folder):
    assert "1 of the rows repeat another word for word" in remarks(
        opened(folder, "file,A\nx0.png,1\nx0.png,1\n")
    )
    with pytest.raises(UneError, match="row 3 .*'./x0.png' has a row already"):
        listed(folder, "file,A\nx0.png,1\n./x0.png,0\n")
    with pytest.raises(UneError, match="the column 'A' more than once"):
        listed(folder, "file,A,A\nx0.png,1,1\n")


@pytest.mark.parametrize(
    "written",
    [
        "./deep/é.png",
        "deep\\é.png",
        unicodedata.normalize("NFD", "deep/é.png"),
        "deep//é.png",
        " deep/é.png ",
    ],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_other_writings_of_a_name_are_that_name(folder, written, form):
    (folder / "deep").mkdir()
    name = unicodedata.normalize(form, "é.png")
    (folder / "deep" / name).write_bytes(png((8, 8)))
    items = {item.image_id: item for item in listed(folder, f"file,A\n{written},1\n")}
    assert items[f"deep/{name}"].attributes == {"A": True}


def test_one_name_in_two_forms_is_refused(folder):
    for form in ("NFC", "NFD"):
        (folder / unicodedata.normalize(form, "é.png")).write_bytes(png((8, 8)))
    with pytest.raises(UneError, match="more than one file 'é.png'"):
        listed(folder, "file,A\né.png,1\n")


def test_what_found_no_partner_is_counted_and_shown(folder):
    said = remarks(opened(folder, "file,A\nx0.png,1\nx1.png,1\ngone.png,0\n"))
    assert "4 pictures without a row, which have no labels: x2.png, x3.png, x4.png, …" in said
    assert "1 row without a picture, which are not used: gone.png" in said


def test_names_that_differ_in_case_alone_are_said(folder):
    """On the machine that wrote the table they were one name."""
    said = remarks(opened(folder, "file,A\nx0.png,1\nX1.PNG,1\ngone.png,0\n"))
    assert said[-1] == "1 row would find one but for upper and lower case, as X1.PNG and x1.png"


def test_a_parquet_table_is_read_by_the_same_rules(folder):
    table = {
        "file": list(NAMES),
        "split": [0, 1, 2, 0, 0, 0],
        "A": [True, False, None, True, True, True],
        "B": [1.0, -1.0, None, 1, 1, 1],
        "caption": list("abcdef"),
    }
    pq.write_table(pa.table(table), folder.parent / "labels.parquet")
    items = list(open_corpus(f"folder:{folder}?table={folder.parent}/labels.parquet").items())
    assert [item.split for item in items[:3]] == ["train", "val", "test"]
    assert items[1].attributes == {"A": False, "B": False} and items[2].attributes == {}


def test_options_of_a_table_need_one_and_survive_a_name(folder):
    with pytest.raises(UneError, match=r"\?group is of a table"):
        open_corpus(f"folder:{folder}?group=person")
    corpus = opened(folder, column("123456"), "&factors=A&unknown=NA")
    assert open_corpus(corpus.name) == corpus
    with pytest.raises(UneError, match="unknown column of .* 'B'"):
        listed(folder, column("10"), "&skip=B")


def test_pictures_are_known_by_content_and_the_rest_is_counted(tmp_path):
    for name in ("a.JPG", "b.jfif", "c", "d.weird", "e.JPE"):
        (tmp_path / name).write_bytes(png((8, 8), format="JPEG"))
    for name in ("notes.txt", "more.TXT", ".DS_Store", "._a.JPG", "empty", "table.csv"):
        (tmp_path / name).write_bytes(b"P6 is a word" if name == "empty" else b"BM is a text\n")
    (tmp_path / "f\tö\u200bname.png").write_bytes(png((8, 8)))
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real", target_is_directory=True)
    for name in ("raw.CR2", "@eaDir/a.JPG/thumb.jpg"):  # a camera's, a NAS' thumbnail of another picture
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"II*\0\x10\0\0\0CR" if name == "raw.CR2" else png((8, 8)))
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "pipe.png")
    corpus = open_corpus(f"folder:{tmp_path}")
    ids = [item.image_id for item in corpus.items()]
    assert ids == ["a.JPG", "b.jfif", "c", "d.weird", "e.JPE", "empty", "f\tö\u200bname.png", "pipe.png"]
    with pytest.raises(Unreadable, match="pipe.png is no file"):
        corpus.read("pipe.png")
    (said,) = remarks(corpus)
    assert (
        said.startswith("17 files, 8 pictures; 9 left out: ")
        and "2 .txt" in said
        and "3 hidden" in said
        and "1 .cr2" in said
        and "1 linked folder" in said
    )


@pytest.mark.parametrize(
    ("ask", "place", "look"),
    [
        (pictures_in, os.path, "isfile"),
        (pictures_in, LocalFileSystem, "open"),
        (stamp_of, LocalFileSystem, "ukey"),
    ],
)
def test_a_file_that_goes_while_its_folder_is_listed_was_never_there(tmp_path, monkeypatch, ask, place, look):
    """As another program's temporary files do."""
    (tmp_path / "a.png").write_bytes(png((8, 8)))
    alone, original = ask(str(tmp_path)), getattr(place, look)

    def gone(*arguments, **options):
        (tmp_path / "b.part").unlink(missing_ok=True)
        return original(*arguments, **options)

    monkeypatch.setattr(place, look, gone)
    (tmp_path / "b.part").write_bytes(b"half a picture")
    assert ask(str(tmp_path)) == alone and not (tmp_path / "b.part").exists()


def test_a_folder_that_goes_while_it_is_listed_was_never_there(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(png((8, 8)))
    alone, walk = stamp_of(str(tmp_path)), os.walk

    def gone(root, **options):
        for found in walk(root, **options):
            yield found
            if (tmp_path / "b").exists():
                (tmp_path / "b").rmdir()

    monkeypatch.setattr(os, "walk", gone)
    (tmp_path / "b").mkdir()
    assert stamp_of(str(tmp_path)) == alone and not (tmp_path / "b").exists()
