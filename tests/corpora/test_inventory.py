"""Corpora that a table lists: the same items as of the folder, and no folder is listed for them."""

import csv
import gzip
import json
import os
import tracemalloc
from pathlib import Path
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.pictures import png
from une_ray.corpora import open_corpus
from une_ray.corpora.base import Unreadable, remarks
from une_ray.errors import UneError
from une_ray.lake.growing import grow
from une_ray.lake.layout import Lake
from une_ray.lake.listed import planned
from une_ray.run.build import build

KEYS = ["2026/a/ä b.png", "2026/a/b+c.jpg", "2026/notes.txt", "2026/.hidden/d.png", "2025/e.png", "2026/a/"]
COLUMNS = ("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size")
LISTED = ["a/ä b.png", "a/b+c.jpg"]


def rows() -> list[tuple[str, str, str, bool, bool, int]]:
    """As S3 lists a bucket with versions: an old one of the first key, and one that was deleted."""
    now = [("photos", key, "v2", True, False, 9) for key in KEYS]
    return [
        *now,
        ("photos", KEYS[0], "v1", False, False, 9),
        ("photos", "2026/gone.png", "v1", True, True, 0),
    ]


def inventory(folder: Path, kind: str) -> str:
    """A manifest with two data files in the places that S3 gives them."""
    data, day = folder / "photos" / "daily" / "data", folder / "photos" / "daily" / "2026-11-26T01-00Z"
    data.mkdir(parents=True)
    day.mkdir()
    halves = [rows()[:3], rows()[3:]]
    for number, half in enumerate(halves):
        if kind == "Parquet":
            names = ("bucket", "key", "version_id", "is_latest", "is_delete_marker", "size")
            table = pa.table(dict(zip(names, map(list, zip(*half)))))
            pq.write_table(table, data / f"{number}.parquet")
        else:
            with gzip.open(data / f"{number}.csv.gz", "wt", encoding="utf-8", newline="") as file:
                written = csv.writer(file, quoting=csv.QUOTE_ALL)
                for bucket, key, version, latest, deleted, size in half:
                    flags = (str(latest).lower(), str(deleted).lower())
                    written.writerow((bucket, quote_plus(key, safe="/"), version, *flags, size))
    ending = "parquet" if kind == "Parquet" else "csv.gz"
    manifest = {
        "sourceBucket": "photos",
        "destinationBucket": "arn:aws:s3:::inventories",
        "fileFormat": kind,
        "fileSchema": ", ".join(COLUMNS),
        "files": [{"key": f"photos/daily/data/{number}.{ending}", "size": 1} for number in range(2)],
    }
    (day / "manifest.json").write_text(json.dumps(manifest))
    return f"{day}/manifest.json"


@pytest.mark.parametrize("kind", ["Parquet", "CSV"])
def test_an_s3_inventory_lists_what_is_there_now_below_the_root(tmp_path, kind):
    corpus = open_corpus(f"inventory:{inventory(tmp_path, kind)}?root=s3://photos/2026/")
    items = list(corpus.items())
    assert [item.image_id for item in items] == [item.source for item in items] == LISTED
    assert all(item.attributes == {} and item.split is None for item in items)
    (said,) = remarks(corpus)
    assert said.startswith("8 files, 2 pictures; 6 left out: 2 deleted or older version")
    assert "1 .txt" in said and "1 hidden" in said and "1 folder" in said and "1 below other folders" in said
    assert open_corpus(corpus.name) == corpus and remarks(open_corpus(corpus.name)) == [said]
    everything = open_corpus(f"{corpus.name}&suffix=any").items()
    assert [item.image_id for item in everything] == [*LISTED, "notes.txt"]
    assert not list(open_corpus(corpus.name.replace("//photos/", "//other/")).items())


def test_paths_of_find_are_those_of_the_folder(tmp_path):
    """`find .` begins every path with a dot, which hides nothing."""
    names = ["./a/0.png", "./1.png", "././b/./2.png", f"{tmp_path}/./c.png", "./.git/3.png", "./a./4.png"]
    corpus = open_corpus(f"inventory:{table(tmp_path, names)}?root={tmp_path}")
    listed = [(item.image_id, item.source) for item in corpus.items()]
    assert listed == [(name, name) for name in ("a/0.png", "1.png", "b/2.png", "c.png", "a./4.png")]
    assert remarks(corpus) == ["6 files, 5 pictures; 1 left out: 1 hidden"]


def test_keys_of_a_bucket_are_what_they_are(tmp_path):
    names, buckets = ["./a.png", "b.png"], ["photos", "photos"]
    corpus = open_corpus(f"inventory:{table(tmp_path, names, bucket=buckets)}?root=s3://photos")
    assert [item.image_id for item in corpus.items()] == ["b.png"]


def test_a_build_of_which_all_is_left_out_says_why(tmp_path):
    listed = table(tmp_path, [".a/0.png", "b.txt", "c.txt"])
    (tmp_path / "photos" / ".hidden").mkdir(parents=True)
    (tmp_path / "photos" / ".hidden" / "0.png").write_bytes(png())
    why = "has no images: 3 files, 0 pictures; 3 left out: 2 .txt, 1 hidden"
    with pytest.raises(UneError, match=why):
        build(str(tmp_path / "lake"), f"inventory:{listed}?root={tmp_path}", ["pixels-16"])
    with pytest.raises(UneError, match="has no images: 1 file, 0 pictures; 1 left out: 1 hidden"):
        build(str(tmp_path / "lake"), f"folder:{tmp_path / 'photos'}", ["pixels-16"])
    assert not (tmp_path / "lake" / "noisezoo.json").exists()


