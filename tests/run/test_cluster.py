"""Faults of the machine and the cluster are one line with the remedy, within seconds."""

import socket
import time

import pytest

from une_ray.cli.submit import answer
from une_ray.errors import UneError
from une_ray.run.cluster import LONGEST_TMPDIR, refuse_unreachable


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_dead_ray_is_said_within_seconds(closed_port):
    started = time.monotonic()
    for address in (f"127.0.0.1:{closed_port}", f"ray://127.0.0.1:{closed_port}"):
        with pytest.raises(UneError, match=f"no Ray answers at {address}"):
            refuse_unreachable(address)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://head:8265", "address of a job server: une submit takes that"),
        ("https://head", "address of a job server"),
        ("head", "'head' is none"),
        ("ray://head", "is none"),
        ("head:port", "is none"),
    ],
)
def test_an_address_that_is_none_is_refused_without_asking(address, said):
    with pytest.raises(UneError, match=said):
        refuse_unreachable(address)


def test_what_answers_is_let_through():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        refuse_unreachable(f"127.0.0.1:{listener.getsockname()[1]}")
    refuse_unreachable("auto")


def test_a_temporary_folder_too_long_for_sockets_is_refused(monkeypatch):
    """Linux ends the name of a socket after 107 bytes; the session's own part is as Ray makes it."""
    session = "/ray/session_2026-11-25_22-53-57_123456_1234567/sockets/plasma_store"
    assert LONGEST_TMPDIR + len(session) <= 107
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp/" + "x" * 60)
    with pytest.raises(UneError, match="RAY_TMPDIR=/tmp"):
        refuse_unreachable(None)
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    refuse_unreachable(None)


def test_a_servers_answer_is_its_last_line():
    error = RuntimeError(
        "Request failed with status code 500: Traceback (most recent call last):\\n  File x\\nRuntimeError:"
        " No available agent to submit job, please try again later.\\n."
    )
    assert answer(error) == "RuntimeError: No available agent to submit job, please try again later"
    assert answer(OSError()) == "OSError"
