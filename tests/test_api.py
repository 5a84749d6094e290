"""The front door in Python: what a notebook does, and what it costs to import."""

import pickle
import subprocess
import sys
import unicodedata

import duckdb
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import une_ray
from tests.helpers.lakes import fill, items, write
from une_ray.cli.main import app
from une_ray.corpora import Item, open_corpus
from une_ray.corpora.avatars import Avatars
from une_ray.errors import UneError
from une_ray.lake import results, schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> str:
    """Ten images in the space a/b, i3 among them a reject."""
    lake = fill(create(Lake(str(tmp_path_factory.mktemp("lake"))), "test:10", iter(items()), 4))
    results.commit(lake, "probes", {"space": "a/b"}, [{"space": "a/b", "attribute": "Even", "auc": 0.75}])
    return lake.url


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> une_ray.Lake:
    """A lake of six avatars, read and in no space."""
    lake = create(Lake(str(tmp_path_factory.mktemp("drawn"))), "avatars:6", Avatars(6).items(), 8)
    rows = [row | {"status": "ok"} for row in lake.plan(0).to_pylist()]
    write(lake, f"images/{shard_file(0)}", rows, schema.IMAGES)
    return une_ray.open(lake.url)


def test_importing_it_imports_nothing_heavy():
    code = "import sys, une_ray; une_ray.UneError; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert "une_ray" in modules and not {"torch", "ray", "duckdb", "numpy", "pyarrow"} & set(modules)


def test_it_names_what_it_has():
    assert set(une_ray.__all__) <= set(dir(une_ray))
    with pytest.raises(AttributeError, match="has no attribute 'opne'; it has Edit, Lake"):
        une_ray.opne  # noqa: B018


def test_sql_gives_a_relation_and_faults_in_one_line(url):
    lake = une_ray.open(url)
    assert lake.sql("SELECT space, images FROM counts WHERE status = ?", ["ok"]).fetchall() == [("a/b", 9)]
    assert lake.session is lake.session, "one database for an open lake"
    with pytest.raises(UneError, match="SQL: .*lattents"):
        lake.sql("FROM lattents")


def test_what_only_the_rows_show_is_duckdbs_error_but_where_they_are_fetched_for_the_caller(url):
    lake, query = une_ray.open(url), "FROM nearest('a/c', 'i1', 2)"
    with pytest.raises(duckdb.Error, match="no space 'a/c'.* it has a/b"):
        lake.sql(query).fetchall()
    with pytest.raises(UneError, match="SQL: .*no space 'a/c'.* it has a/b"):
        lake.contact_sheet(query)


def test_spaces_and_their_latents(url):
    lake = une_ray.open(url)
    assert lake.spaces == {"a/b": "model"} and lake.space("a/b").role == "model"
    image_ids, z = lake.space("a/b").latents()
    assert image_ids == [f"i{n}" for n in range(10) if n != 3] and z.shape == (9, 4) and z.dtype == np.float32
    assert (z[:, 0] == [n + 1 for n in range(10) if n != 3]).all()
    tested = lake.space("a/b").latents(split="test")
    assert tested.image_ids == ["i0", "i6", "i9"]
    for read in (lake.space("a/b").latents, lambda split: list(lake.space("a/b").blocks(split=split))):
        with pytest.raises(UneError, match="unknown split of .* 'trian'; known, nearest first: train, test$"):
            read(split="trian")
    blocks = list(lake.space("a/b").blocks(rows=4))
    assert len(blocks) > 1 and [i for block in blocks for i in block.image_ids] == image_ids
    with pytest.raises(UneError, match="unknown space 'a/c'; known, nearest first: a/b"):
        lake.space("a/c")


def test_a_space_with_its_labels_is_a_table_for_anything(url):
    table = une_ray.open(url).space("a/b").table()
    assert table.column_names == ["image_id", "split", "caption", "Even", "z"]
    frame = table.to_pandas()
    assert frame.set_index("image_id").loc["i4", "Even"] and list(frame["z"].iloc[0]) == [1, 1, 1, 1]


def test_attributes_that_are_called_like_other_columns_stand_apart(tmp_path):
    import pyarrow.parquet as pq

    names = ("z", "image_id", "metadata.age", "attributes.z", "Even")
    named = [
        Item(f"i{n}", f"i{n}", attributes=dict.fromkeys(names, n % 2 == 0), metadata={"age": "7"})
        for n in range(10)
    ]
    lake = fill(create(Lake(str(tmp_path / "lake")), "test:10", iter(named), 4))
    space = une_ray.open(lake.url).space("a/b")
    table = space.table()
    assert table.column_names == [
        *("image_id", "split", "caption", "Even", "attributes.z", "attributes.image_id"),
        *("attributes.metadata.age", "attributes.attributes.z", "metadata.age", "z"),
    ]
    assert table["image_id"].to_pylist() == space.latents().image_ids
    assert table["attributes.image_id"].to_pylist() == table["Even"].to_pylist()
    assert len(table["z"][0].as_py()) == 4 and table["metadata.age"][0].as_py() == "7"
    assert space.export(tmp_path / "a.parquet") == space.export(tmp_path / "a.npy") == 9
    assert pq.read_table(tmp_path / "a.parquet").column_names == table.column_names
    assert np.load(tmp_path / "a.npy").shape == (9, 4)


