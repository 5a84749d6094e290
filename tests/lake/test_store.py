import errno
import os
import subprocess

import pytest

from tests.helpers.planted import Planted
from une_ray.errors import UneError
from une_ray.lake.store import Store
from une_ray.report.page import write
from une_ray.studies.probes.study import probe


def everything(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_commit_leaves_one_whole_file_and_nothing_else(tmp_path):
    assert Store(str(tmp_path)).commit("a/b.bin", b"x" * 1000)
    assert everything(tmp_path) == {"a/b.bin"} and (tmp_path / "a/b.bin").read_bytes() == b"x" * 1000


def test_without_replace_the_first_stays(tmp_path):
    store = Store(str(tmp_path))
    assert store.commit("a", b"first", replace=False) and not store.commit("a", b"second", replace=False)
    assert store.read("a") == b"first" and everything(tmp_path) == {"a"}


@pytest.mark.parametrize("broken", ["os.fsync", "os.replace"])
def test_a_write_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch, broken):
    def fail(*_):
        raise OSError(errno.ENOSPC, "no space left on device")

    store = Store(str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(broken, fail)
        with pytest.raises(UneError, match="no space left for .*/a .*run the same command again"):
            store.commit("a", b"x")
    assert everything(tmp_path) == set() and store.commit("a", b"x")


def test_a_disk_that_is_really_full_is_one_clear_error(tmp_path):
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], capture_output=True
    ).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        store = Store(str(tmp_path))
        store.commit("small", b"x" * 1000)
        with pytest.raises(UneError, match="no space left"):
            store.commit("large", b"x" * 1_000_000)
        assert everything(tmp_path) == {"small"}
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_no_permission_is_one_clear_error(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "permission denied")

    monkeypatch.setattr(os, "replace", refuse)  # root may write anywhere, so the refusal is made
    with pytest.raises(UneError, match="no permission to write"):
        Store(str(tmp_path)).commit("a", b"x")


def test_a_study_of_a_read_only_lake_is_refused_before_its_work_and_what_is_done_answers(
    tmp_path, monkeypatch
):
    if os.getuid():
        pytest.skip("mounting a folder read-only needs root")
    lake = Planted(count=200, spaces=("enc",)).lake(str(tmp_path / "lake"))
    with monkeypatch.context() as before:  # lda's are an earlier version's, and all that this lake can say
        before.setattr("une_ray.studies.probes.study._exact", lambda *_: {})
        older = probe(lake, method="lda", permutations=0)
    done, said = probe(lake, permutations=0), []
    mount = ["mount", "--bind", lake.url, lake.url]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no mounts here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", lake.url], check=True)
        assert probe(lake, permutations=0, report=said.append).configs == done.configs
        assert probe(lake, method="lda", permutations=0, report=said.append).configs == older.configs
        with pytest.raises(UneError, match="no permission to write .*/probes/.*; choose another --lake"):
            probe(lake, permutations=5, report=said.append)
        with pytest.raises(
            UneError, match=r"no permission to write .*report.html; name another file by --out"
        ):
            write(lake)
        assert not said and write(lake, tmp_path / "page.html").exists()
        lake.register("enc", lake.fingerprints()["enc"])  # as a build of what is there does
        lake.store.sweep()
    finally:
        subprocess.run(["umount", lake.url], check=True)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_what_may_not_be_removed_is_one_clear_error(tmp_path, monkeypatch, code):
    store = Store(str(tmp_path))
    store.commit("a/b", b"x")

    def refuse(*_, **__):
        raise OSError(code, "no")

    monkeypatch.setattr(store.filesystem, "rm", refuse)  # root may remove anything, so the refusal is made
    with pytest.raises(UneError, match="no permission to write .*/a/b; choose another --lake or change"):
        store.remove("a/b")


@pytest.mark.parametrize("below", ["", "/lake"])
def test_a_lake_that_is_a_file_or_below_one_is_one_clear_error(tmp_path, below):
    (tmp_path / "v.npy").write_bytes(b"x")
    store = Store(f"{tmp_path}/v.npy{below}")
    for act in (store.read, store.names, lambda name: store.commit(name, b"x")):
        with pytest.raises(UneError, match=r"/v\.npy is a file, not a folder: [^\n]+$"):
            act("fingerprints")
    assert not store.exists("noisezoo.json") and everything(tmp_path) == {"v.npy"}


def test_leftovers_of_killed_writers_go_after_a_day_however_wrong_our_clock(tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 4e9)
    store = Store(str(tmp_path))
    (tmp_path / "tmp").mkdir()
    for name, age in (("old", 2 * 86400), ("new", 60)):
        (tmp_path / "tmp" / name).write_bytes(b"x")
        os.utime(tmp_path / "tmp" / name, (os.stat(tmp_path / "tmp" / name).st_mtime - age,) * 2)
    store.sweep()
    assert everything(tmp_path) == {"tmp/new"}


def test_an_unknown_protocol_is_refused():
    with pytest.raises(UneError, match="nfs4"):
        Store("nfs4://x/y").exists("a")


@pytest.mark.parametrize("operation", ["exists", "names", "read", "commit"])
def test_an_object_store_that_does_not_answer_is_one_clear_error(monkeypatch, operation):
    class Silent(Exception):
        """A client's own type, of no family that we know."""

    def fail(*_, **__):
        raise Silent("connect timeout")

    for method in ("exists", "ls", "open", "pipe_file"):
        monkeypatch.setattr(Store("memory://lake").filesystem, method, fail)
    with pytest.raises(
        UneError,
        match=(
            r"memory://lake/a: the object store does not answer \(Silent: connect timeout\).*goes on from"
            r" there"
        ),
    ):
        getattr(Store("memory://lake"), operation)("a", *([b"x"] if operation == "commit" else []))


def test_an_object_stores_missing_file_is_missing(monkeypatch):
    store = Store("memory://lake")
    assert not store.exists("a") and store.names("a") == set()
    with pytest.raises(FileNotFoundError):
        store.read("a")
