"""`une compact`: fewer files and the same answers, whoever is killed, comes second or reads in between."""

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import duckdb
import pyarrow as pa
import pytest

import une_ray
from tests.helpers import stock
from tests.helpers.lakes import FINGERPRINT, fill, items, latent, write
from une_ray.errors import UneError
from une_ray.lake import schema, shell
from une_ray.lake.compact import LISTING, compact, groups, has_work, here, stage
from une_ray.lake.create import create
from une_ray.lake.files import (
    ShardFile,
    current,
    is_unfinished,
    marker_file,
    merged_file,
    shard_file,
    shard_files,
    sizes,
    without_superseded,
)
from une_ray.lake.layout import COMPACTION, Lake, fingerprint_file, space_folder
from une_ray.lake.renaming import remove_space, rename_space
from une_ray.lake.session import choose_files_of, connect_many
from une_ray.lake.verify import verify

SPACE = space_folder("a/b")
QUERIES = (
    "FROM counts",
    "SELECT space, dim, round(mean_norm, 9), round(std_norm, 9) FROM norms",
    "SELECT * FROM images ORDER BY image_id",
    "SELECT * FROM latents ORDER BY image_id",
    "FROM rejects",
)


@pytest.fixture
def lake(tmp_path) -> Lake:
    return fill(create(Lake(str(tmp_path / "lake")), "made-up:40", iter(items(40)), 4))


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> list:
    """What a lake like `lake` answers."""
    folder = tmp_path_factory.mktemp("before") / "lake"
    return answers(fill(create(Lake(str(folder)), "made-up:40", iter(items(40)), 4)))


def answers(lake: Lake) -> list:
    return [Lake(lake.url).rows(query) for query in QUERIES]


def test_answers_stay_the_same_and_files_become_few(lake, before):
    stamped = lake.read_shard(SPACE, 3)
    done = {folder.folder: (folder.before, folder.after) for folder in compact(lake, grace=0)}
    assert done == {"images": (10, 1), SPACE: (10, 1)} and answers(lake) == before
    assert lake.store.names(SPACE) == {"merged-00000-00009.parquet"} and not lake.store.exists(COMPACTION)
    assert list(verify(Lake(lake.url))) and lake.committed(SPACE) == set(range(10))
    again = lake.read_shard(SPACE, 3)
    assert (
        again.equals(stamped)
        and again.schema.metadata[b"fingerprint"] == stamped.schema.metadata[b"fingerprint"]
    )
    assert stock.module(lake).execute("FROM counts").fetchall() == before[0]
    with pytest.raises(FileNotFoundError):
        lake.read_shard(SPACE, 10)
    assert [(folder.before, folder.after) for folder in compact(lake, grace=0)] == [(1, 1), (1, 1)]


def test_shards_that_come_later_are_read_beside_merged_ones_and_merged_in_turn(lake):
    gone = lake.read_shard(SPACE, 9)
    lake.store.remove(f"{SPACE}/{shard_file(9)}")
    list(compact(lake, grace=0))
    assert lake.store.names(SPACE) == {"merged-00000-00008.parquet"} and 9 not in lake.committed(SPACE)
    write(lake, f"{SPACE}/{shard_file(9)}", gone.to_pylist(), schema.SPACE)
    assert len(list(verify(Lake(lake.url)))) == 3
    list(compact(lake, grace=0))
    assert lake.store.names(SPACE) == {"merged-00000-00009.parquet"}
    assert Lake(lake.url).rows("SELECT count(*), count(DISTINCT image_id) FROM readings") == [(40, 40)]


def test_files_of_earlier_une_rays_get_their_dim(lake, before):
    for shard in range(10):
        table = lake.read_shard(SPACE, shard).drop_columns("dim")
        lake.store.commit(f"{SPACE}/{shard_file(shard)}", schema.parquet(table, {"fingerprint": FINGERPRINT}))
    assert answers(lake) == before
    list(compact(lake, grace=0))
    assert answers(lake) == before and list(verify(Lake(lake.url)))
    dims = lake.rows("SELECT DISTINCT dim FROM readings WHERE status = 'ok'")
    assert dims == [(4,)]


