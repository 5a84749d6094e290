"""Corpora that know a picture by its row: rows at the end grow a lake, rows anywhere else are refused."""

import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from une_ray.corpora import open_corpus
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.layout import Lake, shard_file
from une_ray.lake.listed import FILE, last_listing, planned

MOVED = r"{file}: image '.*' is not the picture that .* has read: .* add rows at the end alone"


def write(path: Path, numbers, group: int = 4) -> None:
    """Rows that are no pictures: only their bytes are compared."""
    path.parent.mkdir(exist_ok=True)
    rows = {"image": [b"picture %d" % n for n in numbers], "key": [f"k{n}" for n in numbers]}
    pq.write_table(pa.table(rows), path, row_group_size=group)


def built(corpus: str, url: str, shards: int | None = None) -> Lake:
    """The lake, planned or grown, with what a build reads of every picture of its first shards."""
    lake, opened = planned(Lake(url), open_corpus(corpus), 3), open_corpus(corpus)
    for shard in range(lake.shards if shards is None else shards):
        rows = lake.plan(shard).to_pylist()
        for row in rows:
            row |= {"sha256": hashlib.sha256(opened.read(row["source"])).hexdigest(), "status": "ok"}
        table = pa.Table.from_pylist(rows, schema=schema.IMAGES)
        lake.store.commit(f"images/{shard_file(shard)}", schema.parquet(table, {}), replace=False)
    return Lake(url)


@pytest.fixture
def faces(tmp_path) -> Path:
    folder = tmp_path / "faces"
    for number, name in enumerate("abc"):
        write(folder / f"{name}.parquet", range(100 * number, 100 * number + 10))
    return folder


CHANGES = {
    "in front": [50, *range(10)],
    "in the middle": [*range(6), 50, *range(6, 10)],
    "taken out and more at the end": [*range(4), *range(5, 14)],
    "in another order": [*range(8), 9, 8],
    "replaced": [*range(9), 50],
}


@pytest.mark.parametrize("what", CHANGES)
def test_rows_that_moved_are_refused_and_nothing_is_written(tmp_path, faces, what):
    url = str(tmp_path / "lake")
    before = built(f"parquet:{faces}", url).manifest
    write(faces / "a.parquet", CHANGES[what])
    for check in (False, True):
        with pytest.raises(UneError, match=MOVED.format(file="a.parquet")):
            planned(Lake(url), open_corpus(f"parquet:{faces}"), check=check)
    assert Lake(url).manifest == before
    write(faces / "a.parquet", range(10))
    assert planned(Lake(url), open_corpus(f"parquet:{faces}")).manifest == before


def test_rows_at_the_end_and_files_after_the_last_grow_the_lake(tmp_path, faces, monkeypatch):
    corpus, url = f"parquet:{faces}", str(tmp_path / "lake")
    built(corpus, url)
    write(faces / "b.parquet", range(100, 115))
    write(faces / "d.parquet", range(300, 310))
    opened, read = open_corpus(corpus), []
    original = type(opened).read
    monkeypatch.setattr(
        type(opened), "read", lambda self, source: read.append(source) or original(self, source)
    )
    assert planned(Lake(url), opened).manifest["images"] == 45
    assert len(read) == 10 and all("b.parquet" in source for source in read)  # the others are as they were
    monkeypatch.undo()
    lake = built(corpus, url)
    assert lake.rows("SELECT count(*), count(DISTINCT sha256) FROM images") == [(45, 45)]


def test_a_lake_whose_listing_names_no_files_grows_and_is_guarded_all_the_same(tmp_path, faces):
    """That of an earlier une_ray, whose stamp is another too."""
    corpus, url = f"parquet:{faces}", str(tmp_path / "lake")
    lake = built(corpus, url)
    record = json.loads(lake.store.read(FILE))
    assert len(record.pop("files")) == 3
    lake.store.commit(FILE, json.dumps(record | {"stamp": "of before"}).encode())
    assert last_listing(lake).files == {}
    write(faces / "c.parquet", [50, *range(200, 210)])
    with pytest.raises(UneError, match=MOVED.format(file="c.parquet")):
        planned(Lake(url), open_corpus(corpus))
    write(faces / "c.parquet", range(200, 211))
    assert planned(Lake(url), open_corpus(corpus)).manifest["images"] == 31
    assert len(last_listing(lake).files) == 3


def test_of_many_files_the_first_rows_and_the_last_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr("une_ray.lake.positions.PARTS_IN_ALL", 2)
    folder = tmp_path / "many"
    for name in "abcd":
        write(folder / f"{name}.parquet", range(ord(name) * 100, ord(name) * 100 + 40))
    built(f"parquet:{folder}", str(tmp_path / "lake"))
    for name in "abc":
        write(folder / f"{name}.parquet", range(ord(name) * 100, ord(name) * 100 + 40))
    write(folder / "d.parquet", [*range(10_000, 10_020), 9, *range(10_020, 10_040)])
    with pytest.raises(UneError, match="d.parquet: image '3-9-0' is not the picture"):  # the tenth of ten
        planned(Lake(str(tmp_path / "lake")), open_corpus(f"parquet:{folder}"))


def test_pictures_that_were_planned_and_never_read_are_what_they_are_now(tmp_path, faces):
    corpus, url = f"parquet:{faces}", str(tmp_path / "lake")
    built(corpus, url, shards=1)
    write(faces / "c.parquet", [50, *range(200, 210)])
    assert planned(Lake(url), open_corpus(corpus)).manifest["images"] == 31
    lake = built(corpus, url)
    assert lake.rows("SELECT count(*), count(DISTINCT sha256) FROM images") == [(31, 31)]


def test_rows_that_are_gone_are_named_as_before(tmp_path, faces):
    built(f"parquet:{faces}", str(tmp_path / "lake"))
    write(faces / "b.parquet", range(100, 109))
    with pytest.raises(UneError, match="1 of the 30 images of .* no more: '1-2-1'"):
        planned(Lake(str(tmp_path / "lake")), open_corpus(f"parquet:{faces}"))


def test_pictures_that_a_column_names_are_compared_by_that_alone(tmp_path, faces):
    corpus, url = f"parquet:{faces}/a.parquet?id=key", str(tmp_path / "lake")
    built(corpus, url)
    assert open_corpus(corpus).positions() == {} and last_listing(Lake(url)).files == {}
    write(faces / "a.parquet", [50, *range(10)])
    with pytest.raises(UneError, match="'k0', .*; the source of the first was '.*#0#0' and is '.*#0#1'"):
        planned(Lake(url), open_corpus(corpus))


def test_a_data_set_in_the_hubs_layout_is_guarded_too(tmp_path):
    folder, url = tmp_path / "set", str(tmp_path / "lake")
    write(folder / "train-00000-of-00001.parquet", range(10))
    built(f"hub:{folder}", url)
    write(folder / "train-00000-of-00001.parquet", range(12))
    assert planned(Lake(url), open_corpus(f"hub:{folder}")).manifest["images"] == 12
    write(folder / "train-00000-of-00001.parquet", [50, *range(12)])
    with pytest.raises(UneError, match="hub:.*: image 'train-00000000' is not the picture"):
        planned(Lake(url), open_corpus(f"hub:{folder}"))
