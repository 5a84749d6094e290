"""A corpus that grew: new shards after the last, and what is there stays as it is, byte by byte."""

import dataclasses
import os
import threading
from pathlib import Path

import pytest

from tests.helpers.lakes import fill, items, of_before
from tests.helpers.pictures import png
from une_ray.corpora import Item, open_corpus
from une_ray.corpora.base import split_of
from une_ray.errors import UneError
from une_ray.lake import parts
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.listed import last_listing, planned
from une_ray.lake.verify import verify


@pytest.fixture
def lake(tmp_path) -> Lake:
    return fill(create(Lake(str(tmp_path / "lake")), "test", iter(items(10)), 4))


def grown(lake: Lake, listing) -> Lake:
    return create(Lake(lake.url), "test", iter(listing), None)


def contents(lake: Lake) -> dict[str, bytes]:
    root = Path(lake.url)
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def ids(lake: Lake) -> list[list[str]]:
    return [lake.plan(shard)["image_id"].to_pylist() for shard in range(lake.shards)]


def test_new_items_get_new_shards_wherever_they_stand_in_the_listing(lake):
    before, shards = contents(lake), ids(lake)
    new = [Item(f"i{n}", f"{n}.png") for n in range(10, 16)]
    listing = [*new[:2], *items(5), *new[2:], *items(10)[5:]]
    later = grown(lake, listing)
    assert ids(later) == [*shards, ["i10", "i11", "i12", "i13"], ["i14", "i15"]]
    assert contents(later).items() >= before.items()
    assert (later.manifest["images"], later.shards) == (16, 5)
    assert [later.images_in(done) for done in ((2,), (3,), (4,), range(5))] == [2, 4, 2, 16]
    assert next(verify(fill(later))).startswith("plan: 16 images in 5 shards, every id once")


def test_the_same_listing_in_another_order_grows_nothing(lake):
    before = contents(lake)
    assert grown(lake, reversed(items(10))).shards == lake.shards and contents(lake) == before


def test_a_lake_grows_again_and_again(lake):
    for count in (11, 12, 20):
        lake = grown(lake, items(count))
    assert [len(row) for row in ids(lake)] == [4, 4, 2, 1, 1, 4, 4]
    assert sorted(sum(ids(lake), [])) == sorted(item.image_id for item in items(20))


@pytest.mark.parametrize("data", [b'{"corpus": "te', b"{}"])
def test_a_damaged_record_of_growth_is_named_with_its_remedy(lake, data):
    grown(lake, items(12))
    lake.store.commit("plan/growth-00001.json", data)
    for use in (lambda: Lake(lake.url).manifest, lambda: list(verify(Lake(lake.url)))):
        with pytest.raises(UneError, match="plan/growth-00001.json .*; restore it from a copy"):
            use()


def test_a_lost_record_of_growth_is_named_and_nothing_is_planned_or_to_be_deleted(lake):
    for count in (12, 20):
        fill(grown(lake, items(count)))
    lake.store.remove("plan/growth-00001.json")
    before = contents(lake)
    lost = "growth-00001.json is lost, and plan/growth-00002.json is there; .* Delete none of the shards"
    with pytest.raises(UneError, match=lost):
        list(verify(Lake(lake.url)))
    with pytest.raises(UneError, match=lost):
        grown(lake, items(20))
    assert contents(lake) == before


def test_a_plan_that_is_cut_is_named_when_the_corpus_is_listed_again(lake):
    later = grown(lake, items(12))
    lake.store.commit(later.parts[1].file, b"PAR1 cut")
    with pytest.raises(
        UneError, match=r"the plan of .* can't be read .*part-0000003.*; restore it from a copy"
    ):
        grown(lake, items(14))


def test_labels_that_stand_in_another_order_are_the_same_and_others_are_not(tmp_path):
    """As when a spreadsheet is saved with its columns moved."""

    def listing(order: list[str], young: bool = False) -> list[Item]:
        labels = {"Smiling": True, "Male": False, "Young": young}
        factors, said = {"shape": 1, "scale": 2, "hue": 3}, {"person": "a", "age": "b", "job": "c"}
        return [
            Item(
                f"i{n}",
                f"{n}.png",
                attributes={name: labels[name] for name in order},
                factors=dict(sorted(factors.items(), reverse=order[0] == "Male")),
                metadata=dict(sorted(said.items(), reverse=order[0] == "Male")),
            )
            for n in range(6)
        ]

    lake = create(Lake(str(tmp_path / "lake")), "test", iter(listing(["Smiling", "Male", "Young"])), 4)
    before = contents(lake)
    assert grown(lake, listing(["Male", "Young", "Smiling"])).shards == lake.shards
    assert contents(lake) == before
    with pytest.raises(UneError, match="the attributes of the first was"):
        grown(lake, listing(["Male", "Young", "Smiling"], young=True))


