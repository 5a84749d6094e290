"""Processes that may die find the rows that kill: every one of them, no other, and none where the machine
is at fault."""

import atexit
import os
import signal

import pytest

from une_ray.errors import UneError
from une_ray.run.killers import killers


def deadly(rows: dict[int, int | None], harmless: bool = True):
    """A trial that dies on `rows` by the signal they name, or by exit code 3."""

    def trial(row: int | None) -> None:
        if row in rows or (row is None and not harmless):
            os.kill(os.getpid(), rows[row]) if rows.get(row) else os._exit(3)
        if row == 1:
            raise ValueError("an ordinary fault kills nobody")

    return trial


def unloadable():
    raise OSError("no such weights")


def ends_badly():
    atexit.register(os.abort)
    return lambda row: None


def test_no_row_is_blamed_for_how_a_process_ends_that_has_done_them_all():
    assert killers(ends_badly, (), 3) == {}


def test_every_row_that_kills_is_found_with_how_and_no_other():
    assert killers(deadly, ({0: signal.SIGSEGV, 2: None, 4: signal.SIGKILL},), 5) == {
        0: "killed its process (SIGSEGV)",
        2: "killed its process (exit code 3)",
        4: "killed its process (SIGKILL)",
    }
    assert killers(deadly, ({},), 3) == {} == killers(deadly, ({},), 0)


def test_where_a_harmless_picture_kills_no_row_is_blamed():
    with pytest.raises(
        UneError, match="ended \\(exit code 3\\) on a harmless picture, so no image is to blame"
    ):
        killers(deadly, ({}, False), 3)


def test_what_raises_does_not_kill():
    assert killers(unloadable, (), 3) == {}
