"""Corpora over files: folder, celeba, parquet, hub; and names that open none."""

import io
import os
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.pictures import png
from une_ray.corpora import open_corpus
from une_ray.corpora.base import Unreadable, remarks
from une_ray.errors import UneError
from une_ray.run.shard import read_bytes


def test_a_folder_is_read_nested_and_sorted_by_its_path(tmp_path):
    for name in ("b.png", "deep/er/a.JPG", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"words" if name == "notes.txt" else png())
    corpus = open_corpus(f"folder:{tmp_path}")
    items = list(corpus.items())
    assert [item.image_id for item in items] == ["b.png", "deep/er/a.JPG"]
    assert corpus.read(items[1].source) == png()


def test_a_folders_table_gives_captions_splits_and_attributes(tmp_path):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(png())
    table = tmp_path / "labels.csv"
    table.write_text("file,caption,split,Smiling,Young\na.png,a face,test,1,-1\nb.png,,,true,\n")
    first, second = open_corpus(f"folder:{tmp_path}?table={table}").items()
    assert (first.caption, first.split, first.attributes) == (
        "a face",
        "test",
        {"Smiling": True, "Young": False},
    )
    assert second.attributes == {"Smiling": True}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,Smiling\na.png,1\n", "no column 'file'"),
        ("file,Smiling\na.png,maybe\nb.png,1\nc.png,0\n", "'maybe'"),
        ("file,Smiling\nz.png,1\n", "no row of"),
    ],
)
def test_a_bad_table_is_one_clear_error(tmp_path, text, message):
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(UneError, match=message):
        list(open_corpus(f"folder:{tmp_path}?table={tmp_path}/labels.csv").items())


@pytest.mark.parametrize("source", ["../secret.png", "link.png"])
def test_a_path_that_leaves_the_folder_is_not_read(tmp_path, source):
    (tmp_path / "secret.png").write_bytes(png())
    (tmp_path / "in").mkdir()
    os.symlink(tmp_path / "secret.png", tmp_path / "in" / "link.png")
    with pytest.raises(OSError, match="leads out of"):
        open_corpus(f"folder:{tmp_path}/in").read(source)


@pytest.fixture
def celeba(tmp_path):
    (tmp_path / "img_align_celeba").mkdir()
    for i in (1, 2, 3):
        (tmp_path / "img_align_celeba" / f"{i:06}.jpg").write_bytes(png(seed=i, format="JPEG"))
    (tmp_path / "list_attr_celeba.txt").write_text(
        "3\nMale Smiling\n000001.jpg  1 -1\n000002.jpg -1 -1\n000003.jpg -1  1\n"
    )
    (tmp_path / "list_eval_partition.txt").write_text("000001.jpg 0\n000002.jpg 1\n000003.jpg 2\n")
    return tmp_path


def test_celeba_is_read_in_its_published_layout(celeba):
    corpus = open_corpus(f"celeba:{celeba}")
    items = list(corpus.items())
    assert [(item.split, item.attributes["Male"], item.attributes["Smiling"]) for item in items] == [
        ("train", True, False),
        ("val", False, False),
        ("test", False, True),
    ]
    assert corpus.read(items[0].source)[:2] == b"\xff\xd8"
    assert [item.image_id for item in open_corpus(f"celeba:{celeba}?partition=val").items()] == ["000002.jpg"]


def test_celeba_is_read_as_it_circulates(celeba):
    """vision#2262: two CSV files, and the pictures one folder deeper."""
    published = list(open_corpus(f"celeba:{celeba}").items())
    pictures = celeba / "img_align_celeba"
    pictures.rename(celeba / "inner")
    pictures.mkdir()
    (celeba / "inner").rename(pictures / "img_align_celeba")
    (celeba / "list_attr_celeba.csv").write_text(
        "image_id,Male,Smiling\n000001.jpg,1,-1\n000002.jpg,-1,-1\n000003.jpg,-1,1\n"
    )
    (celeba / "list_eval_partition.csv").write_text(
        "image_id,partition\n000001.jpg,0\n000002.jpg,1\n000003.jpg,2\n"
    )
    for name in ("list_attr_celeba.txt", "list_eval_partition.txt"):
        (celeba / name).unlink()
    corpus = open_corpus(f"celeba:{celeba}")
    items = list(corpus.items())
    facts = [[(item.image_id, item.split, item.attributes) for item in some] for some in (items, published)]
    assert facts[0] == facts[1] and corpus.read(items[0].source)[:2] == b"\xff\xd8"