CHANGES = {
    "vanished": (lambda rows: rows[2:], "2 of the 10 images of .* no more: 'i0', 'i1'; put them back"),
    "another caption": (
        lambda rows: [*rows[:9], dataclasses.replace(rows[9], caption="new")],
        "'i9'; the caption of the first was 'caption 9' and is 'new'",
    ),
    "another label": (
        lambda rows: [dataclasses.replace(rows[0], attributes={"Even": False}), *rows[1:]],
        "'i0'; the attributes of the first was",
    ),
    "an id twice": (lambda rows: [*rows, rows[3]], "'i3' comes 2 times"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_vanished_or_changed_is_named_and_nothing_is_written(lake, what):
    change, message = CHANGES[what]
    before = contents(lake)
    with pytest.raises(UneError, match=message):
        grown(lake, [*change(items(10)), *items(14)[10:]])
    assert contents(lake) == before


def test_a_growth_that_is_killed_before_its_record_leaves_the_lake_as_it_was(lake, monkeypatch):
    """Its part stands there, and nothing names it; a later growth of other items takes the same shards."""
    commit = parts.Store.commit

    def killed(store, name, data, replace=True):
        if "growth" in name:
            raise KeyboardInterrupt
        return commit(store, name, data, replace)

    with monkeypatch.context() as patched:
        patched.setattr(parts.Store, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            grown(lake, items(12))
    assert Lake(lake.url).shards == 3 and list(verify(Lake(lake.url)))
    assert ids(grown(lake, items(15)))[3:] == [["i10", "i11", "i12", "i13"], ["i14"]]


def test_two_growths_at_once_of_other_listings_give_every_item_one_shard(lake):
    barrier = threading.Barrier(2)

    def listing(count):
        yield from items(count)
        barrier.wait()  # both have seen the lake before either has grown it

    threads = [threading.Thread(target=grown, args=(lake, listing(count))) for count in (18, 18)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    both = Lake(lake.url)
    assert both.manifest["images"] == 18 and len(set(sum(ids(both), []))) == 18
    with pytest.raises(UneError, match="6 of the 18 images .* no more"):
        grown(lake, items(12))


@pytest.mark.parametrize("without", [["metadata"], ["metadata", "split_group"]])
def test_a_lake_of_before_parts_is_read_and_grows(tmp_path, without):
    """An early une_ray wrote one file per shard, with fewer columns."""
    new = create(Lake(str(tmp_path / "new")), "test", iter(items(10)), 4)
    old = of_before(create(Lake(str(tmp_path / "old")), "test", iter(items(10)), 4), without)
    old = fill(create(Lake(old.url), "test", iter(items(10)), 4))
    assert ids(old) == ids(new) and old.images_in(range(3)) == 10 and list(verify(old))
    later = grown(old, [*items(10), *(Item(f"i{n}", f"{n}.png") for n in (10, 11))])
    assert ids(later)[2:] == [["i8", "i9"], ["i10", "i11"]]
    own = [None, None] if "split_group" not in without else [split_of("i10"), split_of("i11")]
    assert later.plan(3)["split"].to_pylist() == own and next(verify(later)).startswith("plan: 12 images")


def test_plans_of_many_parts_are_cut_as_one(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART_ROWS", 8)
    lake = create(Lake(str(tmp_path / "lake")), "test", iter(items(21)), 4)
    assert [part.shards for part in lake.parts] == [2, 2, 2] and [len(row) for row in ids(lake)] == [
        *[4] * 5,
        1,
    ]
    assert lake.images_in(range(6)) == 21 and next(verify(fill(lake))).startswith("plan: 21 images")


def test_more_avatars_are_the_same_corpus_grown_and_another_seed_is_not(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "avatars:6", open_corpus("avatars:6").items(), 4)
    more = planned(Lake(lake.url), open_corpus("avatars:9"))
    assert (more.manifest["images"], more.manifest["corpus"]) == (9, "avatars:9")
    with pytest.raises(UneError, match="was made with"):
        planned(Lake(lake.url), open_corpus("avatars:9?seed=2"))


def corpora(folder: Path) -> dict[str, str]:
    """Corpora of one picture, and what is done to each so that it lists otherwise."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "faces").mkdir()
    (folder / "faces" / "a.png").write_bytes(png(seed=1))
    (folder / "labels.csv").write_text("file,caption\na.png,first\n")
    pq.write_table(pa.table({"image": [png()]}), folder / "rows.parquet")
    pq.write_table(pa.table({"key": ["faces/a.png"]}), folder / "listing.parquet")
    return {
        "folder": f"folder:{folder}/faces",
        "table": f"folder:{folder}/faces?table={folder}/labels.csv",
        "parquet": f"parquet:{folder}/rows.parquet",
        "inventory": f"inventory:{folder}/listing.parquet?root={folder}",
        "avatars": "avatars:3",
    }


@pytest.mark.parametrize("kind", ["folder", "table", "parquet", "inventory", "avatars"])
def test_a_corpus_that_has_not_changed_is_not_listed_again(tmp_path, kind, monkeypatch):
    corpus, url = corpora(tmp_path)[kind], str(tmp_path / "lake")
    first = planned(Lake(url), open_corpus(corpus))
    listing = last_listing(first)
    assert listing and listing.stamp
    opened = open_corpus(corpus)
    with monkeypatch.context() as patched:
        patched.setattr(type(opened), "items", lambda self: pytest.fail("listed again"))
        again = planned(Lake(url), opened)
        assert again.manifest == first.manifest and last_listing(again) == listing
        with pytest.raises(pytest.fail.Exception):
            planned(Lake(url), opened, check=True)
    assert planned(Lake(url), opened, check=True).manifest == first.manifest


def test_a_stamp_differs_when_the_listing_would(tmp_path):
    names = corpora(tmp_path)
    before = {kind: open_corpus(name).stamp() for kind, name in names.items()}
    (tmp_path / "faces" / "nested").mkdir()
    (tmp_path / "faces" / "nested" / "b.jpg").write_bytes(png(seed=2))
    (tmp_path / "labels.csv").write_text("file,caption\na.png,other words\n")
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"image": [png(), png()]}), tmp_path / "rows.parquet")
    pq.write_table(pa.table({"key": ["faces/a.png", "b.png"]}), tmp_path / "listing.parquet")
    after = {kind: open_corpus(name).stamp() for kind, name in names.items()}
    assert {kind for kind in names if before[kind] == after[kind]} == {"avatars"}


@pytest.mark.parametrize("kind", ["parquet", "inventory", "table"])
def test_an_edit_that_keeps_size_and_time_is_seen(tmp_path, kind):
    """As `cp -p` or `rsync -t` of a corrected copy: the disk has its own word on when a file was touched."""
    corpus = corpora(tmp_path)[kind]
    file = {"parquet": "rows.parquet", "inventory": "listing.parquet", "table": "labels.csv"}[kind]
    before, state = open_corpus(corpus).stamp(), (tmp_path / file).stat()
    data = bytearray((tmp_path / file).read_bytes())
    data[20] ^= 1
    (tmp_path / file).write_bytes(data)
    os.utime(tmp_path / file, ns=(state.st_atime_ns, state.st_mtime_ns))
    after = (tmp_path / file).stat()
    assert (after.st_size, after.st_mtime_ns) == (state.st_size, state.st_mtime_ns)
    assert open_corpus(corpus).stamp() != before


def test_a_file_that_its_content_alone_makes_a_picture_is_part_of_the_stamp(tmp_path):
    (tmp_path / "a").write_bytes(b"notes of a walk")
    corpus = f"folder:{tmp_path}"
    before = open_corpus(corpus).stamp()
    (tmp_path / "a").write_bytes(png())
    assert open_corpus(corpus).stamp() != before


def test_a_lake_of_before_parts_with_large_shards_is_read_whole(tmp_path):
    """Its files have row groups of 4,096."""
    new = create(Lake(str(tmp_path / "lake")), "test", iter(items(5000)), 5000)
    assert len(of_before(new).plan(0)) == 5000
