"""`une compact` on a cluster: every large file is read and written by one task, and moved by the driver."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from une_ray.errors import UneError
from une_ray.lake.compact import Group, Spread
from une_ray.run.cluster import Cluster

WAITING = 1024  # tasks that Ray knows of at once


def on_cluster(cluster: Cluster) -> Spread:
    """A `Spread` over a cluster's cores, a group each. Raises UneError for a fault of a task, on whichever
    machine it was, and where no Ray answers."""

    def spread(work: Callable[[Group], str], groups: Sequence[Group]) -> Iterator[str]:
        import ray

        cluster.join()
        task: Any = ray.remote(num_cpus=1)(lambda group: work(group))
        left, waiting = deque(groups), deque[Any]()
        while left or waiting:
            while left and len(waiting) < WAITING:
                waiting.append(task.remote(left.popleft()))
            try:
                yield ray.get(waiting.popleft())
            except ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, UneError):
                    raise UneError(str(error.cause)) from error
                raise

    return spread
