"""What Tune's drivers leave in a sweep's state folder: one snapshot each, of three files, that a kill can
leave half-copied.

A file may then be torn, or older than the one beside it. Both are worse than no snapshot: Tune would fail,
wait for a trial that nobody has, or keep the place of one that has ended."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import dropwhile, islice, takewhile
from pickletools import OpcodeInfo, genops
from typing import Any

from une_ray.lake.store import Store

PARTS = (
    "experiment_state-{}.json",
    "search_gen_state-{}.json",
    "searcher-state-{}.pkl",
)
"""{} is when the driver started; the last two are pickles."""
TRIAL_ID = re.compile("[0-9a-f]{8}")
MEMO = ("MEMOIZE", "BINPUT", "LONG_BINPUT")
ENDED = ("TERMINATED", "ERROR")


def usable(state: Store, folder: str) -> bool:
    """Whether a sweep can go on from the folder. Snapshots that are not whole are deleted: Tune reads the
    newest, and so the one before."""
    snapshots: dict[str, dict[str, str]] = {}  # driver → part → name
    for name in state.names(folder):
        for part in PARTS:
            before, after = part.split("{}")
            if name.startswith(before) and name.endswith(after):
                snapshots.setdefault(name.removeprefix(before).removesuffix(after), {})[part] = name
    whole = {driver for driver, names in snapshots.items() if _is_whole(state, folder, names)}
    for name in (name for driver in snapshots.keys() - whole for name in snapshots[driver].values()):
        state.remove(f"{folder}/{name}")
    return bool(whole)


def _is_whole(state: Store, folder: str, names: dict[str, str]) -> bool:
    """Whether its files are of one moment, as far as it matters: all know the same trials, and of those
    that have ended that they have."""
    with suppress(Exception):  # what a torn file raises depends on where it is torn
        experiment, search, optuna = (state.read(f"{folder}/{names[part]}") for part in PARTS)
        trials = [json.loads(trial) for trial, _ in json.loads(experiment)["trial_data"]]
        ended = {trial["trial_id"] for trial in trials if trial["status"] in ENDED}
        searching, suggesting = list(genops(search)), list(genops(optuna))  # looked at, not run
        suggested = {text for _, text, _ in suggesting if isinstance(text, str) and TRIAL_ID.fullmatch(text)}
        return (
            {trial["trial_id"] for trial in trials} == suggested
            and len(trials) == _number(searching, "counter")
            and ended <= _set(suggesting, "_completed_trials")
            and not ended & _set(searching, "live_trials")
        )
    return False


Opcodes = list[tuple[OpcodeInfo, Any, int | None]]


def _after(opcodes: Opcodes, key: str) -> Iterator[tuple[str, Any]]:
    """Names and arguments of what follows a dict's key in a pickle, but for the memo's. Nothing where there
    is no such key."""
    rest = dropwhile(lambda opcode: opcode[1] != key, opcodes)
    return (
        (opcode.name, argument) for opcode, argument, _ in islice(rest, 1, None) if opcode.name not in MEMO
    )


def _number(opcodes: Opcodes, key: str) -> int:
    return next(_after(opcodes, key))[1]


def _set(opcodes: Opcodes, key: str) -> set[str]:
    """A set of strings that occur in the pickle for the first time."""
    members = list(takewhile(lambda opcode: opcode[0] != "ADDITEMS", islice(_after(opcodes, key), 1, None)))
    return {text for _, text in members[1:]} if members and members[0][0] == "MARK" else set()
