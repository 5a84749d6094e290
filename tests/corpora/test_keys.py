"""Listing an object store by many prefixes at once, against its client's own listing."""

import threading
import time

import fsspec
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from une_ray.corpora import open_corpus
from une_ray.corpora.keys import LISTERS, keys_below
from une_ray.corpora.listing import pictures_in

SHAPES = {
    "flat": [f"{n}.png" for n in range(40)],
    "one folder in another": [f"a/b/c/d/e/{n}.png" for n in range(5)],
    "many folders": [f"{n:03}/{m}.png" for n in range(40) for m in range(3)],
    "files on every level": [f"{'x/' * n}{n}.png" for n in range(7)] + ["y/1.png", "x.png", "x/x.png"],
    "names like their neighbours'": ["a.png", "a/1.png", "a0/2.png", "a-b/3.png", "ä/4.png", "a b/5.png"],
    "nothing": [],
}


@pytest.fixture
def bucket(request) -> str:
    filesystem, root = fsspec.filesystem("memory"), f"/{abs(hash(request.node.name))}/corpus"
    filesystem.makedirs(root)
    yield root
    filesystem.rm(root, recursive=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_keys_are_those_of_the_clients_own_listing(bucket, shape):
    filesystem = fsspec.filesystem("memory")
    for name in SHAPES[shape]:
        filesystem.pipe_file(f"{bucket}/{name}", b"x")
    filesystem.pipe_file(f"{bucket[:-6]}corpora/other.png", b"x")
    found = list(keys_below(filesystem, bucket))
    assert sorted(found) == sorted(filesystem.find(bucket)) and len(found) == len(SHAPES[shape])


def test_a_random_tree_is_listed_whole(bucket):
    random, filesystem = np.random.default_rng(0), fsspec.filesystem("memory")
    for number in range(300):
        folders = [f"f{random.integers(4)}" for _ in range(random.integers(6))]
        filesystem.pipe_file("/".join([bucket, *folders, f"{number}.png"]), b"x")
    assert sorted(keys_below(filesystem, bucket)) == sorted(filesystem.find(bucket))


class Slow(MemoryFileSystem):
    """Answers a listing after a while, and counts how many wait at once."""

    cachable = False
    waiting = most = 0
    lock = threading.Lock()

    def find(self, path, **options):
        with self.lock:
            Slow.waiting += 1
            Slow.most = max(Slow.most, Slow.waiting)
        time.sleep(0.05)
        with self.lock:
            Slow.waiting -= 1
        return super().find(path, **options)


def test_folders_are_asked_for_at_once(bucket):
    filesystem = Slow()
    for number in range(3 * LISTERS):
        filesystem.pipe_file(f"{bucket}/{number}/a.png", b"x")
    assert len(list(keys_below(filesystem, bucket))) == 3 * LISTERS
    assert Slow.most == LISTERS


def test_a_corpus_in_a_bucket_lists_the_same_in_the_order_of_its_paths(bucket):
    filesystem = fsspec.filesystem("memory")
    names = [f"{n % 20:02}/{n}.png" for n in range(60)] + ["z.png", "0.jpg", "notes.txt", ".hidden/1.png"]
    for name in names:
        filesystem.pipe_file(f"{bucket}/{name}", b"x")
    listing = pictures_in(f"memory:/{bucket}")
    assert listing.names == sorted(name for name in names if name[0] != "." and not name.endswith("txt"))
    assert str(listing).endswith("2 left out: 1 .txt, 1 hidden")
    ids = [item.image_id for item in open_corpus(f"folder:memory:/{bucket}").items()]
    assert ids == listing.names
