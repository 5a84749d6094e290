"""A lake of linear views of one latent; oracles: that latent, scikit-learn, NumPy's pinv."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.base import clone
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from typer.testing import CliRunner

from tests.helpers import planted
from tests.helpers.planted import HIDDEN, Planted
from tests.helpers.stock import answered
from une_ray.api import Lake
from une_ray.api import open as open_lake
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.geometry.partners import every_fifth
from une_ray.geometry.unit import unit_rows
from une_ray.lake.paired import in_order, paired_images, rows_of
from une_ray.report.section import Source
from une_ray.studies import shared
from une_ray.studies.shared.accuracies import _measured, _ridge_scores, _usable
from une_ray.studies.shared.moments import moments_of
from une_ray.studies.shared.section import section

VIEWS = ["enc", "gen/ddim50", "pixels-4"]


@pytest.fixture(scope="module")
def made() -> Planted:
    return Planted(count=600, spaces=("enc", "gen/ddim50", "pixels-4"))


@pytest.fixture(scope="module")
def lake(made, tmp_path_factory) -> Lake:
    return open_lake(made.lake(str(tmp_path_factory.mktemp("shared") / "lake"), {"enc": {"i0003"}}).url)


@pytest.fixture(scope="module")
def found(lake):
    return lake.shared_space(VIEWS, "together")


def scores(result, measure: str, of: str = "shared") -> dict[int, float]:
    return {
        r["k"]: r["value"] for r in result.scores.to_pylist() if r["measure"] == measure and r["of"] == of
    }


def test_it_has_as_many_dimensions_as_the_views_share(found):
    assert HIDDEN - 1 <= found.dim <= HIDDEN + 1
    agreed, null = scores(found, "held-out correlation"), scores(found, "null correlation")
    assert agreed[1] > 0.8 and abs(null[1]) < 0.25 and abs(agreed[HIDDEN + 4]) < 0.3


def test_the_space_is_in_the_lake_and_is_the_hidden_latent(made, lake, found):
    ids, x = lake.space("together").latents()
    x = x[:, :HIDDEN]
    assert x.shape[0] == 599 and lake.space("together").role == "model"
    hidden = np.random.default_rng(0).standard_normal((600, HIDDEN))[made.ids != "i0003"]
    angles = subspace_angles(x - x.mean(0), hidden - hidden.mean(0))
    assert np.cos(angles)[1:].min() > 0.8
    assert x.astype(float).std(0) == pytest.approx(np.ones(x.shape[1]), abs=0.15)
    assert lake.rows("SELECT error FROM rejects WHERE space = 'together'") == [
        ("no latent in enc: not finite",)
    ]
    assert any("space together" in line for line in lake.verify())


def test_of_attributes_with_unknown_labels_the_known_ones_count_each_by_itself():
    """Oracle: scikit-learn, attribute by attribute."""
    random = np.random.default_rng(0)
    z, w = random.standard_normal((300, 5)), random.standard_normal((5, 4))
    labels = (z @ w + random.standard_normal((300, 4)) > 0).astype(float)
    labels[random.random((300, 4)) < [0, 0.1, 0.3, 0.3]] = np.nan
    found, due = _measured(z[:200], labels[:200], z[200:], labels[200:]), []
    for y in labels.T:
        known, tested = ~np.isnan(y[:200]), ~np.isnan(y[200:])
        scale = z[:200][known].std(0)
        x, test = z[:200][known] / scale, z[200:][tested] / scale
        scores = Ridge(alpha=1e-2 * known.sum()).fit(x, 2 * y[:200][known] - 1).predict(test)
        right = y[200:][tested]
        commoner = max(right.mean(), 1 - right.mean())
        due.append([accuracy_score(right, scores > 0), roc_auc_score(right, scores), commoner])
    assert found == pytest.approx(np.mean(due, axis=0))
    one_sided = np.where(np.isnan(labels[:200]), np.nan, 1.0)
    assert _usable(labels[:200], labels[200:]) == [0, 1, 2, 3]
    assert _usable(np.column_stack([labels[:200, :3], one_sided[:, 3]]), labels[200:]) == [0, 1, 2]


def test_accuracies_are_scikit_learns_beside_shuffled_views_and_the_majority(made, lake, found):
    ids, x = lake.space("together").latents()
    places = np.searchsorted(made.ids, ids)
    test, labels = made.test[places], made.labels[places]
    for k in (1, 4):
        rows = x[:, :k].astype(float)
        probe = make_pipeline(StandardScaler(), RidgeClassifier(alpha=1e-2 * (~test).sum()))
        fitted = [clone(probe).fit(rows[~test], y[~test]) for y in labels.T]
        expected = np.mean([probe.score(rows[test], y[test]) for probe, y in zip(fitted, labels.T)])
        assert scores(found, "accuracy")[k] == pytest.approx(expected, abs=0.005)
    (majority,) = {r["majority"] for r in found.scores.to_pylist() if r["measure"] == "accuracy"}
    assert scores(found, "accuracy")[4] > majority and scores(found, "accuracy", "shuffled views")


def test_a_views_own_components_are_read_whatever_their_lengths():
    """The label is in the second component, a thousandth as long as the first."""
    random = np.random.default_rng(0)
    z = random.standard_normal((600, 2)) * [1.0, 1e-3]
    labels = (z[:, 1:] > 0).astype(float)
    scores = _ridge_scores(z[:400], labels[:400], z[400:])
    assert ((scores > 0) == labels[400:]).mean() > 0.95
    constant = np.c_[z, np.full(600, 2.0)]
    assert np.allclose(_ridge_scores(constant[:400], labels[:400], constant[400:]), scores)


def test_ridge_and_dimensions_are_chosen_in_components_that_the_fifth_had_no_say_in(lake):
    """The oracle is NumPy's SVD of the other four fifths alone."""
    images = paired_images(lake, VIEWS, (), 0)
    moments = moments_of(lake, VIEWS, images.train, 500, shuffled=False)
    rows = rows_of(lake, VIEWS, in_order(lake, VIEWS[0], images.train))
    held_out = every_fifth(np.arange(len(images.train)))
    for view, z in rows.items():
        rest = z[~held_out].astype(float)
        squares = np.linalg.svd(rest - rest.mean(0), compute_uv=False) ** 2
        assert np.allclose(moments.fit.components[view].squares, squares, rtol=1e-6)
        assert np.allclose(moments.fit.components[view].mean, rest.mean(0))
        every = np.linalg.svd(z.astype(float) - z.mean(0), compute_uv=False) ** 2
        assert np.allclose(moments.every.components[view].squares, every, rtol=1e-6)
    assert moments.fit.rows + moments.validation.rows == moments.every.rows == len(images.train)


