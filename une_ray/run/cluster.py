"""The Ray that a job runs on: joined or started here, and shared between the job's actor pools.

Ray is imported when it is needed: a finished job starts none.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from une_ray.errors import UneError, reason
from une_ray.run.machine import do_without_home, refuse_unfit
from une_ray.run.placement import Demand, Pool, allot, local_slots

CORES = (  # the resource by which a Ray that une_ray started knows how many there are, beside its slots
    "cores_of_this_machine"
)

SECONDS_TO_ANSWER = 10.0
REMEDY_OF_CLUSTER = "is it running, of the same versions of Ray and Python, and is RAY_AUTH_TOKEN its own?"
REMEDY_OF_MACHINE = (
    "is there room in /dev/shm and in the temporary folder (RAY_TMPDIR), may processes and ports be opened,"
    " and is no address of another Ray left in RAY_ADDRESS?"
)
QUESTIONS = {  # which a Ray alone understands, by the address' scheme
    "": "/ray.rpc.NodeInfoGcsService/GetClusterId",
    "ray": "/ray.rpc.RayletDriver/ClusterInfo",
}
VERSIONS = re.compile(r"Ray: (\S+)\s+Python: (\S+)")


def own_device() -> str:
    """Where an actor or trial computes: on the GPU that Ray gave it, if any."""
    if not own_gpus():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def has_ray() -> bool:
    """Whether this process has to do with a Ray: to ask it anything starts one."""
    return "ray" in sys.modules and bool(sys.modules["ray"].is_initialized())


def own_gpus() -> list[str]:
    """Ray's numbers of an actor's GPUs; none in a process without a Ray."""
    if not has_ray():
        return []
    import ray

    return list(map(str, ray.get_gpu_ids()))


def own_cores() -> int:
    """How many of its node's cores an actor may keep busy, as its share of the node's GPUs is; 0 where it has
    none, as the driver and a process without a Ray have."""
    if not own_gpus():
        return 0
    import ray

    context = ray.get_runtime_context()
    if context.worker.mode != ray.WORKER_MODE:
        return 0
    share, node = context.get_assigned_resources().get("GPU", 0.0), context.get_node_id()
    if not share:
        return 0
    (has,) = (known["Resources"] for known in ray.nodes() if known["NodeID"] == node)
    return int(has.get("CPU", 0) * share / has["GPU"])


@dataclass(frozen=True)
class Cluster:
    """Which Ray, and how much of it a job may take."""

    address: str | None = None  # default: RAY_ADDRESS, or a Ray that is started on this machine
    actors: int | None = None  # at most so many per pool; default: as many as fit
    gpus: float | None = None  # that it may grow to; default: those that it has

    def at_most(self, actors: int) -> Cluster:
        """The same with no more actors per pool: there is not more to do."""
        return replace(self, actors=min(self.actors or actors, actors))

    def pools(self, demands: Sequence[Demand]) -> list[Pool]:
        """Join Ray, or start it with a slot for every stage; one pool per demand. Raises UneError for GPUs
        that can't come."""
        import ray

        cores = self._start(demands)
        have = ray.cluster_resources()
        if CORES in have and (self.gpus or 0) > have.get("GPU", 0):
            raise UneError(
                f"--gpus {self.gpus:g}: the Ray of this machine has {have.get('GPU', 0):g} and does not grow;"
                " join a cluster by --address"
            )
        return allot(demands, have.get("CPU", 0), self.gpus or have.get("GPU", 0), cores, self.actors)

    @property
    def grows(self) -> bool:
        """Whether nodes may come that it has not now: to any Ray but one that une_ray started here."""
        import ray

        return CORES not in ray.cluster_resources()

    def join(self) -> None:
        """Join Ray, or start it, for work that needs no pool of actors."""
        self._start([])

    def readers(self, tasks: int) -> int | None:
        """How many of so many tasks a Ray of this machine reads at once: one per core, as every reader is a
        process that must start. Elsewhere no bound."""
        import ray

        cores = int(ray.cluster_resources().get(CORES, 0))
        return min(cores, tasks) or None

    def _start(self, demands: Sequence[Demand]) -> int:
        """How many actors of one space it makes sense to run without GPUs."""
        import ray
        from ray.data import DataContext

        address = self.address or os.environ.get("RAY_ADDRESS")
        cores = os.cpu_count() or 1
        if not ray.is_initialized():
            os.environ.setdefault(
                "RAY_BACKEND_LOG_LEVEL", "fatal"
            )  # the driver's C++ side prints harmless warnings as errors
            slots = local_slots(demands, cores, self.actors)
            os.environ.setdefault(
                "RAY_worker_maximum_startup_concurrency", str(slots)
            )  # by default as many as cores, with a warning above
            local = {
                "address": "local",
                "num_cpus": slots,
                "resources": {CORES: cores},
                "include_dashboard": False,
            }
            refuse_unreachable(address)
            if address is None:
                do_without_home()
            try:
                with muted():
                    ray.init(
                        **({"address": address} if address else local),
                        log_to_driver=False,
                        logging_level=logging.ERROR,
                    )
            # Ray raises what sockets, files and its own start-up do: all of it is of the machine or cluster.
            except Exception as error:
                raise not_started(error, address) from error
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        have = ray.cluster_resources()
        return max(1, int(have.get(CORES, have.get("CPU", 1))))


