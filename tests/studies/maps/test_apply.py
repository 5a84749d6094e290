"""A space through a planted rotation; oracles: the rotated rows, and the target's own probes on them."""

import warnings
from pathlib import Path

import duckdb
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.helpers.planted import Planted
from tests.helpers.stock import answered
from une_ray.api import Lake
from une_ray.api import open as open_lake
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.geometry.procrustes import random_orthogonal
from une_ray.lake.latents import matrix
from une_ray.lake.store import Store
from une_ray.spaces.space import Space
from une_ray.studies import maps


@pytest.fixture(scope="module")
def made() -> Planted:
    made = Planted(count=300, spaces=("enc",))
    turn = random_orthogonal(10, 10, np.random.default_rng(77))
    made.z["enc"] = (
        (made.z["enc"] / np.linalg.norm(made.z["enc"], axis=1)[:, None]).astype(np.float16).astype(float)
    )
    made.z["turned"] = (3 * made.z["enc"] @ turn).astype(np.float16).astype(float)
    return made


@pytest.fixture(scope="module")
def lake(made, tmp_path_factory) -> Lake:
    url = made.lake(str(tmp_path_factory.mktemp("applied") / "lake"), {"enc": {"i0003"}}).url
    lake = open_lake(url)
    made.probe(lake, ["turned"])
    lake.fit_map("enc", "turned", draws=2)
    return lake


@pytest.fixture(scope="module")
def applied(lake):
    return lake.apply_map("enc", "turned", "again")


def test_the_mapped_space_is_the_target_where_that_is_a_rotation(made, lake, applied):
    ids, z = lake.space("again").latents()
    places = np.searchsorted(made.ids, ids)
    assert np.abs(z - made.z["turned"][places]).max() < 0.02 and len(ids) == 299
    assert (applied.images, applied.rejects) == (300, 1)
    assert lake.rows("SELECT images, dim FROM counts WHERE space = 'again' AND status = 'ok'") == [(299, 10)]
    assert lake.rows("SELECT image_id, error FROM rejects WHERE space = 'again'") == [
        ("i0003", "no latent in enc: not finite")
    ]
    assert any("space again: 299 latents" in line for line in lake.verify())


def test_its_fingerprint_names_the_map_and_the_source_and_no_model_reads_pictures_for_it(lake, applied):
    fingerprint = lake.space("again").fingerprint
    ((sha256,),) = lake.rows("SELECT sha256 FROM maps WHERE map = 'orthogonal' AND centred")
    assert fingerprint["weights"] == f"sha256:{sha256}" and len(fingerprint["sources"]) == 1
    assert lake.space("again").role == "model"
    with pytest.raises(UneError, match="made from other spaces by a map"):
        Space.from_fingerprint("again", fingerprint)


def test_the_targets_own_probes_work_on_it_and_not_on_a_random_rotation(made, lake, applied):
    rows = {row["measure"]: row for row in applied.rows}
    probes = lake.rows("SELECT w, b FROM best_probes WHERE space = 'turned' ORDER BY attribute")
    test = made.test & (made.ids != "i0003")
    scores = made.z["turned"][test] @ np.array([w for w, _ in probes]).T + [b for _, b in probes]
    truth = made.labels[test]
    assert rows["probe accuracy"]["native"] == pytest.approx(((scores > 0) == truth).mean())
    assert rows["probe accuracy"]["value"] == pytest.approx(rows["probe accuracy"]["native"], abs=0.01)
    assert rows["probe accuracy"]["random"] < rows["probe accuracy"]["native"] - 0.05
    assert rows["retrieval"]["value"] > 0.98 and rows["retrieval"]["random"] < 0.3
    assert rows["neighbours kept"]["value"] > 0.95 > rows["neighbours kept"]["random"]
    assert rows["neighbours kept"]["native"] == 1 and rows["seconds per 1,000 images"]["value"] > 0


def test_a_call_that_was_killed_goes_on_and_one_that_is_finished_does_nothing(lake, monkeypatch):
    commit, shards = Store.commit, []

    def dies(store, name, data, replace=True):
        if name.startswith("spaces/space=killed/"):
            shards.append(name)
            if len(shards) == 2:
                raise KeyboardInterrupt
        return commit(store, name, data, replace)

    monkeypatch.setattr(Store, "commit", dies)
    with pytest.raises(KeyboardInterrupt):
        lake.apply_map("enc", "turned", "killed")
    monkeypatch.undo()
    assert lake.committed("spaces/space=killed") == {0}
    assert lake.apply_map("enc", "turned", "killed").images == 300 - 256
    assert lake.apply_map("enc", "turned", "killed").images == 0
    one, other = (lake.space(name).latents().z for name in ("again", "killed"))
    assert np.array_equal(one, other)


