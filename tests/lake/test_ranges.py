"""A space in ranges of files: together they are its latents in the lake's order, and no others."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import une_ray
from tests.helpers.planted import Planted
from tests.helpers.probed import Z, fill, latent
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.compact import compact, stage
from une_ray.lake.files import merged_file, shard_file, sizes
from une_ray.lake.latents import blocks, image_ids, matrix, unmerged
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.paired import in_order, of_range, side_by_side
from une_ray.lake.ranges import ranges, rows_of_range

ENC = {"enc": Z["enc"]}
FOLDER = space_folder("enc")


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Ten shards, the last of six images; i007 has no latent."""
    return registered(fill(tmp_path / "lake", ENC, {}, 16))


def noise(seed: int) -> str:
    return np.random.default_rng(seed).bytes(2000).hex()


def registered(lake: Lake) -> Lake:
    lake.register("enc", {"model": "m", "steps": 3})
    return lake


def read(lake: Lake, rows: int) -> tuple[list[str], np.ndarray, int]:
    """ids and latents of all ranges, and how many there are."""
    parts = ranges(lake, ["enc"], image_ids(lake, "enc"), rows)
    assert [part.start for part in parts[1:]] == [part.stop for part in parts[:-1]] and parts[0].start == 0
    names = [name for part in parts for name in part.files["enc"]]
    assert len(names) == len(set(names))  # a file is one range's alone
    tables = [table for part in parts for table in rows_of_range(lake, "enc", part)]
    ids = [image_id for table in tables for image_id in table["image_id"].to_pylist()]
    return ids, np.concatenate([matrix(table["z"], np.float32) for table in tables]), len(parts)


def assert_whole(lake: Lake, rows: int, count: int) -> None:
    ids, z, parts = read(lake, rows)
    assert ids == image_ids(lake, "enc").to_pylist() and len(ids) == 149 and "i007" not in ids
    assert (z == np.concatenate(list(blocks(lake, "enc")))).all() and parts == count


@pytest.mark.parametrize(("rows", "count"), [(1, 10), (20, 5), (60, 3), (1000, 1)])
def test_ranges_are_the_latents_in_the_lakes_order(lake, rows, count):
    assert_whole(lake, rows, count)


def test_merged_files_come_in_the_order_of_their_shards(lake):
    """One of the shards is too large to be merged, and has a name behind all that are."""
    rows = [latent(f"i{n:03}", Z["enc"][n]) | {"error": noise(n)} for n in range(48, 64)]
    table = schema.parquet(
        pa.Table.from_pylist(rows, schema=schema.SPACE), {"fingerprint": {"model": "m", "steps": 3}}
    )
    lake.store.remove(f"{FOLDER}/{shard_file(3)}")
    lake.store.commit(f"{FOLDER}/{shard_file(3)}", table)
    size = sizes(lake.store, FOLDER)
    list(compact(lake, 5 * size[shard_file(0)], grace=0))
    names = sorted(lake.store.names(FOLDER))
    assert any(name.startswith("merged-00004") for name in names) and shard_file(3) in names, names
    merged = Lake(lake.url)
    assert image_ids(merged, "enc")[-16:].to_pylist() == [f"i{n:03}" for n in range(134, 150)]
    assert_whole(merged, 1, len(names))


def test_images_that_are_not_those_of_the_plan_are_refused(lake):
    parts = ranges(lake, ["enc"], image_ids(lake, "enc"), 1)
    rows = lake.read_shard(FOLDER, 2)
    lake.store.remove(f"{FOLDER}/{shard_file(2)}")
    turned = rows.take(pa.array(range(len(rows)))[::-1])
    lake.store.commit(f"{FOLDER}/{shard_file(2)}", schema.parquet(turned, {}))
    assert len(list(rows_of_range(lake, "enc", parts[1]))) == 1
    with pytest.raises(UneError, match="'enc' lists other images, or in another order"):
        list(rows_of_range(lake, "enc", parts[2]))
    lake.store.remove(f"{FOLDER}/{shard_file(1)}")
    with pytest.raises(UneError, match="shard-00001.parquet is gone"):
        list(rows_of_range(lake, "enc", parts[1]))
    lake.store.commit(f"{FOLDER}/{shard_file(1)}", b"PAR1 and then nothing of it")
    with pytest.raises(UneError, match="shard-00001.parquet can't be read"):
        list(rows_of_range(lake, "enc", parts[1]))


