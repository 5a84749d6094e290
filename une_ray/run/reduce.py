"""Sums over a lake on a cluster: every part of it is one task's, and what tasks give is added up by tasks.

    parts → task → pieces ─┐
    parts → task → pieces ─┴→ task per piece → … → the pieces of the whole, on the driver

Which two are added is decided by their places, not by who is first: a sum has the same bits in every run on
any cluster. Ray does again what a process that died was at, and what a node that died held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from une_ray.errors import UneError, reason
from une_ray.run.cluster import CORES, Cluster
from une_ray.run.placement import places
from une_ray.run.progress import Progress

AHEAD = 2  # tasks for every place: the next one's part is there when a place is free


def reduced(
    cluster: Cluster,
    work: Callable[[Any, Any], list[Any]],
    part: Callable[[int], Any],
    sizes: Sequence[int],
    *,
    shared: Any = None,
    pieces: int = 1,
    memory: int = 0,
    label: str = "",
) -> list[Any]:
    """The sums, place by place, of the lists of so many `pieces` that `work(shared, part)` gives.

    `part(i)` makes the i-th part of `sizes[i]` images when its turn comes; `memory` is what a task holds, in
    bytes, and bounds how many a node has at once. Raises UneError for a fault of a part, of the first one
    that has any, and where tasks die again and again or no Ray answers.
    """
    import ray

    cluster.join()
    tree = _Tree(len(sizes), _tasks(cluster, pieces, memory), ray.put(shared))
    with Progress(sum(sizes), label) as progress:
        try:
            for done in tree.grown(work, part):
                progress.advance(sizes[done], 0)
            return [ray.get(piece) for piece in tree.root]
        except ray.exceptions.RayTaskError:
            raise
        except ray.exceptions.RayError as error:
            raise UneError(
                f"{label}: a task of {memory / 2**30:.1f} GiB could not be done ({reason(error)}); what was"
                " committed is kept. Are nodes short of memory? --actors 1 has one task at once"
            ) from error


@dataclass(frozen=True)
class _Tasks:
    """Remote functions and how many of the first may wait or run at once."""

    work: Any
    add: Any
    pieces: int
    most: int


def _tasks(cluster: Cluster, pieces: int, memory: int) -> _Tasks:
    import ray

    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    nodes = [(min(has.get("CPU", 0), has.get(CORES, 1e9)), has.get("memory", 0)) for has in alive]
    place = places(nodes, memory, cluster.actors)
    options: dict[str, Any] = {"num_cpus": place.cpus, "memory": place.memory}
    if place.cpus > 1:  # of BLAS, whichever it is, from its import on
        options["runtime_env"] = {"env_vars": {"OMP_NUM_THREADS": str(place.cpus)}}
    most = cluster.actors or AHEAD * place.at_once
    work = ray.remote(num_returns=pieces + 1, **options)(_worked)
    return _Tasks(work, ray.remote(num_returns=2, **options)(_added), pieces, most)


def _worked(work: Callable[[Any, Any], list[Any]], pieces: int, shared: Any, part: Any) -> tuple[Any, ...]:
    """The pieces, behind a note that the driver can read without them: None, or the fault of the part. What
    is raised instead, Ray would print for every piece that nobody asks for."""
    try:
        return (None, *work(shared, part))
    except UneError as error:
        return (error, *[None] * pieces)


def _added(first: Any, second: Any) -> tuple[Any, ...]:
    try:
        return None, first + second
    except UneError as error:
        return error, None


@dataclass(eq=False)
class _Node:
    """Of the sums of 2^level parts the one at `place`: its pieces, and how many tasks are left to do."""

    level: int
    place: int
    pieces: list[Any]
    left: int


@dataclass(eq=False)
class _Tree:
    """A binary tree of sums over `count` parts, grown from its leaves.

    After a fault what is at work ends by itself, or with the driver: a task that Ray 2.60 is asked to cancel
    as it goes out ends the driver, by a failed check of `task_manager.cc`.
    """

    count: int
    tasks: _Tasks
    shared: Any
    waiting: dict[Any, _Node] = field(default_factory=dict)  # by note, of tasks that wait or run
    adds: deque[tuple[_Node, int, Any, Any]] = field(default_factory=deque)  # node, piece, and what to add
    whole: dict[tuple[int, int], _Node] = field(default_factory=dict)  # without a neighbour to be added to
    root: list[Any] = field(default_factory=list)

    def grown(self, work: Callable[[Any, Any], list[Any]], part: Callable[[int], Any]) -> Iterator[int]:
        """Yields places of parts as they are done, until `root` is."""
        import ray

        begun = 0
        while begun < self.count or self.waiting or self.adds:
            while len(self.waiting) < self.tasks.most and (self.adds or begun < self.count):
                if self.adds:  # before further parts: what is added up is less to hold
                    node, place, *pair = self.adds.popleft()
                    note, node.pieces[place] = self.tasks.add.remote(*pair)
                    self.waiting[note] = node
                else:
                    note, *pieces = self.tasks.work.remote(work, self.tasks.pieces, self.shared, part(begun))
                    self.waiting[note] = _Node(0, begun, pieces, 1)
                    begun += 1
            (note,), _ = ray.wait(list(self.waiting), num_returns=1)
            self._refuse_fault(note)
            node = self.waiting.pop(note)
            node.left -= 1
            if not node.left:
                if not node.level:
                    yield node.place
                self._rise(node)

    def _refuse_fault(self, note: Any) -> None:
        """Raise the fault of a task, or of one of an earlier part: what one process would have met first."""
        import ray

        fault: UneError | None = ray.get(note)
        if fault is None:
            return
        node = self.waiting[note]
        leaves = {other.place: key for key, other in self.waiting.items() if not other.level}
        earlier = sorted(place for place in leaves if not node.level and place < node.place)
        raise next(filter(None, (ray.get(leaves[place]) for place in earlier)), fault)

    def _rise(self, node: _Node) -> None:
        """Add a finished node to its neighbour, if that is finished; the last of an odd level has none."""
        while node.place + 1 == self._width(node.level) and node.place % 2 == 0 and node.place:
            node = _Node(node.level + 1, node.place // 2, node.pieces, 0)
        if self._width(node.level) == 1:
            self.root = node.pieces
            return
        neighbour = self.whole.pop((node.level, node.place ^ 1), None)
        if neighbour is None:
            self.whole[node.level, node.place] = node
            return
        left, right = sorted((node, neighbour), key=lambda each: each.place)
        pairs = list(zip(left.pieces, right.pieces))
        above = _Node(node.level + 1, node.place // 2, [None] * len(pairs), len(pairs))
        self.adds.extend((above, place, *pair) for place, pair in enumerate(pairs))

    def _width(self, level: int) -> int:
        """How many sums there are at a level."""
        return -(-self.count // 2**level)
