"""A lake whose spaces are known linear views of one latent; oracles: scikit-learn on the arrays that were
put in."""

import numpy as np
import pytest
import typer
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import r2_score
from typer.testing import CliRunner

from tests.helpers.planted import DIMS, Planted, fold
from une_ray.errors import UneError
from une_ray.lake import paired
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect
from une_ray.studies.transfer import command, study
from une_ray.studies.transfer.study import transfer


@pytest.fixture(scope="module")
def planted() -> Planted:
    return Planted()


@pytest.fixture(scope="module")
def lake(planted, tmp_path_factory) -> Lake:
    lake = planted.lake(str(tmp_path_factory.mktemp("planted") / "lake"))
    planted.probe(lake, list(DIMS))
    return lake


def pair(lake: Lake, source: str, target: str, which: str = "ridge", **options) -> dict:
    (found,) = [
        row for row in transfer(lake, [source], [target], **options).table.to_pylist() if row["map"] == which
    ]
    return found


def test_a_pairs_figures_are_scikit_learns(lake, planted):
    found, train, test = pair(lake, "enc", "gen/ddim50"), ~planted.test, planted.test
    x, y = planted.z["enc"], planted.z["gen/ddim50"]
    mapped = Ridge(alpha=found["penalty"]).fit(x[train], y[train]).predict(x[test])
    probes = [RidgeClassifier().fit(y[train], labels[train]) for labels in planted.labels.T]

    def accuracy(z: np.ndarray) -> float:
        columns = zip(probes, planted.labels.T)
        return np.mean([(probe.predict(z) == labels[test]).mean() for probe, labels in columns])

    centre = y[train].mean(0)

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return np.mean((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))

    expected = {
        "train": train.sum(),
        "test": test.sum(),
        "r2": r2_score(y[test], mapped, multioutput="variance_weighted"),
        "cosine": cosine(mapped, y[test]),
        "centred_cosine": cosine(mapped - centre, y[test] - centre),
        "accuracy_native": accuracy(y[test]),
        "accuracy": accuracy(mapped),
    }
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-6)


def test_every_attribute_has_its_row_and_the_pair_their_means(lake, planted):
    transfer(lake, ["enc"], ["gen/ddim50"])
    query = (
        "SELECT attribute, accuracy, auc, cosine FROM transfers WHERE source = 'enc' AND target ="
        " 'gen/ddim50' AND map = 'ridge' ORDER BY 1"
    )
    *rows, whole = connect(lake).execute(query).fetchall()
    assert [row[0] for row in rows] == planted.attributes and whole[0] is None
    assert np.allclose(np.mean([row[1:3] for row in rows], axis=0), whole[1:3])
    assert all(row[3] is None for row in rows) and whole[3] is not None


def test_the_mean_explains_the_raw_cosine_and_nothing_else(lake):
    ridge, mean = pair(lake, "enc", "gen/ddim50"), pair(lake, "enc", "gen/ddim50", "mean")
    assert mean["cosine"] > 0.5 and mean["centred_cosine"] == 0 and mean["r2"] < 0.01 and mean["auc"] == 0.5
    assert ridge["centred_cosine"] > 0.9 and ridge["r2"] > 0.8
    assert ridge["accuracy_native"] - ridge["accuracy"] < 0.02 < mean["accuracy_native"] - mean["accuracy"]


def test_a_shuffled_pairing_carries_nothing(lake):
    """In six hidden dimensions a map of nothing still points somewhere, now nearer the truth, now farther:
    R² tells that it is nothing."""
    found, mean = pair(lake, "enc", "gen/ddim50", "shuffled"), pair(lake, "enc", "gen/ddim50", "mean")
    assert (
        found["r2"] < 0.02
        and abs(found["centred_cosine"]) < 0.4
        and found["accuracy"] == pytest.approx(mean["accuracy"], abs=0.02)
    )


def test_default_is_every_pair_both_ways_with_both_controls(lake):
    found = {(row["source"], row["target"], row["map"]) for row in transfer(lake).table.to_pylist()}
    assert found == {(a, b, m) for a in DIMS for b in DIMS if a != b for m in ("ridge", "mean", "shuffled")}


def test_what_is_finished_is_not_done_again(lake, monkeypatch):
    before = transfer(lake).table
    monkeypatch.setattr(study, "side_by_side", lambda *_: pytest.fail("latents were read again"))
    assert transfer(lake).table == before


def test_small_batches_give_the_same_map(planted, lake, tmp_path, monkeypatch):
    monkeypatch.setattr(paired, "BATCH", 7)
    other = planted.lake(str(tmp_path / "lake"))
    planted.probe(other, list(DIMS))
    one, two = pair(lake, "enc", "pixels-4"), pair(other, "enc", "pixels-4")
    assert {key: two[key] for key in ("r2", "cosine", "accuracy", "auc")} == pytest.approx(
        {key: one[key] for key in ("r2", "cosine", "accuracy", "auc")}
    )


