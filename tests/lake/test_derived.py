"""Which split seeds a derived space's maps have seen; the oracle is how the lake was made."""

import duckdb
import numpy as np
import pytest

from tests.helpers.lakes import fill, items
from tests.helpers.planted import Planted
from une_ray.api import Lake
from une_ray.api import open as open_lake
from une_ray.lake import schema
from une_ray.lake.compact import compact
from une_ray.lake.create import create
from une_ray.lake.derived import derive_space, fitted_under
from une_ray.lake.layout import Lake as StoredLake
from une_ray.lake.layout import shard_file, space_folder
from une_ray.lake.seen import warnings_of
from une_ray.lake.verify import verify
from une_ray.report.section import Source
from une_ray.studies.probes import entanglement
from une_ray.studies.probes import study as probing
from une_ray.studies.probes.linearity import section


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


def probed(lake, space: str) -> dict[int, dict]:
    """split seed → the probe of the space's one attribute."""
    query = f"FROM best_probes WHERE space = '{space}' AND attribute = 'Attribute 0' ORDER BY split_seed"
    return {row["split_seed"]: row for row in lake.sql(query).to_arrow_table().to_pylist()}


def test_splits_whose_test_images_a_map_has_seen_are_fitted_and_not_measured(tmp_path, monkeypatch, capsys):
    made = Planted(count=300, spaces=("enc",))
    made.z["other"] = made.z["enc"] + np.random.default_rng(1).standard_normal(made.z["enc"].shape)
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    lake.fit_map("enc", "other", draws=2, split_seed=2)
    lake.apply_map("enc", "other", "mapped", split_seed=2)
    with monkeypatch.context() as before:  # as a lake has it that was probed before they were left out
        before.setattr(probing, "DERIVED", "nothing")
        before.setattr(probing, "seen_splits", lambda *_: None)
        lake.probe(["mapped"], splits=3, permutations=0)
    old = probed(lake, "mapped")
    assert all(row["auc"] is not None for row in old.values())
    assert "une probe leaves them out when it is asked again" in section(Source(lake)).note
    capsys.readouterr()
    (summary,) = lake.probe(["mapped"], splits=3, permutations=0).table.to_pylist()
    assert "its figures are those of split 2 alone" in capsys.readouterr().err
    new = probed(lake, "mapped")
    for seed, row in new.items():
        assert row["w"] == old[seed]["w"] and row["status"] == "ok"
        assert [row[name] for name in probing.UNMEASURED] == [
            old[seed][name] if seed == 2 else None for name in probing.UNMEASURED
        ]
    asked = "SELECT avg(auc), avg(accuracy) FROM best_probes WHERE space = 'mapped' AND split_seed = 2"
    assert (summary["auc"], summary["accuracy"]) == pytest.approx(lake.sql(asked).fetchall()[0])
    assert summary["splits"] == 1 and summary["auc_margin"] is None
    found = section(Source(lake))
    assert "on most of the images that probes of split 0, 1 are" in found.note and "one split" in found.html
    (nothing,) = lake.probe(["mapped"], splits=2, permutations=0).table.to_pylist()
    assert nothing["auc"] is None and "it has no figures" in capsys.readouterr().err


def test_a_later_trial_displaces_what_a_map_has_seen_and_no_other_default(tmp_path, monkeypatch):
    made = Planted(count=300, spaces=("enc",))
    made.z["other"] = made.z["enc"] + np.random.default_rng(1).standard_normal(made.z["enc"].shape)
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    lake.fit_map("enc", "other", draws=2, split_seed=2)
    lake.apply_map("enc", "other", "mapped", split_seed=2)
    with monkeypatch.context() as before:
        before.setattr(probing, "DERIVED", "nothing")
        before.setattr(probing, "seen_splits", lambda *_: None)
        lake.probe(["mapped"])
    old = probed(lake, "mapped")
    lake.probe(["mapped"], splits=3, permutations=0, penalties=[50.0])
    new = probed(lake, "mapped")
    assert [seed for seed in range(5) if new[seed]["config"] == old[seed]["config"]] == [2, 3, 4]
    assert [new[seed]["auc"] is None for seed in range(3)] == [True, True, False]
    lake.probe(["enc"], splits=1, permutations=0)
    for query in ("probe_metrics('mapped')", "agreement('enc', 'mapped')", "agreement('mapped', 'enc')"):
        with pytest.raises(duckdb.InvalidInputException, match="behind space 'mapped' was fitted on test"):
            lake.sql(f"FROM {query}").fetchall()
    for query in ("probe_metrics('enc')", "probe_scores('mapped')"):
        assert lake.sql(f"FROM {query}").fetchall()


