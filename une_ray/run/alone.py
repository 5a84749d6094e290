"""A build so small that one actor would do it anyway, by a process that is none of Ray's: to start a Ray and
its Data takes longer than such a build.

What the process leaves because it died is Ray's to do: here nobody counts tries, or looks for what kills.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, Any

from une_ray.lake.layout import Lake
from une_ray.run.clock import DeviceTurn
from une_ray.run.cluster import Cluster, has_ray
from une_ray.run.crews import Turn, slow_without_gpus
from une_ray.run.progress import say
from une_ray.run.rows import ShardRow
from une_ray.run.stages import AT_ONCE, ReadSpace, read_shard, read_spaces
from une_ray.spaces.space import Space

SHARDS, IMAGES = 8, 512  # at most
GPUS = ("nvidia[0-9]*", "kfd", "dxg")  # devices of CUDA, ROCm and Windows' subsystem
CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from une_ray.run.alone import main; main()"
SECONDS_TO_END = 5.0
LINES_SHOWN = 20  # of what a process said that died


@dataclass(frozen=True, kw_only=True)
class Task:
    """All of a turn's work, as the process gets it: `spaces` with their fingerprints, and rows without
    pictures."""

    lake_url: str
    corpus: str
    spaces: Sequence[tuple[Space, dict[str, Any]]]
    rows: Sequence[ShardRow]

    def to_json(self) -> str:
        spaces = [(asdict(space), fingerprint) for space, fingerprint in self.spaces]
        said = {"lake_url": self.lake_url, "corpus": self.corpus, "spaces": spaces}
        return json.dumps(said | {"rows": [_said(row) for row in self.rows]})

    @classmethod
    def from_json(cls, text: str) -> Task:
        said = json.loads(text)
        return cls(
            lake_url=said["lake_url"],
            corpus=said["corpus"],
            spaces=[(Space.from_dict(space), fingerprint) for space, fingerprint in said["spaces"]],
            rows=[_heard(row) for row in said["rows"]],
        )


def _said(row: ShardRow) -> dict[str, Any]:
    """A row as JSON has it; it carries no pictures from one process to the other."""
    return row.to_row() | {"payload": ""}


def _heard(said: dict[str, Any]) -> ShardRow:
    return ShardRow.from_row(said | {"payload": b""})


def is_enough(lake: Lake, turn: Turn, cluster: Cluster) -> bool:
    """Whether a turn is so small, and this machine's to do: nobody asked for a cluster or for actors, this
    process has no Ray and no GPU waits."""
    images = lake.images_in(turn.work.shards)
    return (
        cluster == Cluster()
        and not os.environ.get("RAY_ADDRESS")
        and not has_ray()
        and not any(any(Path("/dev").glob(device)) for device in GPUS)
        and len(turn.work) <= SHARDS
        and images <= IMAGES
        and len(turn.crews) == 1
        and not turn.crews[0].labels
        and turn.crews[0].demand(images).on_cpus == 1
    )


def run(
    lake: Lake, corpus: str, turn: Turn, fingerprints: Mapping[str, dict[str, Any]]
) -> Iterator[ShardRow]:
    """Every shard's row as `ray_data.run` yields it; fewer where the process dies, which is said."""
    (crew,) = turn.crews
    if slow := slow_without_gpus(turn.spaces):
        say(slow)
    task = Task(
        lake_url=lake.url,
        corpus=corpus,
        spaces=[(space, fingerprints[space.name]) for space in crew.spaces],
        rows=[
            ShardRow(shard=item.shard, place=place, spaces=item.spaces)
            for place, item in enumerate(turn.work)
        ],
    )
    with tempfile.TemporaryFile() as log:
        process, given = _started(log), 0
        try:
            with process.stdin, process.stdout as answers:  # type: ignore[union-attr]  # open as long as this
                process.stdin.write(task.to_json().encode() + b"\n")  # type: ignore[union-attr]
                process.stdin.flush()  # type: ignore[union-attr]
                for row in _rows(answers):
                    given += 1
                    yield row
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(SECONDS_TO_END)  # it may still say what it died of
                _tell(log, process, is_done=given == len(task.rows))
        except BrokenPipeError:  # it died before it had read what to do
            _tell(log, process, is_done=False)
        finally:
            process.kill()
            process.wait()


def _started(log: IO[bytes]) -> subprocess.Popen[bytes]:
    """What this process may import it may, in this order, and no file of the working directory beside."""
    environment = os.environ.copy()
    environment.setdefault("OMP_NUM_THREADS", "1")  # as Ray's actors: more threads round sums elsewhere
    paths = json.dumps([path for path in sys.path if isinstance(path, str)])
    command = [sys.executable, "-P", "-c", CODE, paths]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
    )


def _rows(answers: IO[bytes]) -> Iterator[ShardRow]:
    for line in answers:
        try:
            said = json.loads(line)
        except ValueError:  # it died in the middle of it, or a library prints while it is imported
            continue
        yield _heard(said)


def _tell(log: IO[bytes], process: subprocess.Popen[bytes], is_done: bool) -> None:
    """What a worker's log has of Ray's: faults that are none of the user's input, and what it died of."""
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()[-LINES_SHOWN:]
    if not is_done:
        say("\n".join([*lines, f"the process that built this ended with {process.poll()}; a Ray goes on"]))
    elif any(line.startswith("Traceback") for line in lines):
        say("\n".join(lines))


def main() -> None:
    """The process: its task comes by stdin, and its rows go, a line each, to what was its stdout."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver is told too, and ends it
    own = os.dup(1)
    os.dup2(2, 1)  # whatever a library prints is for the log
    task = Task.from_json(sys.stdin.readline())
    threading.Thread(target=_end_with_driver, daemon=True).start()
    turn = DeviceTurn()
    readers = [ReadSpace(task.lake_url, space, printed, None, turn) for space, printed in task.spaces]

    def done(row: ShardRow) -> ShardRow:
        row = read_spaces(readers, read_shard(row, task.lake_url, task.corpus, None))
        return replace(row, payload=b"")

    with ThreadPoolExecutor(AT_ONCE) as threads, os.fdopen(own, "w") as answers:
        for row in threads.map(done, task.rows):
            print(json.dumps(_said(row)), file=answers, flush=True)
    sys.stderr.flush()
    os._exit(0)  # all is committed: to take torch apart in good order takes a second


def _end_with_driver() -> None:
    sys.stdin.read()
    os._exit(1)
