"""Whose probes say nothing is said before an edit is judged by them."""

import pytest

from tests.helpers.lakes import fill, items
from une_ray.lake import results
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.studies.edits.judge import doubts

PROBE = {"method": "ridge", "engine": "fast", "split_seed": 0, "status": "ok", "w": [1.0] * 4, "b": 0.0}


@pytest.mark.parametrize(
    "auc, p, permutations, is_doubted",
    [(0.446, 0.76, 20, True), (0.93, 1 / 21, 20, False), (0.446, 0.2, 4, False), (0.6, None, 0, False)],
)
def test_a_probe_no_better_than_of_shuffled_labels_is_named(tmp_path, auc, p, permutations, is_doubted):
    """Of four permutations no p is below .2, whatever the AUC."""
    lake = fill(create(Lake(str(tmp_path)), "test:10", iter(items()), 4))
    said = {"space": "a/b", "attribute": "Even", "auc": auc, "p_value": p, "permutations": permutations}
    results.commit(lake, "probes", {}, [PROBE | said])
    judged, moved = doubts(lake, "x", "Even", ["a/b"]), doubts(lake, "a/b", "Even", ["x"])
    assert [bool(judged), bool(moved)] == [is_doubted] * 2
    if is_doubted:
        assert judged == [
            "a/b: its probe of Even can't be told from one of shuffled labels (AUC 0.446, p = 0.76): what it"
            " scores may be something else"
        ]
        assert "what it moves may be something else" in moved[0]
    assert doubts(lake, "x", "Odd", ["a/b"]) == []