def readers_of(address: str | None, actors: int | None) -> Cluster | None:
    """The cluster whose nodes are to read a lake; None where no address is given, and this process does.
    Raises UneError for a number of actors alone."""
    if address is None and actors is not None:
        raise UneError(f"--actors {actors} is of a cluster's tasks: name the cluster by --address")
    if actors is not None and actors < 1:
        raise UneError(f"--actors {actors}: at least one task must be at work")
    return None if address is None else Cluster(address, actors)


def not_started(error: Exception, address: str | None) -> UneError:
    """Why there is no Ray to work with, in one line with the remedy."""
    if address is None:
        return UneError(f"can't start Ray here: {reason(error)}; {REMEDY_OF_MACHINE}")
    versions = VERSIONS.findall(str(error))
    if "ersion mismatch" in str(error) and len(versions) == 2:
        (ray, python), (our_ray, our_python) = versions
        return UneError(
            f"the cluster at {address} has Ray {ray} and Python {python}, une_ray runs here with Ray"
            f" {our_ray} and Python {our_python}; they must be the same: install the cluster's here, or have"
            " the job run there by une submit"
        )
    return UneError(f"can't join the Ray at {address}: {reason(error)}; {REMEDY_OF_CLUSTER}")


def refuse_unreachable(address: str | None) -> None:
    """Raise UneError for an address that is no Ray's, within seconds: Ray itself tries for minutes. For a Ray
    of this machine, where it can't start on it."""
    if address is None or address == "local":
        return refuse_unfit()
    if address == "auto":
        return
    scheme, _, rest = address.rpartition("://")
    if scheme not in ("", "ray"):
        raise UneError(
            f"{address} is the address of a job server: une submit takes that. To join a Ray give HOST:6379,"
            " ray://HOST:10001 or auto, by --address or RAY_ADDRESS"
        )
    host, _, port = rest.partition("/")[0].rpartition(":")
    if not host or not port.isdigit():
        raise UneError(f"the address {address!r} is none: HOST:6379, ray://HOST:10001 or auto")
    host = host.strip("[]")
    if not scheme and host in ("localhost", "127.0.0.1"):
        host = this_node()  # as Ray itself takes it
    try:
        socket.create_connection((host, int(port)), SECONDS_TO_ANSWER).close()
        if not os.environ.get("RAY_USE_TLS"):  # its certificates are Ray's to read
            refuse_deaf(f"{host}:{port}", QUESTIONS[scheme])
    except OSError as error:
        raise UneError(
            f"no Ray answers at {address} (--address or RAY_ADDRESS): {reason(error)}; is it running, and can"
            " it be seen from here?"
        ) from error


def this_node() -> str:
    """The address that Ray's processes of this machine know each other by."""
    import ray

    return ray.util.get_node_ip_address()


def refuse_deaf(address: str, question: str) -> None:
    """Raise TimeoutError, which is an OSError, where what listens at HOST:PORT does not know a Ray's
    `question`: one that says nothing, a page, or a proxy of other services.

    A Ray that wants a token, or a client's id, says so, which is an answer.
    """
    import grpc

    no_answer = (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNIMPLEMENTED,
    )
    with grpc.insecure_channel(address) as channel:
        try:
            channel.unary_unary(question)(b"", timeout=SECONDS_TO_ANSWER, wait_for_ready=True)
        except grpc.RpcError as error:
            if error.code() in no_answer:
                raise TimeoutError(f"what listens at {address} does not answer as Ray does") from error


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Without what C++ writes to standard error: Ray announces there that a log level was set. Python's
    errors still come."""
    sys.stderr.flush()
    standard_error = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(standard_error, 2)
        os.close(standard_error)


DEFAULT = Cluster()
