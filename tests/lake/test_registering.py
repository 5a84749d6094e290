"""Two builds that take one name for different spaces at once: one is refused, and no numbers mix."""

import json

import pyarrow as pa
import pytest

from tests.helpers.lakes import items, latent
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, fingerprint_file, shard_file, space_folder
from une_ray.lake.store import Store

OURS, THEIRS = {"weights": "ours"}, {"weights": "theirs"}
SHARD = f"{space_folder('a/b')}/{shard_file(0)}"


@pytest.fixture
def lake(tmp_path) -> Lake:
    return create(Lake(str(tmp_path / "lake")), "test:4", iter(items(4)), 4)


def table() -> pa.Table:
    return pa.Table.from_pylist([latent(f"i{n}") for n in range(4)], schema=schema.SPACE)


def stamped(lake: Lake) -> dict | None:
    """The fingerprint of the shard that is there."""
    if not lake.store.exists(SHARD):
        return None
    return json.loads(lake.read_table(SHARD).schema.metadata[b"fingerprint"])


def meanwhile(monkeypatch, name: str, act, before: bool) -> None:
    """Have another build `act` once, just before or after the next commit of `name`."""
    commit, left = Store.commit, [act]

    def committed(self, to, data, replace=True):
        turn = left.pop() if left and to == name else None
        if turn and before:
            turn()
        wrote = commit(self, to, data, replace)
        if turn and not before:
            turn()
        return wrote

    monkeypatch.setattr(Store, "commit", committed)


def test_a_name_that_another_build_took_before_any_shard_is_refused_at_commit(lake):
    lake.register("a/b", OURS)
    Lake(lake.url).register("a/b", THEIRS)
    with pytest.raises(UneError, match="registered anew by another build .* weights differ"):
        lake.commit_shard("a/b", 0, table(), OURS)
    assert stamped(lake) is None
    lake.commit_shard("a/b", 0, table(), THEIRS)
    assert stamped(lake) == THEIRS
    with pytest.raises(UneError, match="built with another fingerprint"):
        lake.register("a/b", OURS)


@pytest.mark.parametrize("before", [True, False])
def test_whoever_comes_between_question_and_commit_is_seen(lake, monkeypatch, before):
    """They register while we commit: whichever is first, one of the two is refused."""
    lake.register("a/b", OURS)
    refused = []

    def register():
        try:
            Lake(lake.url).register("a/b", THEIRS)
        except UneError:
            refused.append(THEIRS)

    meanwhile(monkeypatch, SHARD, register, before)
    try:
        lake.commit_shard("a/b", 0, table(), OURS)
    except UneError:
        refused.append(OURS)
    assert refused == ([OURS] if before else [THEIRS])
    assert stamped(lake) == (None if before else OURS)
    assert lake.fingerprint("a/b") == (THEIRS if before else OURS)


def test_a_shard_that_comes_while_its_name_is_taken_keeps_it(lake, monkeypatch):
    lake.register("a/b", OURS)
    commit = lambda: lake.commit_shard("a/b", 0, table(), OURS)  # noqa: E731
    file, calls = fingerprint_file("a/b"), []
    original = Store.commit

    def committed(self, to, data, replace=True):
        if to == file and replace and not calls:  # they have seen no shard, and now replace
            calls.append(to)
            commit()
        return original(self, to, data, replace)

    monkeypatch.setattr(Store, "commit", committed)
    with pytest.raises(UneError, match="built with another fingerprint"):
        Lake(lake.url).register("a/b", THEIRS)
    assert calls and stamped(lake) == OURS and lake.fingerprint("a/b") == OURS


def test_a_shard_that_is_there_stays_and_a_forgotten_space_is_registered_again(lake):
    lake.register("a/b", OURS)
    lake.forget_empty({"a/b": OURS})  # another build of the same failed
    lake.commit_shard("a/b", 0, table(), OURS)
    assert stamped(lake) == OURS and lake.fingerprint("a/b") == OURS
    first = lake.store.read(SHARD)
    lake.commit_shard("a/b", 0, table(), OURS, {"shape": [4]})
    assert lake.store.read(SHARD) == first


def test_a_registration_of_before_roles_stamps_what_is_built_now(lake):
    lake.register("a/b", OURS)
    lake.commit_shard("a/b", 0, table(), OURS | {"role": "model"})
    assert stamped(lake) == OURS


def stamps(lake: Lake) -> list[dict]:
    """The fingerprint that is registered, then those of the shards that are there."""
    folder = space_folder("a/b")
    files = [lake.read_table(f"{folder}/{file.name}") for file in lake.files(folder)]
    return [lake.fingerprint("a/b"), *(json.loads(file.schema.metadata[b"fingerprint"]) for file in files)]


def test_a_shard_that_comes_while_its_space_is_forgotten_keeps_the_name(lake, monkeypatch):
    """A build that fails forgets the space; another of the same commits its first shard just then."""
    lake.register("a/b", OURS)
    remove, left = Store.remove, [lambda: Lake(lake.url).commit_shard("a/b", 0, table(), OURS)]

    def removed(self, name):
        if left and name == fingerprint_file("a/b"):
            left.pop()()
        remove(self, name)

    monkeypatch.setattr(Store, "remove", removed)
    lake.forget_empty({"a/b": OURS})
    assert not left and stamps(lake) == [OURS, OURS]
    with pytest.raises(UneError, match="built with another fingerprint"):
        lake.register("a/b", THEIRS)


def test_what_only_one_of_two_fingerprints_says_is_nothing_in_the_other(lake):
    lake.register("a/b", OURS)
    lake.commit_shard("a/b", 0, table(), OURS)
    with pytest.raises(UneError, match="vae_dtype: lake has nothing, this build has 'float16'"):
        lake.register("a/b", OURS | {"vae_dtype": "float16"})


def test_a_name_whose_fingerprint_was_lost_is_what_its_shards_say(lake):
    lake.register("a/b", OURS)
    lake.commit_shard("a/b", 0, table(), OURS)
    lake.store.remove(fingerprint_file("a/b"))
    with pytest.raises(UneError, match="weights: lake has 'ours', this build has 'theirs'"):
        lake.register("a/b", THEIRS)
    assert stamps(lake) == [OURS, OURS]
    lake.store.remove(fingerprint_file("a/b"))
    with pytest.raises(UneError, match="registered|built with another"):
        lake.commit_shard("a/b", 1, table(), THEIRS)
    assert stamps(lake) == [OURS, OURS]
    lake.store.remove(fingerprint_file("a/b"))
    lake.register("a/b", OURS | {"role": "model"})  # which an early une_ray did not write
    assert stamps(lake) == [OURS, OURS]


def test_a_damaged_fingerprint_is_named_with_what_mends_it(lake):
    lake.register("a/b", OURS)
    lake.commit_shard("a/b", 0, table(), OURS)
    for damaged in (b"{", b"[]", b"\xff"):
        lake.store.commit(fingerprint_file("a/b"), damaged)
        for ask in (lake.fingerprints, lambda: lake.fingerprint("a/b"), lambda: lake.register("a/b", OURS)):
            with pytest.raises(UneError, match="fingerprints/a%2Fb.json is .*, or delete it: what made"):
                ask()
    lake.store.remove(fingerprint_file("a/b"))
    lake.register("a/b", OURS)
    assert stamps(lake) == [OURS, OURS]
