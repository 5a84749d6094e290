"""What a build has left to do, and in how few bytes it is kept."""

import numpy as np

from tests.helpers.lakes import items
from une_ray.lake.create import create
from une_ray.lake.files import merged_file, shard_file
from une_ray.lake.layout import Lake, space_folder
from une_ray.run.plan import ShardWork, Work, missing
from une_ray.spaces.space import Space

SPACES = [Space.parse(name) for name in ("mini-dino", "pixels-16")]
ITEMS = [ShardWork(4, ("a",)), ShardWork(9, ()), ShardWork(2, ("a", "b")), ShardWork(7, ("a",))]


def test_what_is_missing_is_what_no_file_has(tmp_path):
    lake = create(Lake(str(tmp_path / "lake")), "test", iter(items(18)), 3)
    both = ("mini-dino", "pixels-16")
    assert list(missing(lake, SPACES)) == [ShardWork(shard, both) for shard in range(6)]
    files = {"images": (0, 1, 2, 4), space_folder("mini-dino"): (0, 4), space_folder("pixels-16"): (0, 3)}
    for folder, shards in files.items():
        for shard in shards:
            lake.store.commit(f"{folder}/{shard_file(shard)}", b"")
    lake.store.commit(f"{space_folder('pixels-16')}/{merged_file(1, 2)}", b"")
    assert list(missing(lake, SPACES)) == [
        ShardWork(1, ("mini-dino",)),
        ShardWork(2, ("mini-dino",)),
        ShardWork(3, ("mini-dino",)),
        ShardWork(4, ("pixels-16",)),
        ShardWork(5, both),
    ]
    assert [work.shard for work in missing(lake, [])] == [3, 5], "their images alone"
    for shard in range(6):
        for folder in files:
            lake.store.commit(f"{folder}/{shard_file(shard)}", b"")
    assert not missing(lake, SPACES)


def test_work_is_its_shards_one_by_one():
    work = Work.of(ITEMS)
    assert list(work) == ITEMS and len(work) == 4 and work[-1] == ITEMS[-1]
    assert list(work[1:3]) == ITEMS[1:3] and list(work.begun_at(1)) == [*ITEMS[1:], ITEMS[0]]


def test_of_some_spaces_what_lacks_none_of_them_is_left_out():
    work = Work.of(ITEMS)
    assert list(work.of_spaces({"b"}, unread=False)) == [ShardWork(2, ("b",))]
    assert list(work.of_spaces({"b", "c"}, unread=True)) == [ShardWork(9, ()), ShardWork(2, ("b",))]


def test_a_shard_costs_twelve_bytes():
    count = 10_000
    work = Work(shards=np.arange(count), kinds=np.zeros(count, np.int32), lacking=[("a", "b")])
    assert sum(array.nbytes for array in (work.shards, work.kinds)) == 12 * count
    assert work[count - 1] == ShardWork(count - 1, ("a", "b"))
