"""Files that are merged while a lake is built, and drivers that are killed while they merge."""

from __future__ import annotations

import subprocess
import time
from unittest.mock import patch

from tests.faults.scene import CHECKOUT, HOOK, Scene, finish, kill, meanwhile, wait_for
from une_ray.lake.compact import compact, has_work
from une_ray.lake.files import MARKER, sizes
from une_ray.lake.layout import COMPACTION, Lake, space_folder
from une_ray.run import ray_data


class Slow(ray_data.ReadSpace):
    """A model that takes long enough for files to be merged before the last is there."""

    def read(self, packed, suspect):
        time.sleep(0.3)
        return super().read(packed, suspect)


def merged_meanwhile(scene: Scene, lake: Lake, times: int) -> float:
    """`une compact` again and again, some shards a file, from the first files on to the build's end."""
    with (
        patch.object(ray_data, "stage", lambda space: Slow),
        meanwhile(lambda: scene.build(lake)),
    ):
        wait_for(lake.exists, "a lake")
        opened, early = Lake(lake.url), 0
        while not all(len(opened.committed(folder)) == opened.shards for folder in tables(scene)):
            early += are_merged(scene, lake)
            for folder in tables(scene):
                if has_work(opened, folder, size(scene)):
                    list(compact(opened, size(scene), grace=0.05, folders=[folder]))
            time.sleep(0.05)
    since = time.monotonic()
    assert early, "nothing was merged while the build went"
    scene.build(lake)
    return since


def killed_while_merging(scene: Scene, lake: Lake, times: int) -> float:
    """A driver of a lake that builds merge, at moments from the first marker in a folder on."""

    def driver() -> subprocess.Popen:
        hook = {"PYTHONPATH": f"{HOOK}:{CHECKOUT}", "MERGES_SIZE": str(size(scene))}
        return scene.driver(lake, "--address", scene.cluster.address, **hook)

    for number in range(times):
        merging = driver()
        wait_for(lambda: is_merging(scene, lake) or merging.poll() is not None, "a merge")  # noqa: B023
        time.sleep(scene.chance.uniform(0, 0.3 * number))
        kill(merging)
    since = time.monotonic()
    finish(driver())
    assert are_merged(scene, lake) and not lake.store.exists(COMPACTION)
    return since


def is_merging(scene: Scene, lake: Lake) -> bool:
    names = {name for folder in tables(scene) for name in lake.store.names(folder)}
    return lake.store.exists(COMPACTION) and any(map(MARKER.fullmatch, names))


def are_merged(scene: Scene, lake: Lake) -> bool:
    return all(any(name.startswith("merged-") for name in lake.store.names(one)) for one in tables(scene)[1:])


def tables(scene: Scene) -> list[str]:
    return ["images", *map(space_folder, scene.spaces)]


def size(scene: Scene) -> int:
    """Bytes of about four files of the space with the largest."""
    listed = (sizes(scene.undisturbed.store, space_folder(space)).values() for space in scene.spaces)
    return 4 * max(map(max, listed))