KILLED = """
import os, signal, sys
from une_ray.lake import compact, store
from une_ray.lake.layout import Lake
left = int(sys.argv[2])
def dying(call):
    def one_more(self, name, *rest, **options):
        global left
        if "compaction" not in name:
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return call(self, name, *rest, **options)
    return one_more
for name in ("commit", "move", "remove"):
    setattr(store.Store, name, dying(getattr(store.Store, name)))
compact.BEAT, compact.DEAD = 0.02, 0.1
compact.THREADS = 1
list(compact.compact(Lake(sys.argv[1]), grace=0))
print("whole")
"""


@pytest.mark.parametrize("writes", [1, 3, 8])
def test_a_killed_one_loses_nothing_doubles_nothing_and_is_finished(lake, before, writes, monkeypatch):
    """Killed after so many writes, moves and removals; the stock shell refuses what is half done."""
    job = subprocess.run(
        [sys.executable, "-c", KILLED, lake.url, str(writes)], capture_output=True, text=True
    )
    assert job.returncode == -signal.SIGKILL, job.stderr
    assert answers(lake) == before
    half = shard_files(lake.store.names("images")) != current(lake.store.names("images"))
    if half:
        with pytest.raises(duckdb.Error, match="une-compact-is-at-work"):
            stock.module(lake).execute("FROM images").fetchall()
        with pytest.raises(UneError, match="une compact .* finishes it"):
            list(verify(Lake(lake.url)))
    monkeypatch.setattr("une_ray.lake.compact.BEAT", 0.02)
    monkeypatch.setattr("une_ray.lake.compact.DEAD", 0.1)
    list(compact(lake, grace=0))
    assert answers(lake) == before and list(verify(Lake(lake.url)))
    assert lake.store.names(SPACE) == {"merged-00000-00009.parquet"} and not lake.store.exists(COMPACTION)


def test_readers_in_between_get_the_same_answer_every_time(lake, before):
    rounds: list[list[str]] = []  # queries that were answered otherwise, of each round
    done = threading.Event()

    def read() -> None:
        reader = Lake(lake.url)
        while not done.is_set():
            rounds.append([query for query, right in zip(QUERIES, before) if reader.rows(query) != right])

    def read_on() -> None:
        """Until a round has begun and ended."""
        wanted = len(rounds) + 2
        while len(rounds) < wanted and thread.is_alive():
            time.sleep(0.01)

    thread = threading.Thread(target=read)
    thread.start()
    read_on()
    for _ in compact(lake, grace=2):
        read_on()
    done.set()
    thread.join()
    assert len(rounds) >= 6 and not any(rounds)
    assert lake.store.names(SPACE) == {"merged-00000-00009.parquet"}


def test_two_at_once_do_it_once(lake, before, monkeypatch):
    monkeypatch.setattr("une_ray.lake.compact.BEAT", 0.02)
    said = []

    def work() -> None:
        list(compact(Lake(lake.url), grace=0.2, say=said.append))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers(lake) == before and lake.store.names(SPACE) == {"merged-00000-00009.parquet"}
    assert len(said) == 1 and f"process {os.getpid()}) has this lake; waiting" in said[0]


def test_one_that_was_stopped_too_long_gives_up_what_another_took(lake, monkeypatch):
    monkeypatch.setattr("une_ray.lake.compact.BEAT", 0.02)
    with pytest.raises(UneError, match="has taken over"):
        for _ in compact(lake, grace=0):
            for _ in range(5):  # a sign of life may come between
                lake.store.commit(COMPACTION, b'{"owner": "another", "host": "h", "pid": 1}')
                time.sleep(0.1)
    lake.store.remove(COMPACTION)