def test_later_split_seeds_test_on_later_fifths_of_the_hash(planted, tmp_path):
    lake = planted.lake(str(tmp_path / "lake"))
    planted.probe(lake, ["enc"], split_seed=2)
    found = pair(lake, "pixels-4", "enc", split_seed=2)
    test = fold(planted.ids, 2)
    mapped = (
        Ridge(alpha=found["penalty"])
        .fit(planted.z["pixels-4"][~test], planted.z["enc"][~test])
        .predict(planted.z["pixels-4"][test])
    )
    assert found["test"] == test.sum() and (fold(planted.ids, 0) == planted.test).all()
    assert found["r2"] == pytest.approx(
        r2_score(planted.z["enc"][test], mapped, multioutput="variance_weighted")
    )


def test_images_that_one_space_rejected_are_left_out_of_all(planted, tmp_path):
    lacking = {"enc": {"i0003", "i0300"}, "pixels-4": {"i0004"}}
    lake = planted.lake(str(tmp_path / "lake"), lacking)
    planted.probe(lake, ["enc"])
    found = pair(lake, "pixels-4", "enc")
    kept = ~np.isin(planted.ids, ["i0003", "i0300", "i0004"])
    train, test = kept & ~planted.test, kept & planted.test
    mapped = (
        Ridge(alpha=found["penalty"])
        .fit(planted.z["pixels-4"][train], planted.z["enc"][train])
        .predict(planted.z["pixels-4"][test])
    )
    assert (found["train"], found["test"]) == (train.sum(), test.sum())
    assert found["r2"] == pytest.approx(
        r2_score(planted.z["enc"][test], mapped, multioutput="variance_weighted")
    )


def test_ridge_probes_come_before_others(planted, tmp_path):
    lake = planted.lake(str(tmp_path / "lake"))
    planted.probe(lake, ["enc"])
    planted.labels = ~planted.labels  # the other method's probes are all wrong
    try:
        planted.probe(lake, ["enc"], method="lda")
    finally:
        planted.labels = ~planted.labels
    assert pair(lake, "pixels-4", "enc")["auc_native"] > 0.7


def test_where_the_source_has_probes_its_directions_stand_beside_the_targets(planted, tmp_path):
    lake = planted.lake(str(tmp_path / "lake"))
    planted.probe(lake, ["enc", "gen/ddim50"])
    opened = study._Study.open(lake, [("enc", "gen/ddim50")], 0)
    ((_, rows),) = opened.judged([("enc", "gen/ddim50")])
    found = {(row["map"], row.get("attribute")): row for row in rows}
    x, y, train = planted.z["enc"], planted.z["gen/ddim50"], ~planted.test
    mapped = Ridge(alpha=found["ridge", None]["penalty"]).fit(x[train], y[train]).predict(x[train])
    own, theirs = (RidgeClassifier().fit(z[train], planted.labels[train, 0]) for z in (x, y))
    expected = np.corrcoef(own.decision_function(x[train]), theirs.decision_function(mapped))[0, 1]
    assert found["ridge", "Attribute 0"]["score_correlation"] == pytest.approx(expected)
    assert found["ridge", None]["score_correlation"] > 0.9 > abs(found["shuffled", None]["score_correlation"])
    assert found["mean", None]["score_correlation"] is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["enk"], None), "unknown space 'enk'; known, nearest first: enc"),
        ((["enc"], ["enc"]), "a transfer needs a source and another target"),
        ((["pixels-4"], ["enc"]), "fit them with: une probe --lake .* --spaces enc"),
        ((None, None, 5), "split seed 5: there are 5 folds, 0 to 4"),
    ],
)
def test_what_cannot_be_done_is_said(planted, tmp_path, arguments, message):
    lake = planted.lake(str(tmp_path / "lake"))
    with pytest.raises(UneError, match=message):
        transfer(lake, *arguments)


def test_spaces_without_a_common_image_are_refused(planted, tmp_path):
    lake = planted.lake(str(tmp_path / "lake"), {"enc": set(planted.ids)})
    planted.probe(lake, ["enc"])
    with pytest.raises(UneError, match="enc, pixels-4 share 0 train and 0 test images"):
        transfer(lake, ["pixels-4"], ["enc"])


def test_the_command_prints_a_line_per_pair_with_the_controls_beside_it(lake):
    app = typer.Typer()
    app.command(epilog=command.EPILOG)(command.transfer)
    shown = CliRunner().invoke(
        app,
        ["--lake", lake.url, "--source", "enc", "--target", "gen/ddim50, pixels-4"],
        catch_exceptions=False,
    )
    lines = [line.split() for line in shown.stdout.splitlines() if line.startswith("enc")]
    assert [line[1] for line in lines] == ["gen/ddim50", "pixels-4"]
    drops = [float(value) for value in (lines[0][-4], *lines[0][-2:])]
    for drop, kind in zip(drops, ("ridge", "mean", "shuffled"), strict=True):
        found = pair(lake, "enc", "gen/ddim50", kind)
        assert drop == pytest.approx(100 * (found["accuracy_native"] - found["accuracy"]), abs=0.006)
