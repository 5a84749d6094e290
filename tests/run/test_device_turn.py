"""An actor computes one shard at a time, while it decodes the next and writes the one before."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from une_ray.corpora import open_corpus
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, space_folder
from une_ray.run import ray_data
from une_ray.run.clock import DeviceTurn
from une_ray.run.parcels import packed, unpacked
from une_ray.run.rows import ShardRow
from une_ray.run.tries import start_tries
from une_ray.spaces.space import Space

SPACES = ("pixels-16", "pixels-32")


def test_turns_do_not_overlap_and_count_neither_waiting_nor_what_comes_after():
    turn, spans = DeviceTurn(), []

    def shard(number: int) -> float:
        with turn:
            began = time.monotonic()
            time.sleep(0.05)
            spans.append((began, time.monotonic()))
        clock = turn.last(f"space {number}", "cpu")
        time.sleep(0.2)
        assert clock.stage == f"space {number}"
        return clock.seconds

    with ThreadPoolExecutor(4) as threads:
        seconds = list(threads.map(shard, range(4)))
    spans.sort()
    assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:]))
    measured = sorted(end - begin for begin, end in spans)
    assert sorted(seconds) == pytest.approx(measured, abs=0.02)


def test_a_turn_that_fails_is_given_on():
    turn = DeviceTurn()
    with pytest.raises(UneError), turn:
        raise UneError("no")
    with turn:
        assert turn.lock.locked()
    assert not turn.lock.locked()


class Watched(ray_data.ReadSpace):
    """Writes down who computes and who is written, and fails on shard 2."""

    computing = 0
    most = 0
    overlapped = threading.Event()

    def read(self, packed, suspect):
        with self.device_turn:
            Watched.computing += 1
            Watched.most = max(Watched.most, Watched.computing)
            time.sleep(0.02)
            Watched.computing -= 1
        if packed["image_id"][0].as_py() == "avatar-0-00000006":
            raise RuntimeError("the model is out of sorts")
        return super().read(packed, suspect)

    def keep_seeds(self, shard_number, seeds):
        """Just before a file is written: until another shard computes."""
        until = time.monotonic() + 5
        while shard_number == 0 and time.monotonic() < until and not Watched.overlapped.is_set():
            if Watched.computing:
                Watched.overlapped.set()


@pytest.mark.usefixtures("shared_ray")
def test_a_parcel_comes_back_in_its_order_and_a_fault_costs_its_shard_alone(tmp_path):
    corpus = "avatars:15"
    lake = create(Lake(str(tmp_path / "lake")), corpus, open_corpus(corpus).items(), 3)
    pinned, tries = [Space.parse(name).pinned() for name in SPACES], start_tries()
    for space, fingerprint in pinned:
        lake.register(space.name, fingerprint)
    helping = ray_data.Helping(lake.url, corpus, tries, None)
    crew = ray_data.ReadCrew(lake.url, [(Watched, *one) for one in pinned], True, helping)
    rows = [ShardRow(shard=n, place=n, spaces=SPACES) for n in range(lake.shards)]
    read = [ray_data.read_shard(row, lake.url, corpus, tries) for row in rows]
    done = unpacked(crew(packed(read)))
    assert [row.shard for row in done] == [0, 1, 2, 3, 4]
    assert [bool(row.fault) for row in done] == [False, False, True, False, False]
    assert done[2].fault.count("out of sorts") == 2 and Watched.most == 1 and Watched.overlapped.is_set()
    for name in SPACES:
        assert lake.committed(space_folder(name)) == {0, 1, 3, 4}
    assert [record.stage for record in done[0].records] == ["read", *SPACES]