def test_two_lakes_in_one_session(url, tmp_path):
    other = fill(create(Lake(str(tmp_path / "other")), "test:10", iter(items()), 4), "c/d")
    both = une_ray.open(url, other.url, old=other.url)
    assert both.sql("SELECT space FROM counts UNION SELECT space FROM b.counts ORDER BY ALL").fetchall() == [
        ("a/b",),
        ("c/d",),
    ]
    assert both.sql("SELECT count(*) FROM old.latents").fetchall() == [(9,)]


def test_an_open_lake_travels_as_its_address(url):
    lake = une_ray.open(url)
    lake.sql("FROM counts")
    again = pickle.loads(pickle.dumps(lake))
    assert again.url == lake.url and again.rows("SELECT count(*) FROM images") == [(10,)]


def test_there_is_no_lake_where_there_is_none(tmp_path):
    with pytest.raises(UneError, match="no lake at"):
        une_ray.open(tmp_path)


def test_pictures_one_by_one_and_on_a_sheet(drawn):
    picture = drawn.picture("avatar-0-00000003")
    assert picture.size == (64, 64)
    sheet = drawn.contact_sheet("SELECT image_id, split FROM images", columns=3)
    assert sheet.width > 3 * 64 and sheet.height > 2 * 64
    with pytest.raises(UneError, match="no image 'nobody' in .*; its ids look like 'avatar-0-0000000"):
        drawn.picture("nobody")
    with pytest.raises(UneError, match="gives rows with an image_id"):
        drawn.contact_sheet("SELECT 1 AS one")
    with pytest.raises(UneError, match="gives no rows"):
        drawn.contact_sheet("CREATE TEMP TABLE nothing (i INT)")


def test_a_picture_is_found_however_its_accents_are_written(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("mon été 5.png", "plain.png"):
        Image.new("RGB", (8, 6), "red").save(tmp_path / "photos" / name)
    corpus = f"folder:{tmp_path}/photos"
    lake = create(Lake(str(tmp_path / "lake")), corpus, open_corpus(corpus).items(), 8)
    plan = lake.plan(0).to_pylist()
    rows = [row | {"status": "reject" if n == 0 else "ok", "error": "broken"} for n, row in enumerate(plan)]
    write(lake, f"images/{shard_file(0)}", rows, schema.IMAGES)
    opened = une_ray.open(lake.url)
    for form in ("NFC", "NFD"):
        assert opened.picture(unicodedata.normalize(form, "mon été 5.png")).size == (8, 6)
    with pytest.raises(UneError, match=f"its ids look like {plan[1]['image_id']!r}"):
        opened.picture("mon ete 5.png")


def test_show_writes_into_a_new_folder_and_says_its_faults_in_a_line(drawn, tmp_path):
    def show(out: str, query: str = "SELECT image_id FROM images") -> str:
        words = ["show", drawn.url, "-c", query, "--out", str(tmp_path / out)]
        done = CliRunner().invoke(app, words)
        assert isinstance(done.exception, UneError | None), done.exception
        return str(done.exception or done.output)

    assert show("new/sheet.webp").strip().endswith("sheet.webp") and (tmp_path / "new/sheet.webp").exists()
    assert "e.xyz: no picture's ending; name a file that ends in .png, .jpg or .webp" in show("e.xyz")
    assert "ending" in show("nameless")
    assert "can't be written: FileExistsError" in show("new/sheet.webp/e.png")
    assert "SQL: Invalid Input Error: this lake has no latents yet" in show(
        "e.png", "FROM nearest('a/c', 'i1', 2)"
    )


def test_a_notebook_shows_what_a_lake_holds(url, drawn):
    shown = une_ray.open(url)._repr_html_()
    assert all(part in shown for part in ("test:10", "a/b", "model", "probes", "10 items"))
    assert "nothing has been asked of it yet" in drawn._repr_html_()


def test_status_and_verify_are_calls(url):
    lake = une_ray.open(url)
    assert [table.name for table in lake.status().tables] == ["images", "a/b"]
    assert lake.verify()[-1].startswith("space a/b: 9 latents of length 4")


def test_an_empty_address_is_refused_not_taken_for_this_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (lambda: une_ray.open(""), lambda: une_ray.build("avatars:5", "pixels-16", "")):
        with pytest.raises(UneError, match="the address of a folder is empty"):
            call()
    assert not list(tmp_path.iterdir())