def test_several_spaces_keep_step_whatever_their_files_and_rejects(tmp_path):
    planted = Planted(2000, ("gen/ddim50", "enc"))
    lake = planted.lake(str(tmp_path / "lake"), {"enc": {"i0003", "i0700"}, "gen/ddim50": {"i1999"}})
    spaces = ["gen/ddim50", "enc"]
    wide = sizes(lake.store, space_folder(spaces[0]))[shard_file(0)]
    list(compact(lake, int(2.6 * wide), grace=0))
    files = [lake.files(space_folder(space)) for space in spaces]
    assert {file.last for file in files[0]} - {file.last for file in files[1]}  # cut at other places
    merged = Lake(lake.url)
    train = pa.array(planted.ids[(~planted.test) & ~np.isin(planted.ids, ["i0003", "i0700", "i1999"])])
    order = in_order(merged, spaces[0], train)
    whole = list(side_by_side(merged, spaces, order))
    for rows in (1, 900):
        parts = ranges(merged, spaces, order, rows)
        found = [batch for part in parts for batch in of_range(merged, spaces, part)]
        assert len(parts) > 1 and pa.concat_arrays([ids for ids, _ in found]).equals(order)
        for space in spaces:
            ours, theirs = (np.concatenate([z[space] for _, z in each]) for each in (found, whole))
            assert (ours == theirs).all() and len(ours) == len(train)
    assert pc.all(pc.is_in(train, order)).as_py()


def cut(lake: Lake, folder: str, spans: list[tuple[int, int]]) -> None:
    """Merge shards as if at these places, whatever their sizes."""
    for first, last in spans:
        files = [file for file in lake.files(folder) if first <= file.first <= last]
        lake.store.move(stage(lake, folder, files), f"{folder}/{merged_file(first, last)}")
        for file in files:
            lake.store.remove(f"{folder}/{file.name}")


def test_spaces_list_their_images_in_one_order_wherever_their_files_are_cut(tmp_path):
    """A shard that came late stays between two large files, and its name is behind theirs."""
    planted = Planted(2000, ("gen/ddim50", "enc"))
    lake, spaces = planted.lake(str(tmp_path / "lake")), ["gen/ddim50", "enc"]
    ids = image_ids(lake, "enc")
    before = [(batch_ids, z) for batch_ids, z in side_by_side(lake, spaces, ids)]
    last = lake.shards - 1
    cut(lake, space_folder(spaces[0]), [(0, 2), (3, last)])
    cut(lake, space_folder(spaces[1]), [(0, 3), (5, last)])
    merged = Lake(lake.url)
    assert merged.store.names(space_folder("enc")) >= {shard_file(4), merged_file(5, last)}
    for space in spaces:
        assert image_ids(merged, space).equals(ids)
    found = list(side_by_side(merged, spaces, ids))
    assert pa.concat_arrays([each for each, _ in found]).equals(
        pa.concat_arrays([each for each, _ in before])
    )
    for space in spaces:
        ours, theirs = (np.concatenate([z[space] for _, z in each]) for each in (found, before))
        assert (ours == theirs).all() and (np.concatenate(list(blocks(merged, space))) == theirs).all()
        part = une_ray.open(lake.url).space(space)
        assert sum((block.image_ids for block in part.blocks(100)), []) == ids.to_pylist()
        assert part.table()["image_id"].to_pylist() == ids.to_pylist()
    parts = ranges(merged, spaces, ids, 200)
    spread = [batch for part in parts for batch in of_range(merged, spaces, part)]
    assert len(parts) > 1 and pa.concat_arrays([each for each, _ in spread]).equals(ids)


def test_a_range_travels_with_its_own_ids_alone(tmp_path):
    planted = Planted(4000, ("enc",))
    lake = planted.lake(str(tmp_path / "lake"))
    ids = image_ids(lake, "enc")
    parts = ranges(lake, ["enc"], ids, 500)
    assert max(len(pickle.dumps(part)) for part in parts) < len(pickle.dumps(ids)) / 3


def test_files_that_a_merge_takes_away_meanwhile_are_said(lake, monkeypatch):
    def gone(*_):
        yield from ()
        raise OSError(f'IO Error: Cannot open file "{lake.url}/{FOLDER}/{shard_file(3)}": No such file')

    with pytest.raises(UneError, match="merged while they were read; run it again"):
        list(unmerged(lake, "enc", gone()))
