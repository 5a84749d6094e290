"""What a kill can leave of Tune's snapshots: the newest whole one is gone on from, or none."""

import json
import pickle

import pytest

from une_ray.lake.store import Store
from une_ray.sweeps.snapshots import usable

FIRST, SECOND = "2026-11-21_13-39-21", "2026-11-21_14-00-00"
WHOLE = {
    "experiment_state-{}.json": json.dumps({"trial_data": [1, 2]}).encode(),
    "search_gen_state-{}.json": pickle.dumps({"searcher": 1}),
    "searcher-state-{}.pkl": pickle.dumps([0.5]),
}


@pytest.fixture
def state(tmp_path) -> Store:
    return Store(str(tmp_path))


def write(state: Store, driver: str, parts: dict[str, bytes]) -> None:
    for name, data in parts.items():
        state.commit(f"sweep/{name.format(driver)}", data)


def of(driver: str) -> set[str]:
    return {name.format(driver) for name in WHOLE}


def test_whole_snapshots_are_left_as_they_are(state):
    write(state, FIRST, WHOLE)
    write(state, SECOND, WHOLE)
    assert usable(state, "sweep") and state.names("sweep") == of(FIRST) | of(SECOND)


@pytest.mark.parametrize("torn", WHOLE)
@pytest.mark.parametrize("how", ["half", "empty", "absent"])
def test_a_torn_snapshot_is_dropped_whole_and_the_one_before_it_stands(state, torn, how):
    state.commit("sweep/tuner.pkl", b"")
    write(state, FIRST, WHOLE)
    write(state, SECOND, {name: data for name, data in WHOLE.items() if name != torn})
    if how != "absent":
        data = WHOLE[torn]
        state.commit(f"sweep/{torn.format(SECOND)}", data[: len(data) // 2] if how == "half" else b"")
    assert usable(state, "sweep") and state.names("sweep") == of(FIRST) | {"tuner.pkl"}


def test_a_sweep_whose_only_snapshot_is_torn_begins_anew(state):
    assert not usable(state, "sweep")
    write(state, FIRST, WHOLE | {"searcher-state-{}.pkl": b""})
    assert not usable(state, "sweep") and not state.names("sweep")