def test_a_celeba_folder_that_is_not_whole_is_refused(celeba):
    (celeba / "list_attr_celeba.txt").write_text("9\nMale Smiling\n000001.jpg 1 1\n")
    with pytest.raises(UneError, match="announces 9 rows and has 1"):
        list(open_corpus(f"celeba:{celeba}").items())
    (celeba / "list_eval_partition.txt").unlink()
    with pytest.raises(UneError, match="no list_eval_partition.txt"):
        list(open_corpus(f"celeba:{celeba}").items())


@pytest.mark.parametrize("nested", [False, True])
def test_parquet_images_come_back_by_row(tmp_path, nested):
    data = [png(seed=i) for i in range(5)]
    images = [{"bytes": b, "path": None} for b in data] if nested else data
    table = pa.table(
        {
            "image": images,
            "key": [f"k{i}" for i in range(5)],
            "text": ["t"] * 5,
            "Smiling": [True, False, None, True, True],
            "age": [31, None, 0, 1, 2],
        }
    )
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2)
    corpus = open_corpus(f"parquet:{tmp_path}?id=key&caption=text&metadata=age,key")
    items = list(corpus.items())
    assert [corpus.read(item.source) for item in items] == data
    assert [item.image_id for item in items] == [f"k{i}" for i in range(5)]
    assert items[0].attributes == {"Smiling": True} and items[2].attributes == {} and items[0].caption == "t"
    assert items[0].metadata == {"age": "31", "key": "k0"} and items[1].metadata == {"key": "k1"}
    assert open_corpus(corpus.name) == corpus
    with pytest.raises(UneError, match="column 'image' .* no metadata"):
        list(open_corpus(f"parquet:{tmp_path}?metadata=image").items())


