"""How often a piece of work was begun in vain: counted in a process of its own, for what dies can't count.

Ray tries again for ever what died with its worker, be it that a node was lost, or that an input kills
whoever reads it.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from une_ray.errors import UneError

if TYPE_CHECKING:
    from ray.actor import ActorHandle
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

BEFORE_SUSPICION = 2  # tries that may die before the inputs are looked at one by one
TRIES = 5  # that may die before the build ends


class Tries:
    """One per run; lives and dies with its driver, so a build that was killed is no mark against the
    shards that it was at."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def begin(self, work: str) -> int:
        """How often this work was begun and not ended, this time included."""
        self.begun[work] += 1
        return self.begun[work]

    def end(self, work: str) -> None:
        del self.begun[work]


def start_tries() -> ActorHandle:
    """Counts for one run."""
    import ray

    make: Any = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(Tries)
    return make.options(scheduling_strategy=beside_driver()).remote()


def beside_driver() -> NodeAffinitySchedulingStrategy:
    """On the driver's node, if it may be: a node that is lost then takes nothing that a run remembers with
    it, unless the driver goes as well."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)


@contextlib.contextmanager
def tried(tries: ActorHandle | None, work: str) -> Iterator[bool]:
    """Whether this work is suspect, having died twice. Raises UneError where it died too often; what
    raises did not die. Where nobody counts, it is not."""
    if tries is None:
        yield False
        return
    import ray

    begun: Any = tries.begin.remote(work)
    number = int(ray.get(begun))
    try:
        if number > TRIES:
            raise UneError(
                f"{work}: its worker died {TRIES} times (is there memory enough?); what was finished is kept,"
                " and the same command goes on from there"
            )
        yield number > BEFORE_SUSPICION
    finally:
        tries.end.remote(work)
