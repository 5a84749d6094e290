"""A probe's direction is not explained by the captions of what it was fitted on."""

import pytest

from tests.helpers.planted import Planted
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.studies.probes.study import probe
from une_ray.studies.prompts.explain import explain

PROBE = "SELECT w FROM best_probes WHERE space = 'enc' AND attribute = 'Attribute 0' AND split_seed = {}"


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    planted = Planted(400, ("enc", "gen/ddim50"))
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


OF_SPLIT_0 = "(FROM best_probes WHERE space = 'gen/ddim50' AND split_seed = 0)"
MADE = {
    "orthogonalized": "SELECT w FROM orthogonalized('gen/ddim50', 'Attribute 0', ['Attribute 4'])",
    "their sum": f"""SELECT list_transform(a.w, lambda x, i: 2 * b.w[i] - x) AS w
        FROM {OF_SPLIT_0} a CROSS JOIN {OF_SPLIT_0} b
        WHERE a.attribute = 'Attribute 0' AND b.attribute = 'Attribute 3'""",
}


@pytest.mark.parametrize("query", MADE.values(), ids=MADE)
def test_what_is_made_of_several_probes_is_refused_of_what_they_were_fitted_on(lake, query):
    assert explain(lake, "gen/ddim50", query).table.num_rows
    with pytest.raises(UneError, match=r"is made of ridge probes, '.*' the most like it, under split 0"):
        explain(lake, "gen/ddim50", query, "all")
    bent = f"SELECT list_transform(w, lambda x, i: if(i = 3, x + .01, x)) AS w FROM ({query})"
    assert explain(lake, "gen/ddim50", bent, "all").table.num_rows


def test_a_direction_that_is_no_probes_is_explained_by_all_items(lake):
    query = "SELECT list_transform(range(10), lambda d: d - 3.0) AS w"
    assert explain(lake, "enc", query, "all").table["split"][0].as_py() == "all"