def test_files_of_parquet_that_are_none_are_left_out_and_said_or_named(tmp_path):
    """datasets#4077, deeplearning4j#8080: empty files, and those that macOS keeps beside others."""
    pq.write_table(pa.table({"jpg": [png()], "key": ["a"]}), tmp_path / "00000.parquet")
    (tmp_path / "00001.parquet").touch()
    (tmp_path / "._00000.parquet").write_bytes(b"\0\5\x16\7 of macOS")
    corpus = open_corpus(f"parquet:{tmp_path}?image=jpg&id=key")
    assert [item.image_id for item in corpus.items()] == ["a"]
    assert remarks(corpus) == ["2 empty or hidden files left out: ._00000.parquet, 00001.parquet"]
    with pytest.raises(UneError, match=r"has no column 'image' .*it has jpg, key: .*as in \?image=jpg"):
        list(open_corpus(f"parquet:{tmp_path}").items())
    (tmp_path / "00002.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(UneError, match="00002.parquet can't be read as Parquet: .*get it again, or move"):
        list(open_corpus(f"parquet:{tmp_path}?image=jpg").items())


@pytest.mark.parametrize("other", [[1, 0], ["True", "False"], [[True], [False]]])
def test_a_label_that_is_none_in_another_file_is_refused(tmp_path, other):
    """Files of one data set that were written apart: its pictures would have no label, in silence."""
    for name, values in {"a": [True, None], "b": [None, None], "c": other}.items():
        table = {"image": [png()] * 2, "Smiling": values}
        pq.write_table(pa.table(table), tmp_path / f"{name}.parquet")
    with pytest.raises(UneError, match="'Smiling' is bool in .*a.parquet and .* in .*c.parquet: a label in"):
        list(open_corpus(f"parquet:{tmp_path}").items())
    (tmp_path / "c.parquet").unlink()
    labels = [item.attributes for item in open_corpus(f"parquet:{tmp_path}").items()]
    assert labels == [{"Smiling": True}, {}, {}, {}]


def test_captions_and_ids_of_parquet_are_texts_or_refused(tmp_path):
    table = {"image": [png()] * 2, "number": [7, 8], "lists": [["a", "b"], ["c"]], "float": [1.0, None]}
    table |= {"bytes": [b"a", b"b"], "digest": pa.array([b"ab", b"cd"], pa.binary(2))}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    captions = [item.caption for item in open_corpus(f"parquet:{tmp_path}?caption=number").items()]
    assert captions == ["7", "8"]
    with pytest.raises(UneError, match="'lists' of .* is list.*, and a caption is one text"):
        list(open_corpus(f"parquet:{tmp_path}?caption=lists").items())
    for column, kind in {"lists": "list<.*>", "bytes": "binary", "digest": r"fixed_size_binary\[2\]"}.items():
        with pytest.raises(UneError, match=f"'{column}' of .* is {kind}, and an id is one text or number"):
            list(open_corpus(f"parquet:{tmp_path}?id={column}").items())
    with pytest.raises(UneError, match="'float' of .* is double, .*would write 12 as 12.0: cast it"):
        list(open_corpus(f"parquet:{tmp_path}?id=float").items())


def test_what_parquet_holds_and_is_not_read_is_said(tmp_path):
    """A label of 0 and 1, a split and a caption are easily taken for read (FAI-RL#81: rows dropped in
    silence)."""
    table = {"image": [png()] * 2, "Smiling": [1, 0], "split": ["train", "test"], "Young": [True, False]}
    pq.write_table(pa.table(table), tmp_path / "x.parquet")
    (said,) = remarks(open_corpus(f"parquet:{tmp_path}"))
    assert said.startswith("columns that are not read: Smiling (int64), split (string); ?metadata=")
    assert remarks(open_corpus(f"parquet:{tmp_path}?metadata=Smiling&caption=split")) == []


def test_rows_without_bytes_or_without_an_id_say_what_they_lack(tmp_path):
    images = [{"bytes": None, "path": "img/a.png"}, {"bytes": None, "path": None}, {"bytes": png()}]
    pq.write_table(pa.table({"image": images, "key": ["a", None, "c"]}), tmp_path / "x.parquet")
    corpus = open_corpus(f"parquet:{tmp_path}")
    for item, said in zip(
        corpus.items(), ("holds the path 'img/a.png' and no bytes", "is empty in this row")
    ):
        with pytest.raises(Unreadable, match=said):
            corpus.read(item.source)
    with pytest.raises(UneError, match="row 2 of row group 0 of .*x.parquet has no key"):
        list(open_corpus(f"parquet:{tmp_path}?id=key").items())


def test_a_missing_parquet_column_names_those_there_are(tmp_path):
    pq.write_table(pa.table({"picture": [b"x"]}), tmp_path / "x.parquet")
    with pytest.raises(UneError, match="'image'.*picture"):
        list(open_corpus(f"parquet:{tmp_path}/x.parquet").items())


def test_a_data_set_in_the_hubs_layout_is_read(tmp_path):
    import datasets

    rows = {
        "image": [{"bytes": png(seed=i), "path": None} for i in range(3)],
        "text": ["a", "b", "c"],
        "Smiling": [True, False, True],
        "label": [1, 0, None],
        "told": [-1, 1, 0],  # as test splits have it
    }
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "text": datasets.Value("string"),
            "Smiling": datasets.Value("bool"),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "told": datasets.ClassLabel(names=["no", "yes"]),
        }
    )
    datasets.Dataset.from_dict(rows, features).to_parquet(tmp_path / "train-00000-of-00001.parquet")
    corpus = open_corpus(f"hub:{tmp_path}?caption=text&metadata=label,told")
    items = list(corpus.items())
    assert [item.caption for item in items] == ["a", "b", "c"] and items[1].attributes == {"Smiling": False}
    assert corpus.read(items[2].source) == png(seed=2)
    assert [item.metadata for item in items] == [
        {"label": "dog"},
        {"label": "cat", "told": "yes"},
        {"told": "no"},
    ]
    assert remarks(corpus) == []
    (said,) = remarks(open_corpus(f"hub:{tmp_path}"))
    assert said.startswith("columns that are not read: text (string), label (int64)")
    for option in ("metadata", "caption"):
        with pytest.raises(UneError, match="column 'image' .*, neither metadata nor a caption"):
            list(open_corpus(f"hub:{tmp_path}?{option}=image").items())
    for column, said in {"label": ["dog", "cat", None], "told": [None, "yes", "no"]}.items():
        captions = [item.caption for item in open_corpus(f"hub:{tmp_path}?caption={column}").items()]
        assert captions == said


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("faces", "KIND:ARGUMENT"),
        ("foldr:/x", "nearest first: folder"),
        ("folder:/nowhere/at/all", "not a folder"),
        ("folder:/tmp?tabel=x", "nearest first: table"),
        ("hub:owner/name", "needs a revision"),
        ("parquet:/nowhere.parquet", "does not exist"),
        ("celeba:/tmp?partition=validation", "nearest first: train|nearest first: val"),
    ],
)
def test_a_name_that_opens_nothing_says_what_would(text, message):
    with pytest.raises(UneError, match=message):
        list(open_corpus(text).items())


