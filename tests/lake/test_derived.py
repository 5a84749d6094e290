"""Which split seeds a derived space's maps have seen; the oracle is how the lake was made."""

import numpy as np
import pytest

from tests.helpers.planted import Planted
from une_ray.api import Lake
from une_ray.api import open as open_lake
from une_ray.lake.derived import fitted_under
from une_ray.report.section import Source
from une_ray.studies.probes.linearity import section
from une_ray.studies.probes.study import warnings_of


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    made = Planted(count=300, spaces=("enc",))
    made.z["other"] = made.z["enc"] + np.random.default_rng(1).standard_normal(made.z["enc"].shape)
    lake = open_lake(made.lake(str(tmp_path_factory.mktemp("derived") / "lake")).url)
    lake.fit_map("enc", "other", draws=2, split_seed=2)
    lake.apply_map("enc", "other", "mapped", split_seed=2)
    lake.shared_space(["enc", "other"], "together")
    lake.shared_space(["mapped", "other"], "twice")
    return lake


def test_a_space_has_the_split_seeds_of_its_maps_and_of_its_sources(lake):
    seeds = {space: fitted_under(lake, space) for space in lake.spaces}
    assert seeds == {"enc": set(), "other": set(), "mapped": {2}, "together": {0}, "twice": {0, 2}}


def test_a_renamed_source_is_still_one(lake):
    lake.rename_space("mapped", "moved")
    assert fitted_under(lake, "twice") == {0, 2} and fitted_under(lake, "moved") == {2}
    lake.rename_space("moved", "mapped")


def test_probes_of_splits_whose_test_images_a_map_has_seen_are_warned_of(lake):
    assert list(warnings_of(lake, ["enc", "together"], [0])) == []
    (warning,) = warnings_of(lake, ["enc", "mapped"], [0, 1, 2])
    assert "mapped was made by a map that was fitted under split seed 2" in warning
    assert "probes of split 0, 1 are tested on" in warning and "those of split 2 do" in warning
    (warning,) = warnings_of(lake, ["twice"], [0, 1, 2])
    assert "split seed 0 and 2" in warning and "split 0, 1, 2 are tested on" in warning


def test_the_report_says_so_of_derived_spaces_and_of_no_other(lake):
    lake.probe(["enc"], splits=1, permutations=0)
    assert "Made by maps" not in section(Source(lake)).note
    lake.probe(["together"], splits=1, permutations=0)
    assert "of one split seed, together: on other split seeds" in section(Source(lake)).note
