"""A live Ray head with its job server, as an operator starts one: own process, a token, four logical CPUs."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests


@dataclass(frozen=True)
class Head:
    """Where jobs are submitted, and the environment that a client of it needs."""

    address: str
    gcs: str
    environment: dict[str, str]


@pytest.fixture(scope="session")
def head() -> Iterator[Head]:
    """One head for all tests of submission.

    It is ended by its own process group: `ray stop` would end every Ray of the machine.
    """
    bin, token = Path(sys.executable).parent, secrets.token_hex(32)
    folder = tempfile.mkdtemp(prefix="une-", dir="/tmp")  # short, because the paths of sockets are
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "PATH": f"{bin}:{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": token,
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "COLUMNS": "200",
    }
    ports = dict(
        zip(
            ("port", "dashboard-port", "dashboard-agent-listen-port", "ray-client-server-port"), free_ports(4)
        )
    )
    options = [f"--{name}={value}" for name, value in ports.items()]
    start = [
        bin / "ray",
        "start",
        "--head",
        "--block",
        "--num-cpus=4",
        "--object-store-memory=100000000",
        f"--temp-dir={folder}",
    ]
    with open(f"{folder}/head.log", "w") as log:
        process = subprocess.Popen(
            [*start, *options], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    address = f"http://127.0.0.1:{ports['dashboard-port']}"
    try:
        wait_for(address, token, process, Path(log.name))
        yield Head(address, f"127.0.0.1:{ports['port']}", environment)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(address: str, token: str, process: subprocess.Popen, log: Path, seconds: float = 180) -> None:
    """Until the node is up and its job server, which is there earlier, answers one who has the token."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = requests.get(
                f"{address}/api/jobs/", headers={"Authorization": f"Bearer {token}"}, timeout=5
            )
            if answer.ok and "Ray runtime started" in log.read_text():
                return
        except requests.RequestException:
            pass
        time.sleep(0.5)
    pytest.fail(f"no job server at {address}:\n{log.read_text()}")
