"""`une compact` on a cluster leaves what it leaves on one machine, and says what it can't merge."""

import pytest

from tests.helpers.lakes import FINGERPRINT, fill, items, latent, write
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.compact import compact
from une_ray.lake.create import create
from une_ray.lake.files import shard_file, sizes
from une_ray.lake.layout import COMPACTION, Lake, space_folder
from une_ray.lake.verify import verify
from une_ray.run.cluster import Cluster
from une_ray.run.merging import on_cluster

SPACE = space_folder("a/b")

pytestmark = pytest.mark.usefixtures("shared_ray")


def made(folder) -> Lake:
    return fill(create(Lake(str(folder)), "made-up:40", iter(items(40)), 4))


def files(lake: Lake) -> dict[str, bytes]:
    folders = ("images", SPACE, "tmp")
    names = [f"{folder}/{name}" for folder in folders for name in sorted(lake.store.names(folder))]
    return {name: lake.store.read(name) for name in names}


def test_a_cluster_leaves_the_very_files_of_one_machine(tmp_path):
    alone, spread = made(tmp_path / "alone"), made(tmp_path / "spread")
    size = 4 * max(sizes(alone.store, "images").values())  # so that some shards make a file
    done = list(compact(alone, size, grace=0))
    assert list(compact(spread, size, grace=0, spread=on_cluster(Cluster()))) == done
    assert files(spread) == files(alone) and not spread.store.exists(COMPACTION)
    assert done[0].after > 1 and all(folder.after < folder.before for folder in done)
    assert len(list(verify(Lake(spread.url)))) == 3


def test_a_fault_of_a_task_is_told_in_its_own_words(tmp_path):
    lake = made(tmp_path / "lake")
    ids = lake.plan(3)["image_id"].to_pylist()
    lake.store.remove(f"{SPACE}/{shard_file(3)}")
    write(
        lake,
        f"{SPACE}/{shard_file(3)}",
        [latent(i, 4) for i in ids],
        schema.SPACE,
        FINGERPRINT | {"steps": 9},
    )
    before = lake.store.names(SPACE)
    with pytest.raises(UneError, match="is stamped otherwise than"):
        list(compact(lake, grace=0, spread=on_cluster(Cluster())))
    assert lake.store.names(SPACE) == before