def test_a_space_whose_views_have_grown_is_completed_by_its_own_maps(made, tmp_path):
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    late = tmp_path / "lake" / "spaces" / "space=enc" / "shard-00002.parquet"
    late.rename(tmp_path / late.name)
    first = lake.shared_space(VIEWS, "s")
    before = dict(zip(*lake.space("s").latents()[:2]))
    assert (first.images, first.not_fitted_on) == (512, 0)
    (tmp_path / late.name).rename(late)
    again = open_lake(lake.url).shared_space(VIEWS, "s")
    assert (again.images, again.train, again.dim) == (88, first.train, first.dim) and again.not_fitted_on > 40
    assert again.scores.equals(first.scores)
    after = dict(zip(*open_lake(lake.url).space("s").latents()[:2]))
    assert len(after) == 600 and all(np.array_equal(after[i], z) for i, z in before.items())
    done = CliRunner().invoke(app, ["shared", lake.url, "--views", ",".join(VIEWS), "--name", "s"])
    assert f"fitted on {first.train:,} train images; the {again.not_fitted_on:,} that" in done.output
    with pytest.raises(UneError, match="another fingerprint"):
        lake.shared_space(VIEWS, "s", dim=first.dim + 1)
    anew = lake.shared_space(VIEWS, "all")
    assert anew.train == first.train + again.not_fitted_on


