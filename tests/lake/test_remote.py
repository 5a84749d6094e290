"""An object store as DuckDB reads it: how often it is asked, and what it may answer from memory."""

import duckdb
import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.helpers.lakes import fill, items
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.remote import RemoteFiles
from une_ray.lake.session import QUERIES, connect


class Asked(MemoryFileSystem):
    """Counts what it is asked for; a name of its own, so that fsspec makes no other."""

    cachable = False

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[str, str]] = []

    def cat_file(self, path, start=None, end=None, **options):
        self.requests.append(("get", path))
        return super().cat_file(path, start, end, **options)

    def info(self, path, **options):
        self.requests.append(("head", path))
        return super().info(path, **options)

    def open(self, path, *arguments, **options):
        self.requests.append(("open", path))
        return super().open(path, *arguments, **options)

    def of_files(self) -> list[tuple[str, str]]:
        return [(kind, path) for kind, path in self.requests if "shard-" in path]


@pytest.fixture
def lake(request):
    url = f"memory://{request.node.name}"
    yield fill(create(Lake(url), "made-up:10", iter(items()), 4), dim=1000)
    Lake(url).store.remove("")


def asked(lake: Lake) -> tuple[Asked, duckdb.DuckDBPyConnection]:
    files, connection = Asked(), duckdb.connect()
    connection.register_filesystem(RemoteFiles(files))
    connection.execute("SET VARIABLE lake = ?", [f"memory://{lake.store.root}"])
    connection.execute((QUERIES / "noisezoo.sql").read_text())
    return files, connection


def test_a_file_is_asked_for_once_and_then_remembered(lake):
    files, connection = asked(lake)
    files.requests.clear()
    counts = connection.execute("FROM counts").fetchall()
    assert counts == [("a/b", "ok", 9, 1000), ("a/b", "reject", 1, None)]
    paths = [path for _, path in files.of_files()]
    assert len(paths) == len(set(paths)) == 3 and {kind for kind, _ in files.of_files()} == {"get"}
    files.requests.clear()
    assert connection.execute("FROM counts").fetchall() == counts and not files.of_files()


def test_what_others_write_is_seen_and_what_they_remove_is_missed(lake):
    _, connection = asked(lake)
    count = "SELECT count(*) FROM readings"
    assert connection.execute(count).fetchone() == (10,)
    name = f"{space_folder('a/b')}/{shard_file(1)}"
    data = lake.store.read(name)
    lake.store.remove(name)
    assert connection.execute(count).fetchone() == (6,)
    lake.store.commit(name, data)
    assert connection.execute(count).fetchone() == (10,)


def test_a_file_that_is_named_whole_is_found_though_listings_are_behind(lake, monkeypatch):
    """Object stores without S3's promise, and caches before them."""
    files, connection = asked(lake)
    name = lake.store.path(f"{space_folder('a/b')}/{shard_file(1)}")
    monkeypatch.setattr(files, "ls", lambda *_, **__: [])
    monkeypatch.setattr(files, "find", lambda *_, **__: {})
    path = f"memory://{name}"
    assert connection.execute("SELECT count(*) FROM read_parquet([?])", [path]).fetchone() == (4,)
    with pytest.raises(duckdb.IOException, match="No files found"):
        connection.execute("SELECT count(*) FROM read_parquet([?])", [path + ".gone"]).fetchone()


def test_a_large_file_is_read_where_it_is_asked_for(tmp_path):
    files = MemoryFileSystem()
    data = np.random.default_rng(0).bytes(5 << 20)
    files.pipe_file("/large/one.bin", data)
    remote = RemoteFiles(files)
    assert [path.lstrip("/") for path in remote.glob("memory://large/*.bin")] == ["large/one.bin"]
    with remote.open("/large/one.bin") as file:
        for start, size in ((0, 10), (1 << 20, 1000), ((5 << 20) - 100, 500), ((3 << 20) - 7, 1 << 20)):
            file.seek(start)
            assert file.read(size) == data[start : start + size]
    files.rm("/large", recursive=True)


def test_sessions_of_an_object_store_answer_as_those_of_a_folder(lake, tmp_path):
    local = fill(create(Lake(str(tmp_path / "lake")), "made-up:10", iter(items()), 4), dim=1000)
    for query in ("FROM counts", "SELECT * FROM latents ORDER BY image_id"):
        assert connect(lake).execute(query).fetchall() == connect(local).execute(query).fetchall()