def test_an_image_over_the_size_limit_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(png())
    monkeypatch.setattr("une_ray.corpora.files.MAX_BYTES", 10)
    with pytest.raises(OSError, match="over the limit of 10"):
        open_corpus(f"folder:{tmp_path}").read("a.png")


@pytest.mark.parametrize(
    ("error", "fate"), [(TimeoutError("slow"), "retried"), (FileNotFoundError("gone"), "reject")]
)
def test_faults_that_pass_are_tried_again_and_others_are_rejects(monkeypatch, error, fate):
    monkeypatch.setattr("une_ray.run.shard.PAUSE", 0.0)
    calls = []

    class Flaky:
        def read(self, source):
            calls.append(source)
            if len(calls) < 3:
                raise error
            return b"data"

    (found,) = read_bytes(Flaky(), ["a"])
    assert (
        (found == b"data" and len(calls) == 3)
        if fate == "retried"
        else (isinstance(found, Unreadable) and len(calls) == 1)
    )


def test_a_fault_that_does_not_pass_ends_the_build_rather_than_lose_good_images(monkeypatch):
    monkeypatch.setattr("une_ray.run.shard.PAUSE", 0.0)

    class Down:
        def read(self, source):
            raise TimeoutError("no answer")

    with pytest.raises(UneError, match="after 3 tries"):
        list(read_bytes(Down(), ["a"]))


@pytest.mark.parametrize("value", ["text", 3])
def test_a_parquet_column_that_holds_no_images_is_refused(tmp_path, value):
    pq.write_table(pa.table({"image": [value]}), tmp_path / "x.parquet")
    with pytest.raises(UneError, match="not encoded images"):
        list(open_corpus(f"parquet:{tmp_path}/x.parquet").items())


def test_a_name_with_awkward_letters_opens_the_same_corpus_again(tmp_path):
    (tmp_path / "a+b&c.csv").write_text("file,Smiling\na.png,1\n")
    corpus = open_corpus(f"folder:{tmp_path}?table={quote(str(tmp_path / 'a+b&c.csv'))}")
    assert open_corpus(corpus.name) == corpus


def test_pictures_of_the_tests_are_pictures():
    assert io.BytesIO(png()).read(4) == b"\x89PNG"


@pytest.mark.parametrize("asked", [lambda corpus: list(corpus.items()), lambda corpus: corpus.stamp()])
def test_a_label_table_that_is_not_there_says_where_it_was_looked_for(tmp_path, asked):
    with pytest.raises(
        UneError, match="no label table .*labels.csv; table= is a path from the current folder"
    ):
        asked(open_corpus(f"folder:{tmp_path}?table={tmp_path}/labels.csv"))


def test_a_folder_without_its_kind_is_asked_for(tmp_path):
    with pytest.raises(UneError, match=f"do you mean folder:{tmp_path}?"):
        open_corpus(str(tmp_path))
    with pytest.raises(UneError) as nothing:
        open_corpus(str(tmp_path / "none"))
    assert "do you mean" not in str(nothing.value)