def test_a_space_made_anew_is_read_by_its_own_maps_and_not_by_those_before_it(made, tmp_path):
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    lake.shared_space(VIEWS, "s", dim=4)
    shutil.rmtree(tmp_path / "lake" / "spaces" / "space=s")
    (tmp_path / "lake" / "fingerprints" / "s.json").unlink()
    lake = open_lake(lake.url)
    lake.shared_space(VIEWS, "s", dim=2, split_seed=1)
    assert lake.rows("SELECT DISTINCT dim, split_seed FROM kept_shared_maps") == [(2, 1)]
    assert lake.rows("SELECT DISTINCT len(seen_in(z, 's', 'enc')) FROM latents WHERE space = 'enc'") == [(2,)]


def test_the_control_is_a_control_and_agrees_about_nothing(lake):
    mixed = lake.shared_space(VIEWS, "mixed", shuffled=True, dim=4)
    assert lake.space("mixed").role == "control"
    assert max(scores(mixed, "held-out correlation").values()) < 0.35


def test_what_is_finished_is_not_done_again(lake, found, monkeypatch):
    monkeypatch.setattr("une_ray.studies.shared.study.side_by_side", lambda *_: pytest.fail("read again"))
    again = lake.shared_space(VIEWS, "together")
    assert again.images == 0 and again.scores.equals(found.scores)
    with pytest.raises(UneError, match="another fingerprint(?s:.*)first: une space remove .* together"):
        monkeypatch.undo()
        lake.shared_space(["enc", "pixels-4"], "together", dim=2)


def test_a_direction_is_carried_back_by_the_pseudo_inverse(made, lake, found):
    made_probe = np.random.default_rng(3).standard_normal(found.dim)
    from une_ray.lake import results

    row = {"space": "together", "attribute": "Smiling", "method": "ridge", "engine": "fast", "split_seed": 0}
    row |= {"status": "ok", "w": made_probe, "b": 0.0, "permutations": 20}
    results.commit(lake, "probes", {"made": "up"}, [row])
    ((w,),) = lake.rows("FROM carried_back('together', 'gen/ddim50', 'Smiling')")
    ((weights, dim, view_dim),) = lake.rows(
        "SELECT weights, dim, view_dim FROM shared_maps WHERE space = 'together' AND source = 'gen/ddim50'"
    )
    a = np.array(weights).reshape(dim, view_dim).T
    assert np.allclose(w, made_probe @ np.linalg.pinv(a)) and np.allclose(np.array(w) @ a, made_probe)
    with pytest.raises(Exception, match="no view 'enk' of a shared space 'together'"):
        lake.rows("FROM carried_back('together', 'enk', 'Smiling')")


def test_shared_spaces_of_disjoint_views_are_compared_by_their_neighbourhoods(tmp_path):
    """Two of two views each see one hidden latent; a third is of noise alone."""
    four = Planted(count=600, spaces=("enc", "gen/ddim50", "pixels-4"))
    random = np.random.default_rng(6)
    four.z["enc-2"] = four.z["enc"] @ random.standard_normal((10, 8)) + random.standard_normal((600, 8))
    four.z["noise-a"] = random.standard_normal((600, 8)).astype(np.float16).astype(float)
    four.z["noise-b"] = four.z["noise-a"] @ random.standard_normal((8, 8))
    lake = open_lake(four.lake(str(tmp_path / "lake")).url)
    for name, views in (("x1", ["enc", "enc-2"]), ("x2", ["gen/ddim50", "pixels-4"])):
        lake.shared_space(views, name, dim=HIDDEN)
    lake.shared_space(["noise-a", "noise-b"], "x3", dim=4)
    lake.similarity(["x1", "x2", "x3"], draws=2)
    rows = lake.rows(
        "SELECT one, other, measure, value, excess, deviations, views_in_common FROM shared_neighbourhoods"
        " QUALIFY n = max(n) OVER (PARTITION BY measure)"
    )
    found = {(one, other, measure): figures for one, other, measure, *figures in rows}
    for measure in ("mutual-neighbours", "rank-correlation"):
        _, excess, deviations, common = found["x1", "x2", measure]
        assert excess > 0.1 and deviations > 10 and common == []
        assert abs(found["x1", "x3", measure][1]) < 0.02
    x, y = (lake.space(name).latents().z for name in ("x1", "x2"))
    cosines = [unit @ unit.T for unit in (unit_rows(z - z.mean(0)) for z in (x, y))]
    near = (
        [{*np.argsort(-row)[1:11]} for row in cosines[0]],
        [{*np.argsort(-row)[1:11]} for row in cosines[1]],
    )
    expected = np.mean([len(a & b) / 10 for a, b in zip(*near)])
    assert found["x1", "x2", "mutual-neighbours"][0] == pytest.approx(expected, abs=0.005)
    shown = section(Source(lake)).html
    assert "Between shared spaces" in shown and "mutual-neighbours" in shown


