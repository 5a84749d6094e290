"""The real `une build` where Ray does not fit: built all the same, or one line with the remedy within half a
minute."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.helpers import silent_network

SECONDS = 30  # from the issue; what is refused needs no Ray, and takes as long as Python's imports
FIXED = (
    6379,
    8265,
    8076,
    10001,
    52365,
)  # ports that a head of Ray, its dashboard and its agents like to have


def une_build(
    lake: Path, before: Sequence[str] = (), actors: Sequence[str] = ("--actors", "1"), **environment: str
) -> subprocess.CompletedProcess[str]:
    """`une build` of eight pictures with that environment, no Ray's of ours, and words before the command; by
    a Ray, as who asks for actors gets one."""
    words = ["build", "--corpus", "avatars:8", "--spaces", "pixels-16", "--lake", str(lake), *actors]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.run(
        [*before, sys.executable, "-m", "une_ray", *words],
        env=kept | environment,
        capture_output=True,
        text=True,
    )


def small(*folders: str) -> list[str]:
    """Words before a command for which those folders have 16 MiB, and for nobody else."""
    own = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mounts = [f"mount -t tmpfs -o size=16m tmpfs {folder}" for folder in folders]
    words = [*own, " && ".join([*mounts, 'exec "$@"']), "sh"]
    if subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount for himself")
    return words


@pytest.fixture
def dead() -> str:
    """The address of a port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.long
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"RAY_ADDRESS": "{dead}"}, "no Ray answers at {dead} (--address or RAY_ADDRESS)"),
        ({"RAY_ADDRESS": "ray://{dead}"}, "no Ray answers at ray://{dead} (--address or RAY_ADDRESS)"),
        ({"RAY_ADDRESS": "http://{dead}"}, "the address of a job server: une submit takes that"),
        ({"RAY_TMPDIR": "", "TMPDIR": "/tmp/" + "x" * 60}, "is too long for the names of Ray's sockets"),
        ({"RAY_TMPDIR": "/dev/null/none"}, "Ray can't write to /dev/null/none/ray: NotADirectoryError"),
    ],
    ids=["dead", "dead client", "http", "long TMPDIR", "no TMPDIR"],
)
def test_what_ray_can_not_do_is_one_line_within_half_a_minute(environment, said, dead, tmp_path):
    started = time.monotonic()
    done = une_build(tmp_path / "lake", **{key: text.format(dead=dead) for key, text in environment.items()})
    said_last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert said_last.startswith("une: ") and said.format(dead=dead) in said_last
    assert time.monotonic() - started < SECONDS


@pytest.mark.long
@pytest.mark.parametrize(
    "environment",
    [{"TMPDIR": "/tmp/" + "x" * 60}, {"RAY_TMPDIR": "/dev/null/none"}, {"HOME": "/dev/null/none"}],
    ids=["long TMPDIR", "no RAY_TMPDIR", "no HOME"],
)
def test_a_small_build_needs_nothing_that_a_ray_needs(environment, tmp_path):
    done = une_build(tmp_path / "lake", actors=(), **environment)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 shards built" in done.stdout and "Traceback" not in done.stderr


def silent() -> list[str]:
    """Words before a command for which no address ever answers, and for nobody else."""
    own = ["unshare", "--user", "--map-root-user", "--net", sys.executable, silent_network.__file__]
    if subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a network of his own")
    return own


@pytest.mark.long
def test_an_address_that_never_answers_is_one_line_within_half_a_minute(tmp_path):
    own = silent()
    started = time.monotonic()
    done = une_build(tmp_path / "lake", own, RAY_ADDRESS="10.9.9.9:6379")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    said = done.stderr.strip().splitlines()[-1]
    assert said.startswith("une: no Ray answers at 10.9.9.9:6379") and "TimeoutError" in said
    assert time.monotonic() - started < SECONDS


@pytest.mark.long
def test_no_room_in_shared_memory_nor_on_disk_is_one_line(tmp_path):
    started = time.monotonic()
    folder = tempfile.mkdtemp(prefix="u", dir="/tmp")  # short, because the paths of sockets are
    done = une_build(tmp_path / "lake", small("/dev/shm", folder), RAY_TMPDIR=folder)
    os.rmdir(folder)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    said = done.stderr.strip().splitlines()[-1]
    assert (
        said.startswith("une: no room for Ray's objects: /dev/shm has 16 MiB free") and "--shm-size" in said
    )
    assert time.monotonic() - started < SECONDS


@pytest.mark.long
def test_shared_memory_that_is_full_is_done_without_and_said(tmp_path):
    done = une_build(tmp_path / "lake", small("/dev/shm"))
    assert done.returncode == 0, done.stderr
    assert "une: /dev/shm has 16 MiB free" in done.stderr and "1 of 1 shards built" in done.stdout


@pytest.mark.long
def test_a_home_that_can_not_be_written_and_ports_in_use_cost_nothing(tmp_path):
    """Ray keeps its token below HOME, and prefers ports of its own; a build needs neither."""
    taken = []
    for port in FIXED:
        try:
            taken.append(socket.create_server(("0.0.0.0", port)))
        except OSError:  # by somebody else: in use all the same
            continue
    try:
        done = une_build(tmp_path / "lake", HOME="/dev/null/none")
    finally:
        for listener in taken:
            listener.close()
    assert done.returncode == 0, done.stderr
    assert "1 of 1 shards built" in done.stdout and "Traceback" not in done.stderr