def test_a_space_of_which_nothing_is_measured_is_said_and_its_directions_compared(tmp_path):
    made = Planted(count=300, spaces=("enc",))
    made.z["other"] = made.z["enc"] + np.random.default_rng(1).standard_normal(made.z["enc"].shape)
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    lake.shared_space(["enc", "other"], "one", split_seed=1)
    (row,) = lake.probe(["one"], splits=1, permutations=0).table.to_pylist()
    assert row["auc"] is None and row["splits"] == 0
    shown, directions = section(Source(lake)), entanglement.section(Source(lake))
    assert "it has no figures; probe split 1 too, or fit the map under another" in shown.note
    assert "one" in directions.html


def test_probes_of_splits_whose_test_images_a_map_has_seen_are_warned_of(lake):
    assert list(warnings_of(lake, ["enc", "together"], [0])) == []
    (warning,) = warnings_of(lake, ["enc", "mapped"], [0, 1, 2])
    assert "mapped was made by a map that was fitted under split seed 2" in warning
    assert "probes of split 0, 1 are tested on: its figures are those of split 2 alone" in warning
    (warning,) = warnings_of(lake, ["twice"], [0, 1, 2])
    assert "split seed 0 and 2" in warning and "split 0, 1, 2 are tested on: it has no figures" in warning


def test_the_report_says_so_of_the_splits_that_were_probed_and_of_no_other_space(lake):
    lake.probe(["enc"], splits=1, permutations=0)
    assert "made by a map" not in section(Source(lake)).note
    lake.probe(["together", "twice"], splits=1, permutations=0)
    note = section(Source(lake)).note
    assert "twice was made by a map that was fitted under split seed 0 and 2" in note
    assert "together was" not in note  # whose own split alone was probed
    lake.probe(["together"], splits=2, permutations=0)
    assert (
        "under split seed 0, on most of the images that probes of split 1 are" in section(Source(lake)).note
    )


def test_other_studies_of_what_a_map_has_seen_warn_too(lake, capsys):
    lake.probe(["enc", "other", "mapped"], splits=1, permutations=0)
    capsys.readouterr()
    for study, tested in (
        (lambda: lake.transfer(["mapped"], ["enc"]), "maps"),
        (lambda: lake.fit_map("mapped", "enc", draws=2), "maps"),
        (lambda: lake.shared_space(["mapped", "enc"], "more", dim=2), "measures"),
    ):
        study()
        said = capsys.readouterr().err
        assert f"under split seed 2, on most of the images that {tested} of split 0 are tested on" in said
    lake.transfer(["other"], ["enc"])
    lake.fit_map("enc", "other", draws=2, split_seed=2)
    assert "warning" not in capsys.readouterr().err
    lake.remove_space("more")


def test_a_space_whose_source_or_map_is_gone_is_warned_of_on_every_split(lake):
    lake.remove_space("mapped")
    assert fitted_under(lake, "twice") is None and fitted_under(lake, "together") == {0}
    (warning,) = warnings_of(lake, ["together", "twice"], [0])
    assert "twice was made by a map or of a space that this lake no longer has: probes of split 0" in warning


def derive(lake: StoredLake):
    return derive_space(StoredLake(lake.url), "doubled", {"kind": "derived"}, ["a/b"], lambda z: 2 * z["a/b"])


def test_shards_that_were_derived_and_merged_meanwhile_are_not_written_again(tmp_path):
    lake = fill(create(StoredLake(str(tmp_path / "lake")), "test:12", iter(items(12)), 4))
    slow = derive(lake)
    next(slow)  # has the first shard, and has seen that the others are missing
    assert len(list(derive(lake))) == 2
    list(compact(lake, grace=0))
    assert list(slow) == []
    assert lake.store.names(space_folder("doubled")) == {"merged-00000-00002.parquet"}
    assert lake.rows("SELECT count(*) FROM readings WHERE space = 'doubled'") == [(12,)]
    assert list(verify(StoredLake(lake.url)))


def test_shards_that_an_earlier_une_ray_derived_are_merged_with_those_of_now(tmp_path):
    """Their files do not say their space's name."""
    lake = fill(create(StoredLake(str(tmp_path / "lake")), "test:8", iter(items(8)), 4))
    list(derive(lake))
    name = f"{space_folder('doubled')}/{shard_file(0)}"
    table = lake.read_table(name)
    lake.store.commit(name, schema.parquet(table, {"fingerprint": {"kind": "derived"}}))
    list(compact(lake, grace=0))
    assert list(verify(StoredLake(lake.url)))