def test_sql_says_what_one_view_alone_sees_in_the_stock_shell_too(made, lake, found):
    query = "SELECT image_id, seen_in(z, 'together', 'enc') AS x FROM latents WHERE space = 'enc' ORDER BY 1"
    ids, x = zip(*lake.rows(query))
    ((mean, weights),) = lake.rows(
        "SELECT mean, weights FROM shared_maps WHERE space = 'together' AND source = 'enc'"
    )
    z = made.z["enc"][np.searchsorted(made.ids, ids)]
    assert np.allclose(x, (z - mean) @ np.array(weights).reshape(found.dim, -1).T, atol=1e-6)
    stock = answered(lake, query, str(Path(shared.__file__).with_name("views.sql")))
    assert np.allclose([row["x"] for row in stock], x)
    with pytest.raises(Exception, match="no view enk of a shared space together .* enc of together"):
        lake.rows("SELECT seen_in(z, 'together', 'enk') FROM latents")


def test_views_of_one_model_are_named(tmp_path, monkeypatch):
    """They agree about whatever the model adds, so a reader has to know."""
    two = Planted(count=300, spaces=("enc", "pixels-4"))
    two.z["gen/ddim50"], two.z["gen/ddim25"] = two.z.pop("enc"), two.z["pixels-4"]
    monkeypatch.setattr(
        planted, "fingerprint", lambda space: {"model": space.partition("/")[0], "kind": space}
    )
    lake = open_lake(two.lake(str(tmp_path / "lake")).url)
    done = CliRunner().invoke(
        app, ["shared", lake.url, "--views", "gen/ddim50,gen/ddim25,pixels-4", "--name", "s", "--dim", "2"]
    )
    assert done.exit_code == 0, done.output
    assert "gen/ddim50 and gen/ddim25 are both of gen" in done.output
    assert "pixels-4 are" not in done.output


def test_a_views_own_name_is_refused_without_advice_to_remove_it(lake):
    with pytest.raises(UneError, match="'enc' is one of the views"):
        lake.shared_space(["enc", "gen/ddim50"], "enc")


@pytest.mark.parametrize(
    ("views", "message"),
    [
        (["enc", "enk"], "unknown space 'enk'"),
        (["enc", "enc"], "named twice"),
        (["enc"], "two views or more"),
    ],
)
def test_what_has_no_shared_space_is_said_and_leaves_nothing(lake, views, message):
    with pytest.raises(UneError, match=message):
        lake.shared_space(views, "nothing")
    assert "nothing" not in lake.fingerprints()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rank": 0}, "rank is 0; .* one or more"),
        ({"dim": -3}, "dim is -3; .* one or more"),
        ({"dim": 0}, "dim is 0; .* one or more"),
        ({"ridge": -1.0}, "ridge is -1.0; .* zero or more"),
        ({"ridge": float("nan")}, "ridge is nan; .* zero or more"),
        ({"ridge": float("inf")}, "ridge is inf; .* finite"),
    ],
)
def test_settings_out_of_their_range_are_said_in_a_line_and_leave_nothing(lake, settings, message):
    with pytest.raises(UneError, match=message) as refused:
        lake.shared_space(VIEWS, "nothing", **settings)
    assert "\n" not in str(refused.value) and "nothing" not in lake.fingerprints()


def test_the_command_prints_it_beside_its_controls_and_the_report_shows_it(lake, found):
    done = CliRunner().invoke(app, ["shared", lake.url, "--views", ",".join(VIEWS), "--name", "together"])
    assert done.exit_code == 0, done.output
    for text in ("held-out correlation", "null correlation", "shuffled views", "majority"):
        assert text in done.output
    assert "left out, as another space lacks the image: 1 of gen/ddim50, 1 of pixels-4" in done.output
    shown = section(Source(lake))
    assert "together" in shown.html and "shuffled views" in shown.summary
