"""Faults of the machine and the cluster are one line with the remedy, within seconds."""

import http.server
import json
import os
import platform
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import grpc
import pytest
import ray

from une_ray.cli import submit
from une_ray.cli.main import main
from une_ray.cli.submit import answer
from une_ray.errors import UneError
from une_ray.run import cluster, machine
from une_ray.run.cluster import not_started, refuse_unreachable, this_node
from une_ray.run.machine import LONGEST_TMPDIR, do_without_home, refuse_unfit

CHECKOUT = Path(__file__).parents[2]


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


@contextmanager
def serving(*services: tuple[str, str, Callable]) -> Iterator[int]:
    """The port of a server of gRPC that has these services' methods, and knows nothing else."""
    server = grpc.server(ThreadPoolExecutor(1))
    for service, method, reply in services:
        handler = {method: grpc.unary_unary_rpc_method_handler(reply)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handler),))
    port = server.add_insecure_port("0.0.0.0:0")
    server.start()
    yield port
    server.stop(None)


def wants_a_token(request, context):
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "Invalid or missing authentication token")


def test_what_answers_is_let_through():
    head = ("ray.rpc.NodeInfoGcsService", "GetClusterId", lambda request, context: b"")
    client = ("ray.rpc.RayletDriver", "ClusterInfo", wants_a_token)
    with serving(head, client) as port:
        for host in ("127.0.0.1", "ray://127.0.0.1", this_node()):
            refuse_unreachable(f"{host}:{port}")
    refuse_unreachable("auto")


def test_a_running_ray_is_let_through(shared_ray):
    refuse_unreachable(ray.get_runtime_context().gcs_address)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_what_listens_and_is_no_ray_is_not_waited_for(monkeypatch, scheme):
    """Ray itself asks it for minutes. One says nothing, one is a server or proxy of other services."""
    monkeypatch.setattr(cluster, "SECONDS_TO_ANSWER", 1.0)
    with socket.create_server(("0.0.0.0", 0)) as silent, serving() as other:
        for port in (silent.getsockname()[1], other):
            with pytest.raises(
                UneError, match="no Ray answers at .*does not answer as Ray does; is it running"
            ):
                refuse_unreachable(f"{scheme}127.0.0.1:{port}")


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


@pytest.mark.parametrize("what", ["no folder", "a file where Ray's folder would be"])
def test_a_temporary_folder_that_cant_be_written_is_refused(what, tmp_path, monkeypatch):
    short = Path(tempfile.mkdtemp(prefix="u", dir="/tmp"))
    (short / "ray").write_text("not a folder")
    monkeypatch.setenv("RAY_TMPDIR", "/dev/null/none" if what == "no folder" else str(short))
    with pytest.raises(UneError, match=r"Ray can't write to .*/ray: .*Error.*set RAY_TMPDIR"):
        refuse_unfit()
    shutil.rmtree(short)


@pytest.mark.parametrize("home", ["/dev/null/none", "one that may be written", "one with a token"])
def test_ray_does_without_a_home_that_cant_be_written(home, tmp_path, monkeypatch):
    """It would write its token there; a build under HOME=/dev/null/none ended in NotADirectoryError."""
    folder = Path(home) if home.startswith("/") else tmp_path
    if home == "one with a token":
        (folder / ".ray").mkdir()
        (folder / ".ray" / "auth_token").write_text("theirs")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")  # so that it goes again after the test
    monkeypatch.delenv("RAY_AUTH_TOKEN")
    do_without_home()
    assert ("RAY_AUTH_TOKEN" in os.environ) == home.startswith("/")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "mine")
    do_without_home()
    assert os.environ["RAY_AUTH_TOKEN"] == "mine"


def has_free(monkeypatch, shared: int, disk: int) -> None:
    """As if /dev/shm and all other folders had so many MiB left."""
    usage = shutil.disk_usage("/")

    def free(folder):
        return usage._replace(free=(shared if folder == machine.SHARED_MEMORY else disk) << 20)

    monkeypatch.setattr(machine.shutil, "disk_usage", free)


def test_a_full_shared_memory_is_said_and_no_room_at_all_refused(monkeypatch, capsys):
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    has_free(monkeypatch, 4096, 4096)
    refuse_unfit()
    assert capsys.readouterr().err == ""
    has_free(monkeypatch, 12, 4096)
    refuse_unfit()
    assert "/dev/shm has 12 MiB free" in capsys.readouterr().err
    has_free(monkeypatch, 12, 3)
    with pytest.raises(UneError, match="/dev/shm has 12 MiB free, /tmp 3 MiB; delete .*--shm-size"):
        refuse_unfit()


def test_a_cluster_of_another_ray_is_said_with_both_versions():
    """In Ray's own words, which are five lines."""
    from ray._private.utils import check_version_info

    with pytest.raises(RuntimeError) as raised:
        check_version_info(
            {"ray_version": "2.9.3", "python_version": "3.9.1"}, "here", raise_on_mismatch=True
        )
    said = str(not_started(raised.value, "head:6379"))
    assert "\n" not in said and f"Ray {ray.__version__} and Python {platform.python_version()}" in said
    assert said.startswith("the cluster at head:6379 has Ray 2.9.3 and Python 3.9.1")


class Server(http.server.BaseHTTPRequestHandler):
    """A job server as one is said to be by `version`; jobs get a 500 with Ray's traceback."""

    version = json.dumps(
        {"version": "4", "ray_version": ray.__version__, "ray_commit": "", "session_name": "s"}
    )

    def do_GET(self):
        self.answer(200, self.version if self.path == "/api/version" else "{}")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        said = (
            "Traceback (most recent call last):\\n  File x\\nRuntimeError: No available agent to submit job"
        )
        self.answer(500, f"{said}, please try again later.\\n")

    def answer(self, status, text):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def submitted_to(server: type[Server], capsys) -> str:
    """What `une submit` says to a job server of that kind."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), server) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{listening.server_port}"
        words = ["submit", "--address", address, "--working-dir", str(CHECKOUT)]
        words += ["build", "--corpus", "avatars:8", "--spaces", "mini-dino", "--lake", "/zoo"]
        with pytest.raises(SystemExit) as left, patch("sys.argv", ["une"]):
            main(*words)
        listening.shutdown()
    assert left.value.code == 1
    return capsys.readouterr().err


def test_a_job_server_without_an_agent_is_one_line(capsys):
    said = submitted_to(Server, capsys)
    assert "did not take the job: RuntimeError: No available agent to submit job" in said
    assert said.count("\n") == 1 and "has no agent for some seconds" in said


@pytest.mark.parametrize("version", ["<html>a page</html>", "{}", '{"ray_version": "1.2.0"}'])
def test_what_is_no_job_server_of_a_ray_like_ours_is_one_line(version, capsys):
    said = submitted_to(type("Other", (Server,), {"version": version}), capsys)
    assert "is no job server of a Ray like ours" in said and said.count("\n") == 1


def test_a_job_server_that_says_nothing_is_not_waited_for(monkeypatch, capsys):
    monkeypatch.setattr(submit, "SECONDS_TO_ANSWER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(UneError, match="says nothing for 0 s; is it the dashboard's port"):
            submit.connect(f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_a_servers_answer_is_its_last_line():
    error = RuntimeError(
        "Request failed with status code 500: Traceback (most recent call last):\\n  File x\\nRuntimeError:"
        " No available agent to submit job, please try again later.\\n."
    )
    assert answer(error) == "RuntimeError: No available agent to submit job, please try again later"
    assert answer(OSError()) == "OSError"
