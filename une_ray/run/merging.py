"""Shards' files merged into large ones on a cluster, and while a build goes: every large file is read and
written by one task, and moved by the driver."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import Event, Thread
from typing import Any
from urllib.parse import unquote

from une_ray.errors import UneError, reason
from une_ray.lake.compact import GRACE, SIZE, Group, Spread, compact, has_work, here
from une_ray.lake.files import is_unfinished
from une_ray.lake.layout import COMPACTION, Lake
from une_ray.run.cluster import Cluster
from une_ray.run.progress import say

WAITING = 1024  # tasks that Ray knows of at once
MANY = 1024  # shards of a lake whose builds merge what they write: 262,144 images of 256 a shard
SECONDS_BETWEEN_MERGES = 600.0


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


class Merging:
    """A build's small files become large ones while it goes, where a lake has MANY shards: whatever makes a
    whole file every ten minutes, beside the build, and the rest by `finish`.

    Another build's merging, or a `une compact`, goes before: then this one leaves the files to it. A fault
    costs no shard: it is said, and the next build or `une compact` merges what is left.
    """

    def __init__(self, lake: Lake, folders: Sequence[str], cluster: Cluster) -> None:
        self.lake, self.folders = lake, folders
        self.spread = on_cluster(cluster) if cluster.address or os.environ.get("RAY_ADDRESS") else here
        self.is_over, self.has_failed = Event(), False
        self.thread = Thread(target=self._run, name="une-merging", daemon=True)

    def __enter__(self) -> Merging:
        if self.lake.shards > MANY:
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()

    def finish(self, wrote: bool) -> None:
        """Merge what is left once all shards are done of a build that `wrote` any; else finish what a merging
        that was killed had begun."""
        self.is_over.set()
        if self.thread.is_alive():
            self.thread.join()
        was_killed = self.lake.store.exists(COMPACTION)
        if self.lake.shards > MANY and (wrote or was_killed) and self._merge(full=False):
            return
        if was_killed or any(is_unfinished(self.lake.store.names(folder)) for folder in self.folders):
            self._compact([], full=True)

    def _run(self) -> None:
        while not self.is_over.wait(SECONDS_BETWEEN_MERGES) and not self.has_failed:
            self._merge(full=True)

    def _merge(self, full: bool) -> bool:
        """Whether there was anything to merge."""
        folders = [folder for folder in self.folders if has_work(self.lake, folder, SIZE, full)]
        if folders and not full:
            say(f"merging files into large ones, in {', '.join(map(unquote, folders))}")
        if folders:
            self._compact(folders, full)
        return bool(folders)

    def _compact(self, folders: Sequence[str], full: bool) -> None:
        options: dict[str, Any] = {"folders": folders, "full": full, "waits": False}
        try:
            for _ in compact(self.lake, SIZE, GRACE, spread=self.spread, **options):
                pass
        except Exception as error:
            self.has_failed = True
            say(f"files were not merged: {reason(error)}; une compact {self.lake.url} does it")