def test_a_renamed_space_may_be_merged(lake):
    list(compact(lake, grace=0))
    rename_space(lake, "a/b", "c")
    assert list(verify(Lake(lake.url))) and Lake(lake.url).rows("SELECT space, images FROM counts")[0] == (
        "c",
        39,
    )
    assert lake.read_shard(space_folder("c"), 9)["image_id"].to_pylist() == [f"i{n}" for n in range(36, 40)]


def test_files_unlike_the_others_are_not_merged(lake):
    rows = [latent(f"i{n}") for n in range(4)]
    write(lake, f"{SPACE}/{shard_file(0)}", rows, schema.SPACE, {"model": "another"})
    with pytest.raises(UneError, match="stamped otherwise"):
        list(compact(lake, grace=0))
    assert len(lake.store.names(SPACE)) == 10


def test_groups_are_neighbours_of_about_the_size():
    names = [*map(shard_file, (0, 1, 2, 3, 5, 6, 7)), "merged-00008-00019.parquet", shard_file(20)]
    files = shard_files(names)
    bytes_of = dict.fromkeys(names, 40) | {"merged-00008-00019.parquet": 90}
    found = [(group[0].first, group[-1].last) for group in groups(files, bytes_of, 100)]
    assert found == [(0, 2), (5, 7)]


def test_of_two_files_with_a_shard_the_larger_counts():
    names = [
        shard_file(0),
        shard_file(7),
        "merged-00000-00003.parquet",
        "merged-00000-00005.parquet",
        "empty.parquet",
    ]
    assert [(file.first, file.last) for file in current(names)] == [(0, 5), (7, 7)]
    assert current([shard_file(2)]) == [ShardFile(name=shard_file(2), first=2, last=2)]
    paths = [f"x/{name}" for name in [*names, "merging-1.parquet"]] + ["y/shard-00000.parquet"]
    left = ["x/empty.parquet", "x/merged-00000-00005.parquet", f"x/{shard_file(7)}", "y/shard-00000.parquet"]
    assert without_superseded(paths) == left


def test_a_lake_in_an_object_store_is_merged_alike(before, monkeypatch):
    monkeypatch.setattr("une_ray.lake.compact.BEAT", 0.02)
    lake = fill(create(Lake("memory://merged"), "made-up:40", iter(items(40)), 4))
    reader = lake.session
    list(compact(lake, grace=0))
    assert lake.store.names(SPACE) == {"merged-00000-00009.parquet"} and not lake.store.names("tmp")
    assert lake.has_shard(SPACE, 9) and not lake.has_shard(SPACE, 10) and len(lake.read_shard(SPACE, 9)) == 4
    assert [reader.execute(query).fetchall() for query in QUERIES] == before
    lake.store.remove("")


def test_a_shard_that_is_committed_again_after_it_was_merged_counts_once(lake):
    """A build read it while another committed it, and the files were merged before it could commit."""
    late = lake.read_shard(SPACE, 0)
    list(compact(lake, grace=0))
    lake.commit_shard("a/b", 0, late, FINGERPRINT)
    assert lake.store.names(SPACE) == {"merged-00000-00009.parquet"}
    assert Lake(lake.url).rows("SELECT count(*), count(DISTINCT image_id) FROM readings") == [(40, 40)]


def test_one_that_was_stopped_finds_out_before_it_moves_anything(lake, before, monkeypatch):
    """Its beats may come later than its next move: the process was stopped, and goes on."""
    monkeypatch.setattr("une_ray.lake.compact.BEAT", 1000)
    monkeypatch.setattr("une_ray.lake.compact.DEAD", 0.1)

    def stopped(work, wanted):
        staged = list(here(work, wanted))
        lake.store.commit(COMPACTION, b'{"owner": "another", "host": "h", "pid": 1}')
        time.sleep(0.1)
        return iter(staged)

    with pytest.raises(UneError, match="has taken over"):
        list(compact(lake, grace=0, spread=stopped))
    assert len(lake.store.names("images")) == 11 and lake.store.exists(COMPACTION)
    lake.store.remove(COMPACTION)
    assert answers(lake) == before