def test_another_map_does_not_mix_with_it_and_a_map_that_is_not_there_is_said(lake, applied):
    with pytest.raises(UneError, match="another fingerprint"):
        lake.apply_map("enc", "turned", "again", map="ridge")
    with pytest.raises(UneError, match="no orthogonal map of turned onto enc .* une map fit"):
        lake.apply_map("turned", "enc", "back")
    with pytest.raises(UneError, match="can't be made of itself"):
        lake.apply_map("enc", "turned", "enc")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"map": "foo"}, "unknown map that is kept 'foo'; known, nearest first: orthogonal, ridge"),
        ({"map": "affine"}, "unknown map that is kept 'affine'"),  # fitted, and not kept
        ({"map": "ridge", "centred": False}, "ridge map is kept about the means alone"),
    ],
)
def test_a_map_that_une_map_fit_never_keeps_is_not_to_be_fitted_with_it(lake, settings, message):
    with pytest.raises(UneError, match=message) as refused:
        lake.apply_map("enc", "turned", "another", **settings)
    assert "une map fit" not in str(refused.value)


def test_probes_say_nothing_where_no_label_is_known_and_the_other_measures_stand(tmp_path):
    made = Planted(count=300, spaces=("enc",))
    made.z["turned"] = made.z["enc"] @ random_orthogonal(10, 10, np.random.default_rng(7))
    attributes, made.attributes = made.attributes, []
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    made.attributes = attributes
    made.probe(lake, ["turned"])
    lake.fit_map("enc", "turned", draws=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = lake.apply_map("enc", "turned", "again").rows
    assert {row["measure"] for row in rows} == {"retrieval", "neighbours kept", "seconds per 1,000 images"}
    assert not any(np.isnan(row["chance"]) for row in rows if row["chance"] is not None)


def test_a_renamed_source_is_still_its_source(made, tmp_path):
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    lake.fit_map("enc", "turned", draws=2)
    lake.apply_map("enc", "turned", "again")
    lake.rename_space("enc", "first")
    assert open_lake(lake.url).apply_map("first", "turned", "again").images == 0


def test_the_command_prints_it_beside_really_embedding(lake, applied):
    done = CliRunner().invoke(
        app, ["map", "apply", lake.url, "--from", "enc", "--to", "turned", "--name", "again"]
    )
    assert done.exit_code == 0, done.output
    assert "probe accuracy" in done.output and "really" in done.output and "0 images written" in done.output
    assert matrix(lake.space("again").table()["z"], np.float32).shape == (299, 10)


def test_sql_applies_a_stored_map_to_a_space_and_to_a_vector_in_the_stock_shell_too(made, lake, applied):
    query = "SELECT image_id, z FROM mapped('enc', 'turned') ORDER BY image_id"
    ids, mapped = zip(*lake.rows(query))
    places = np.searchsorted(made.ids, ids)
    _, written = lake.space("again").latents()
    assert np.allclose(mapped, written, atol=2e-3) and len(ids) == 299
    assert np.abs(np.array(mapped) - made.z["turned"][places]).max() < 0.02
    stock = answered(lake, query, str(Path(maps.__file__).with_name("views.sql")))
    assert [row["image_id"] for row in stock] == list(ids)
    assert np.allclose([row["z"] for row in stock], mapped)
    few = lake.rows(
        "SELECT apply_map(z, 'enc', 'turned') FROM latents WHERE space = 'enc' AND image_id < 'i0003'"
    )
    assert np.allclose([z for (z,) in few], mapped[:3], atol=1e-9)
    ((one, ridge, uncentred),) = lake.rows(
        "SELECT apply_map($z, 'enc', 'turned'), apply_map($z, 'enc', 'turned', by_map := 'ridge'),"
        " apply_map($z, 'enc', 'turned', is_centred := false)",
        {"z": made.z["enc"][0].tolist()},
    )
    assert np.allclose(one, mapped[0], atol=1e-9)
    assert not np.allclose(one, ridge) and not np.allclose(one, uncentred)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            "apply_map(z, 'enk', 'turned')",
            "no such map of enk onto turned .* there is orthogonal of enc onto",
        ),
        ("apply_map([1.0], 'enc', 'turned')", "a vector of 1 numbers, where 10 are taken"),
    ],
)
def test_sql_says_which_maps_there_are(lake, applied, call, message):
    with pytest.raises(duckdb.Error, match=message):
        lake.rows(f"SELECT {call} FROM latents WHERE space = 'enc'")
    with pytest.raises(duckdb.Error, match="no such map of enc onto enk"):
        lake.rows("SELECT image_id FROM mapped('enc', 'enk')")
