"""A probe's direction is not explained by the captions of what it was fitted on."""

import pytest

from tests.helpers.planted import Planted
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.studies.probes.study import probe
from une_ray.studies.prompts.explain import explain

PROBE = "SELECT w FROM best_probes WHERE attribute = 'Attribute 0' AND split_seed = {}"


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    planted = Planted(400, ("enc",))
    planted.captions = ["a hat" if has else "a coat" for has in planted.labels[:, 0].tolist()]
    lake = planted.lake(str(tmp_path_factory.mktemp("said") / "lake"))
    probe(lake, permutations=0, splits=2)
    return lake


def test_of_items_that_it_was_not_fitted_on_a_probe_is_explained(lake):
    assert "hat" in explain(lake, "enc", PROBE.format(0)).table["phrase"][0].as_py()


@pytest.mark.parametrize(
    "seed, split, scale", [(0, "all", 1), (0, "train", -1), (0, "all", 3), (1, "test", 1), (1, "all", 0.5)]
)
def test_of_those_that_it_was_fitted_on_it_is_refused_however_long_it_is(lake, seed, split, scale):
    query = f"SELECT list_transform(w, lambda x: x * {scale}) AS w FROM ({PROBE.format(seed)})"
    with pytest.raises(UneError, match=f"the ridge probe of 'Attribute 0' under split {seed}.*--captions"):
        explain(lake, "enc", query, split)


def test_a_direction_that_is_no_probes_is_explained_by_all_items(lake):
    query = "SELECT list_transform(range(len(w)), lambda d: d - 3.0) AS w FROM best_probes LIMIT 1"
    assert explain(lake, "enc", query, "all").table["split"][0].as_py() == "all"