def test_files_that_share_shards_become_one(lake, before):
    """Of two calls with other sizes, one of which was stopped: each shard is in the new file once."""
    for folder in ("images", SPACE):
        files = shard_files(lake.store.names(folder))
        staged = {(0, 5): stage(lake, folder, files[:6]), (3, 8): stage(lake, folder, files[3:9])}
        for (first, last), temporary in staged.items():
            lake.store.move(temporary, f"{folder}/{merged_file(first, last)}")
        for number in range(9):
            lake.store.remove(f"{folder}/{shard_file(number)}")
    assert is_unfinished(lake.store.names(SPACE)) and has_work(lake, SPACE, 1)
    assert Lake(lake.url).rows("SELECT count(*) FROM images") != [(40,)]
    list(compact(lake, 1, grace=0))
    assert lake.store.names(SPACE) == {"merged-00000-00008.parquet", shard_file(9)}
    assert answers(lake) == before and list(verify(Lake(lake.url)))


@pytest.mark.parametrize("fault", [KeyboardInterrupt, UneError])
def test_one_that_is_interrupted_in_its_grace_keeps_its_lease_and_another_finishes_all_folders(
    lake, before, monkeypatch, fault
):
    def interrupted(*_):
        raise fault("stopped")

    with monkeypatch.context() as patched, pytest.raises(fault):
        patched.setattr("une_ray.lake.compact._wait", interrupted)
        list(compact(lake, grace=60))
    assert lake.store.exists(COMPACTION) and is_unfinished(lake.store.names("images"))
    assert answers(lake) == before
    monkeypatch.setattr("une_ray.lake.compact.BEAT", 0.02)
    monkeypatch.setattr("une_ray.lake.compact.DEAD", 0.1)
    assert list(compact(lake, grace=0, folders=[])) == []
    assert not lake.store.exists(COMPACTION) and not is_unfinished(lake.store.names("images"))
    assert answers(lake) == before


def test_what_is_remembered_of_a_file_is_not_of_the_next_of_its_name(lake):
    list(compact(lake, grace=0))
    old = lake.read_shard(SPACE, 0)
    remove_space(lake, "a/b")
    fill(lake, dim=6)
    list(compact(lake, grace=0))
    new = lake.read_shard(SPACE, 0)
    assert [len(table["z"][0].as_py()) for table in (old, new)] == [4, 6]


def remade(lake: Lake) -> None:
    """The space as others may remove it, whatever une says, and build it anew: of 6 numbers."""
    lake.store.remove(SPACE)
    lake.store.remove(fingerprint_file("a/b"))
    fill(Lake(lake.url), dim=6)


@pytest.mark.parametrize("at", ["staged", "moving", "grace"])
@pytest.mark.parametrize("anew", [True, False])
def test_a_space_that_is_removed_or_made_anew_meanwhile_is_left_alone(lake, monkeypatch, at, anew):
    times: list[str] = []

    def meanwhile(moment: str) -> None:
        if moment == at and not times and len(lake.store.names("images")) == 2:  # it is the space's turn
            times.append(moment)
            remade(lake)
            if not anew:
                lake.store.remove(SPACE)
                lake.store.remove(fingerprint_file("a/b"))

    def staged(work, wanted):
        yield from here(work, wanted)
        meanwhile("staged")

    def waited(seconds, check):
        moments = {"moving": seconds == 10 * LISTING, "grace": seconds == 10}
        for moment, is_now in moments.items():
            if is_now:
                meanwhile(moment)

    monkeypatch.setattr("une_ray.lake.compact._wait", waited)
    list(compact(lake, grace=10, spread=staged))
    assert times == [at] and not lake.store.exists(COMPACTION) and not lake.store.names("tmp")
    assert lake.store.names(SPACE) == ({shard_file(number) for number in range(10)} if anew else set())
    if anew:
        assert {len(row[0]) for row in Lake(lake.url).rows("SELECT z FROM latents")} == {6}