def table(folder: Path, names: list[str], **columns: list) -> str:
    path = folder / "listing.parquet"
    pq.write_table(pa.table({"key": names, **columns}), path, row_group_size=2)
    return str(path)


@pytest.fixture
def photos(tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "in").mkdir(parents=True)
    for number in range(4):
        (folder / "in" / f"{number}.png").write_bytes(png(seed=number))
    return folder


def test_a_table_of_paths_has_labels_and_reads_the_files(tmp_path, photos):
    names = ["in/2.png", f"{photos}/in/1.png", "elsewhere.gif", "/etc/passwd.png"]
    listing = table(
        tmp_path, names, Smiling=[True, None, False, True], text=list("abcd"), age=[3, None, 1, 1]
    )
    corpus = open_corpus(f"inventory:{listing}?root={photos}&caption=text&metadata=age")
    items = list(corpus.items())
    assert [item.image_id for item in items] == ["in/2.png", "in/1.png", "elsewhere.gif"]
    assert [item.attributes for item in items] == [{"Smiling": True}, {}, {"Smiling": False}]
    assert [item.caption for item in items] == ["a", "b", "c"] and items[0].metadata == {"age": "3"}
    assert corpus.read(items[0].source) == png(seed=2)
    with pytest.raises(FileNotFoundError):
        corpus.read(items[2].source)
    with pytest.raises(Unreadable, match="leads out of"):
        corpus.read("../listing.parquet")
    numbered = open_corpus(f"inventory:{listing}?root={photos}&caption=age").items()
    assert [item.caption for item in numbered] == ["3", None, "1"]
    other = table(tmp_path, names[:2])
    column = pq.read_table(other).rename_columns(["where"])
    pq.write_table(column, other)
    assert len(list(open_corpus(f"inventory:{other}?root={photos}&path=where").items())) == 2


def test_a_lake_of_the_folder_goes_on_and_grows_by_inventories(tmp_path, photos):
    folder = open_corpus(f"folder:{photos}")
    lake = planned(Lake(str(tmp_path / "lake")), folder, 2)
    names = [f"in/{number}.png" for number in (3, 1, 0, 2)]
    listing = open_corpus(f"inventory:{table(tmp_path, names)}?root={photos}")
    same = planned(lake, listing)
    assert (same.shards, same.manifest["images"]) == (lake.shards, 4)
    before = listing.stamp()
    longer = table(tmp_path, ["new/9.png", *names])
    os.utime(longer, (1, 1))
    assert listing.stamp() != before
    later = planned(Lake(lake.url), open_corpus(listing.name))
    assert later.shards == lake.shards + 1 and later.plan(2)["image_id"].to_pylist() == ["new/9.png"]
    assert later.manifest["corpus"] == listing.name
    with pytest.raises(UneError, match="were made with|was made with"):
        grow(later, f"inventory:{longer}?root={tmp_path}", iter([]))


def peak_of_listing(path: Path, count: int) -> int:
    """Bytes that Python holds at most while so many names are listed."""
    names = [f"2026/a-folder-with-a-long-name/picture-{number:09d}.jpg" for number in range(count)]
    pq.write_table(pa.table({"key": names}), path, row_group_size=count)
    corpus = open_corpus(f"inventory:{path}?root=s3://photos")
    next(corpus.items())  # what is imported then is no listing
    tracemalloc.start()
    assert sum(1 for _ in corpus.items()) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_a_lake_has_whole_numbers_as_captions_in_words(tmp_path, photos):
    listing = table(tmp_path, ["in/1.png", "in/2.png"], label=[7, None])
    lake = planned(
        Lake(str(tmp_path / "lake")), open_corpus(f"inventory:{listing}?root={photos}&caption=label")
    )
    assert lake.plan(0)["caption"].to_pylist() == ["7", None]


def test_a_listing_is_never_in_memory_whole(tmp_path):
    peaks = [peak_of_listing(tmp_path / f"{count}.parquet", count) for count in (10_000, 60_000)]
    assert peaks[1] < 1.2 * peaks[0]


def test_what_can_not_be_listed_is_said_with_its_remedy(tmp_path, photos):
    listing = table(tmp_path, ["in/1.png"], box=[[1, 2]])
    for name, said in {
        f"inventory:{listing}": "needs the folder whose files it lists",
        f"inventory:{listing}?root={photos}&path=file": "'file'.*it has|'file'.*key",
        f"inventory:{listing}?root={photos}&metadata=box": "column 'box' .* is list",
        f"inventory:{tmp_path}/none.parquet?root={photos}": "does not exist",
        f"inventory:{tmp_path}/manifest.json?root={photos}": "is no manifest of an S3 Inventory",
        f"inventory:{tmp_path}/manifest.json?root={photos}&caption=text": "lists objects alone",
    }.items():
        with pytest.raises(UneError, match=said):
            list(open_corpus(name).items())
    manifest = inventory(tmp_path, "CSV")
    text = Path(manifest).read_text()
    Path(manifest).write_text(text.replace('"fileFormat": "CSV"', '"fileFormat": "ORC"'))
    with pytest.raises(UneError, match="is in ORC; set its format to Parquet or CSV"):
        list(open_corpus(f"inventory:{manifest}?root=s3://photos").items())
