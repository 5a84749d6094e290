"""One Ray for all tests that may share one, and who must have a Ray to itself."""

from __future__ import annotations

import sys

SHARED = {"num_cpus": 8, "num_gpus": 2}  # logical: enough slots for every stage of a build of three spaces
_shares = False


def join() -> None:
    """Connect this process with the shared Ray, which is started if it does not run."""
    import ray

    global _shares
    if _shares and ray.is_initialized():
        return
    ray.shutdown()
    ray.init("local", **SHARED, include_dashboard=False, log_to_driver=False)
    _shares = True


def leave() -> None:
    """End whatever Ray this process is connected with."""
    global _shares
    _shares = False
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


def connected() -> bool:
    """Whether this process is connected with any Ray."""
    return "ray" in sys.modules and sys.modules["ray"].is_initialized()
