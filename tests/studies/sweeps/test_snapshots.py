"""What a kill can leave of Tune's snapshots: the newest whole one is gone on from, or none."""

import json
import pickle

import pytest

from une_ray.lake.store import Store
from une_ray.studies.sweeps.snapshots import usable

FIRST, SECOND = "2026-11-21_13-39-21", "2026-11-21_14-00-00"


def snapshot(ended: int, running: int) -> dict[str, bytes]:
    """Tune's three files when so many trials have ended and so many run, as Ray 2.60 writes them."""
    names = [f"{i:08x}" for i in range(ended + running)]
    trials = [
        {"trial_id": name, "status": "TERMINATED" if i < ended else "RUNNING"} for i, name in enumerate(names)
    ]
    limiter = {"live_trials": set(names[ended:]), "max_concurrent": 2}
    return {
        "experiment_state-{}.json": json.dumps(
            {"trial_data": [[json.dumps(trial), "{}"] for trial in trials]}
        ).encode(),
        "search_gen_state-{}.json": pickle.dumps({"counter": len(names), "name:ConcurrencyLimiter": limiter}),
        "searcher-state-{}.pkl": pickle.dumps(
            {"_completed_trials": set(names[:ended]), "_ot_trials": dict.fromkeys(names)}
        ),
    }


BEFORE, WHOLE = snapshot(ended=1, running=2), snapshot(ended=2, running=2)
PARTS = tuple(WHOLE)


@pytest.fixture
def state(tmp_path) -> Store:
    return Store(str(tmp_path))


def write(state: Store, driver: str, parts: dict[str, bytes]) -> None:
    for name, data in parts.items():
        state.commit(f"sweep/{name.format(driver)}", data)


def of(driver: str) -> set[str]:
    return {name.format(driver) for name in PARTS}


def test_whole_snapshots_are_left_as_they_are(state):
    write(state, FIRST, WHOLE)
    write(state, SECOND, snapshot(ended=4, running=0))
    assert usable(state, "sweep") and state.names("sweep") == of(FIRST) | of(SECOND)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("how", ["torn", "empty", "absent", "older"])
def test_a_snapshot_that_is_not_whole_is_dropped_and_the_one_before_it_stands(state, part, how):
    state.commit("sweep/tuner.pkl", b"")
    write(state, FIRST, WHOLE)
    write(state, SECOND, {name: data for name, data in WHOLE.items() if name != part})
    if how != "absent":
        data = (
            WHOLE[part][: len(WHOLE[part]) // 2] if how == "torn" else b"" if how == "empty" else BEFORE[part]
        )
        state.commit(f"sweep/{part.format(SECOND)}", data)
    assert usable(state, "sweep") and state.names("sweep") == of(FIRST) | {"tuner.pkl"}


def test_a_search_that_does_not_know_that_a_trial_has_ended_would_keep_its_place(state):
    write(
        state,
        FIRST,
        WHOLE | {"search_gen_state-{}.json": snapshot(ended=1, running=3)["search_gen_state-{}.json"]},
    )
    assert not usable(state, "sweep")


def test_one_that_was_told_of_an_end_before_the_trial_was_stopped_is_whole(state):
    ahead = snapshot(ended=3, running=1)
    write(state, FIRST, WHOLE | {name: ahead[name] for name in PARTS[1:]})
    assert usable(state, "sweep")


def test_a_sweep_whose_only_snapshot_is_torn_begins_anew(state):
    assert not usable(state, "sweep")
    write(state, FIRST, WHOLE | {"searcher-state-{}.pkl": b""})
    assert not usable(state, "sweep") and not state.names("sweep")