def test_what_was_staged_in_vain_does_not_stay(lake):
    write(lake, f"{SPACE}/{shard_file(9)}", [latent("i36")], schema.SPACE, {"model": "another"})
    for _ in range(3):
        with pytest.raises(UneError, match="stamped otherwise"):
            list(compact(lake, 4 * max(sizes(lake.store, SPACE).values()), grace=0))
    assert not lake.store.names("tmp")


def test_a_space_is_not_renamed_while_its_files_are_merged(lake):
    lake.store.commit(f"{SPACE}/{marker_file()}", b"")
    for change in (lambda: rename_space(lake, "a/b", "c"), lambda: remove_space(lake, "a/b")):
        with pytest.raises(UneError, match="are being merged; wait, or une compact"):
            change()
    list(compact(lake, grace=0))
    rename_space(lake, "a/b", "c")


def test_a_prompt_that_was_open_before_reads_on_of_every_lake(tmp_path, lake, before, capsys):
    other = fill(create(Lake(str(tmp_path / "other")), "made-up:8", iter(items(8)), 4))
    lakes = {"a": lake, "b": other}
    connection = connect_many(lakes)
    question = "SELECT (SELECT count(*) FROM readings) || '+' || (SELECT count(*) FROM b.readings) AS both"
    ask = partial(shell.run, connection, question, partial(choose_files_of, connection, lakes))

    def asked(work, wanted):
        ask()
        yield from here(work, wanted)

    for each in (lake, other):  # at work, with files twice in a folder
        for _ in compact(each, grace=0, spread=asked):
            ask()
    fill(create(other, "made-up:8", iter(items(12)), 4))
    for folder, number in itertools.product(("images", SPACE), (0, 1)):  # which are merged already
        other.store.remove(f"{folder}/{shard_file(number)}")
    ask()
    counted = re.findall(r"\d+\+\d+", capsys.readouterr().out)
    assert len(counted) >= 8 and set(counted[:-1]) == {"40+8"} and counted[-1] == "40+12"


def test_truncations_are_read_while_files_are_merged(lake):
    ids = lake.plan(0)["image_id"].to_pylist()
    rows = pa.Table.from_pylist([latent(i) for i in ids], schema=schema.SPACE)
    stamp = {"fingerprint": FINGERPRINT, "truncated": ["i1"]}
    lake.store.commit(f"{SPACE}/{shard_file(0)}", schema.parquet(rows, stamp))
    assert Lake(lake.url).rows("FROM truncations") == [("a/b", "i1")]

    def asked(work, wanted):
        yield from here(work, wanted)
        assert Lake(lake.url).rows("FROM truncations") == [("a/b", "i1")]

    lake.store.commit(f"{SPACE}/{marker_file()}", b"")
    lake.store.commit(COMPACTION, b"{}")
    assert Lake(lake.url).rows("FROM truncations") == [("a/b", "i1")]
    lake.store.remove(COMPACTION)
    list(compact(lake, grace=0, spread=asked))
    assert Lake(lake.url).rows("FROM truncations") == [("a/b", "i1")]


def test_a_lake_that_was_opened_beside_another_while_its_files_were_merged_is_read_on(tmp_path, lake):
    first = fill(create(Lake(str(tmp_path / "first")), "made-up:8", iter(items(8)), 4))
    gone = {folder: lake.read_shard(folder, 9) for folder in ("images", SPACE)}
    for folder in gone:
        lake.store.remove(f"{folder}/{shard_file(9)}")
    lake.store.commit(COMPACTION, b"{}")
    both = une_ray.open(first.url, b=lake.url)
    count = "SELECT (SELECT count(*) FROM readings), (SELECT count(*) FROM b.readings)"
    assert both.rows(count) == [(8, 36)]
    lake.store.remove(COMPACTION)
    for folder, table in gone.items():
        lake.store.commit(f"{folder}/{shard_file(9)}", schema.parquet(table, {"fingerprint": FINGERPRINT}))
    assert both.rows(count) == [(8, 40)]
