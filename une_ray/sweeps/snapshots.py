"""What Tune's drivers leave in a sweep's state folder: one snapshot each, of three files, that a kill can leave half-copied.

A file may then be torn, or older than the one beside it. Both are worse than no snapshot: Tune would fail, wait for a trial that nobody has,
or keep the place of one that has ended.
"""

from __future__ import annotations

import json
from contextlib import suppress

from une_ray.lake.store import Store

PARTS = ("experiment_state-{}.json", "search_gen_state-{}.json", "searcher-state-{}.pkl")  # {} is when the driver started; two pickles
LIMITER = "name:ConcurrencyLimiter"
ENDED = ("TERMINATED", "ERROR")


def usable(state: Store, folder: str) -> bool:
    """Whether a sweep can go on from the folder. Snapshots that are not whole are deleted: Tune reads the newest, and so the one before."""
    found: dict[str, dict[str, str]] = {}  # driver → part → name
    for name in state.names(folder):
        for part in PARTS:
            before, after = part.split("{}")
            if name.startswith(before) and name.endswith(after):
                found.setdefault(name.removeprefix(before).removesuffix(after), {})[part] = name
    whole = {driver for driver, names in found.items() if _is_whole(state, folder, names)}
    for name in (name for driver in found.keys() - whole for name in found[driver].values()):
        state.remove(f"{folder}/{name}")
    return bool(whole)


def _is_whole(state: Store, folder: str, names: dict[str, str]) -> bool:
    """Whether its files are of one moment, as far as it matters: all know the same trials, and of those that have ended that they have."""
    from ray import cloudpickle

    with suppress(Exception):  # what a torn pickle raises depends on where it is torn
        experiment, search, optuna = (state.read(f"{folder}/{names[part]}") for part in PARTS)
        trials = [json.loads(trial) for trial, _ in json.loads(experiment)["trial_data"]]
        ended = {trial["trial_id"] for trial in trials if trial["status"] in ENDED}
        search, optuna = cloudpickle.loads(search), cloudpickle.loads(optuna)
        running = search.get(LIMITER, {}).get("live_trials", set())
        return (
            {trial["trial_id"] for trial in trials} == set(optuna["_ot_trials"])
            and len(trials) == search["counter"]
            and ended <= optuna["_completed_trials"]
            and not ended & running
        )
    return False
