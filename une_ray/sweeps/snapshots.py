"""What Tune's drivers leave in a sweep's state folder: one snapshot each, of three files, that a kill can tear while they are copied."""

from __future__ import annotations

import json

from une_ray.lake.store import Store

EXPERIMENT = "experiment_state-"
PARTS = (EXPERIMENT + "{}.json", "search_gen_state-{}.json", "searcher-state-{}.pkl")  # {} is when the driver started; two pickles
STOP = b"."  # a pickle's last byte


def usable(state: Store, folder: str) -> bool:
    """Whether a sweep can go on from the folder. Torn snapshots are deleted: Tune reads the newest, and so the one before them."""
    left: dict[str, set[str]] = {}  # the parts there are, by driver
    for name in state.names(folder):
        for before, after in (part.split("{}") for part in PARTS):
            if name.startswith(before) and name.endswith(after):
                left.setdefault(name.removeprefix(before).removesuffix(after), set()).add(name)
    torn = {driver for driver, names in left.items() if len(names) < len(PARTS) or not all(_whole(state, folder, name) for name in names)}
    for name in (name for driver in torn for name in left[driver]):
        state.filesystem.rm(state.path(f"{folder}/{name}"))
    return left.keys() > torn


def _whole(state: Store, folder: str, name: str) -> bool:
    data = state.read(f"{folder}/{name}")
    if not name.startswith(EXPERIMENT):
        return data.endswith(STOP)
    try:
        json.loads(data)
    except ValueError:
        return False
    return True
