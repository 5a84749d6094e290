"""A cluster of raylets with a network each, joined by a switch; one is cut off at work and lives on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.faults.scene import NODE, QUICK_TO_NOTICE, Scene, committed, finish, kill, title, wait_for
from une_ray.lake.layout import Lake

SWITCH, HEAD, PORT = "une-switch", "10.213.0.1", 6399
NODES = (2, 3)  # the last numbers of their addresses


@dataclass(frozen=True)
class Island:
    """A node whose only way to others is its cable to the switch."""

    number: int
    ray: psutil.Process

    @property
    def processes(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            return [self.ray, *self.ray.children(recursive=True)]
        return []

    @property
    def computes(self) -> bool:
        return any(title(process).startswith("ray::MapWorker") for process in self.processes)

    def cut_off(self) -> None:
        ip(f"link set {_cable(self.number)} down")


@contextmanager
def archipelago(nodes: tuple[int, ...]) -> Iterator[list[Island]]:
    """A head at HEAD:PORT that computes nothing, and nodes. Skips where a network can't be made."""
    with ExitStack() as afterwards:
        for number in nodes:
            _remove(number)  # a killed run's
        _try(f"link del {SWITCH}")
        try:
            ip(f"link add {SWITCH} type bridge")
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(
                f"networks of their own need root and the command ip: {getattr(error, 'stderr', error)}"
            )
        afterwards.callback(_try, f"link del {SWITCH}")
        ip(f"addr add {HEAD}/24 dev {SWITCH}")
        ip(f"link set {SWITCH} up")
        head = ["--head", "--port", str(PORT), "--include-dashboard", "false", "--num-cpus", "0"]
        afterwards.enter_context(_running(1, head))
        islands = []
        for number in nodes:
            afterwards.callback(_remove, number)
            _lay(number)
            inside = ["ip", "netns", "exec", _cable(number)]
            node = ["--address", f"{HEAD}:{PORT}", "--num-cpus", str(NODE["num_cpus"])]
            islands.append(afterwards.enter_context(_running(number, node, inside)))
        yield islands


def ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True, capture_output=True)


def _try(command: str) -> str:
    """What `ip` says, if it can."""
    with suppress(OSError):
        return subprocess.run(["ip", *command.split()], capture_output=True, text=True).stdout
    return ""


def _cable(number: int) -> str:
    """The name of a node's network and of the switch's end of its cable."""
    return f"une-{number}"


def _lay(number: int) -> None:
    cable = _cable(number)
    ip(f"netns add {cable}")
    ip(f"link add {cable} type veth peer name eth0 netns {cable}")
    ip(f"link set {cable} master {SWITCH} up")
    for command in ("link set lo up", f"addr add 10.213.0.{number}/24 dev eth0", "link set eth0 up"):
        ip(f"-n {cable} {command}")


def _remove(number: int) -> None:
    """The network, and what may still live in it."""
    for pid in _try(f"netns pids {_cable(number)}").split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _try(f"link del {_cable(number)}")
    _try(f"netns del {_cable(number)}")


@contextmanager
def _running(number: int, options: list[str], inside: Sequence[str] = ()) -> Iterator[Island]:
    """A node of Ray, with a folder of its own, until it is killed."""
    folder = tempfile.mkdtemp(prefix="une-", dir="/tmp")  # its sockets' paths may have 107 characters
    command = [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--block",
        "--temp-dir",
        folder,
        "--disable-usage-stats",
    ]
    command += [
        "--node-ip-address",
        f"10.213.0.{number}",
        "--object-store-memory",
        str(NODE["object_store_memory"]),
        *options,
    ]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    environment |= {"RAY_AUTH_MODE": "disabled"} | {
        f"RAY_{name}": str(value) for name, value in QUICK_TO_NOTICE.items()
    }
    started = subprocess.Popen(
        [*inside, *command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    island = Island(number, psutil.Process(started.pid))
    try:
        yield island
    finally:
        for process in reversed(island.processes):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        started.wait()
        shutil.rmtree(folder, ignore_errors=True)


def nodes_cut_off(scene: Scene, lake: Lake, times: int) -> float:
    """The network of a node that computes goes down and stays down.

    Its processes go on, and the disk that all share takes what they write.
    """
    with archipelago(NODES) as islands:
        driver = scene.driver(lake, "--address", f"{HEAD}:{PORT}")
        try:
            wait_for(lambda: committed(lake) and any(island.computes for island in islands), "shards")
            lost = next(island for island in islands if island.computes)
            lost.cut_off()
            since = time.monotonic()
            assert committed(lake) < 2 * scene.undisturbed.shards and lost.computes, (
                "there was nothing left to lose"
            )
            finish(driver)
        finally:
            kill(driver)
    return since
