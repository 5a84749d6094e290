"""Which rows of a shard end the process that works on them, by a fault of a decoder or for want of memory:
found by processes that may die."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from une_ray.errors import UneError

HARMLESS = b"P6 64 64 255\n" + bytes([127]) * (3 * 64 * 64)  # a grey picture

RowWork = Callable[[int | None], object]
"""Does one row's work and throws the result away; for None, that of HARMLESS."""


def killers(prepare: Callable[..., RowWork], arguments: tuple[Any, ...], rows: int) -> dict[int, str]:
    """Rows of range(rows) on which a process dies, and how. `prepare(*arguments)` makes the trial, anew in
    every process.

    Raises UneError where a process dies before the first row: then no row is to blame, and none must be
    rejected for it.
    """
    reasons: dict[int, str] = {}
    first = 0
    while first < rows:
        reached, code = _run(prepare, arguments, range(first, rows))
        if reached == rows:
            break
        if reached is None:
            raise UneError(
                f"a process ended ({_how(code)}) on a harmless picture, so no image is to blame; is there"
                " memory enough?"
            )
        reasons[reached] = f"killed its process ({_how(code)})"
        first = reached + 1
    return reasons


def _run(
    prepare: Callable[..., RowWork], arguments: tuple[Any, ...], rows: range
) -> tuple[int | None, int | None]:
    """The last row that a new process began, or rows.stop when it had done them all, and its exit code."""
    context = multiprocessing.get_context(
        "spawn"
    )  # a copy by fork would share the parent's threads and its CUDA
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_try_each, args=(prepare, arguments, rows, there), daemon=True)
    child.start()
    there.close()
    reached = None
    with contextlib.suppress(EOFError):
        while True:
            reached = here.recv()
    child.join()
    return reached, child.exitcode


def _try_each(
    prepare: Callable[..., RowWork], arguments: tuple[Any, ...], rows: range, progress: Connection
) -> None:
    with contextlib.suppress(
        Exception
    ):  # what raises does not kill: it is met again, and told in its own words
        trial = prepare(*arguments)
        trial(None)
        for row in rows:
            progress.send(row)
            with contextlib.suppress(Exception):
                trial(row)
    progress.send(rows.stop)  # how the process ends from here on is no row's fault


def _how(code: int | None) -> str:
    return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
