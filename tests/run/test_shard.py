"""What a picture that can't be had is: a row that says so, or a fault of this machine that must pass."""

import pytest
from botocore.exceptions import ClientError

from une_ray.corpora.base import Unreadable
from une_ray.errors import UneError
from une_ray.run.shard import READ_THREADS, Travelling, read_bytes, refuse_unreachable


@pytest.mark.parametrize("error", [FileNotFoundError("no mount"), PermissionError("not yours")])
def test_a_shard_of_which_no_picture_can_be_had_is_a_fault_and_a_few_are_rejects(error):
    gone = Unreadable(f"{type(error).__name__}: {error}")
    refuse_unreachable([gone, gone, gone])
    refuse_unreachable([gone, gone, gone, b"a picture"])
    with pytest.raises(UneError, match="none of a shard's 4 pictures can be had on this machine"):
        refuse_unreachable([gone] * 4)


def test_credentials_that_ran_out_are_no_rejects():
    expired = PermissionError("The provided token has expired.")
    expired.__cause__ = ClientError({"Error": {"Code": "ExpiredToken"}}, "GetObject")

    class Expired:
        def read(self, source):
            raise expired

    with pytest.raises(UneError, match="ExpiredToken.*fresh credentials"):
        list(read_bytes(Expired(), ["a.png"]))


def test_bytes_come_in_the_order_of_their_sources_a_few_ahead_of_whoever_takes_them():
    asked = []

    class Counting:
        def read(self, source):
            asked.append(source)
            return source.encode()

    sources = [str(n) for n in range(100)]
    reading = read_bytes(Counting(), sources, {3: "deadly"})
    first = [next(reading) for _ in range(5)]
    assert [str(first[3]), *first[:3]] == ["deadly", b"0", b"1", b"2"] and len(asked) <= 5 + READ_THREADS
    assert [*first, *reading][4:] == [source.encode() for source in sources[4:]]
    assert sorted(asked, key=int) == [source for source in sources if source != "3"]


@pytest.mark.parametrize("limit, is_heavy", [(400, False), (399, True), (0, True)])
def test_pictures_are_kept_unless_they_are_over_the_limit_together(limit, is_heavy):
    contents = [b"x" * 100, Unreadable("gone"), b"y" * 300]
    passing = Travelling(iter(contents), limit)
    assert list(passing) == contents and passing.is_heavy is is_heavy and passing.total == 400
    assert passing.kept == ([b"", contents[1], b""] if is_heavy else contents)


def test_of_a_heavy_shard_no_more_is_held_than_the_limit_and_a_picture():
    passing = Travelling((bytes(100) for _ in range(50)), limit=250)
    held = [sum(len(one) for one in passing.kept) for _ in passing]
    assert max(held) == 200 and held[2:] == [0] * 48


def test_of_a_heavy_shard_whose_rows_are_there_the_rest_is_not_read():
    passing = Travelling((bytes(100) for _ in range(50)), limit=250)
    passing.keep()
    assert passing.is_heavy and len(passing.kept) == 3
    light = Travelling((bytes(100) for _ in range(50)), limit=5000)
    light.keep()
    assert not light.is_heavy and len(light.kept) == 50
