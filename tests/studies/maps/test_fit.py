"""A lake of planted rotations and linear views; oracles: the rotation itself, SciPy on the arrays put in."""

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from typer.testing import CliRunner

from tests.helpers.planted import Planted
from une_ray.api import open as open_lake
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.geometry.procrustes import random_orthogonal
from une_ray.geometry.unit import unit_rows
from une_ray.lake.stored_maps import StoredMap
from une_ray.report.section import Source
from une_ray.studies.maps.section import section


def planted() -> Planted:
    """`turned` is `enc` rotated, in ten of twelve dimensions; `noise` has nothing to do with either."""
    made = Planted(count=300, spaces=("enc",))
    random = np.random.default_rng(77)
    made.z["turned"] = (
        (3 * made.z["enc"] @ random_orthogonal(10, 12, random)).astype(np.float16).astype(float)
    )
    made.z["noise"] = random.standard_normal((300, 10)).astype(np.float16).astype(float)
    return made


@pytest.fixture(scope="module")
def made() -> Planted:
    return planted()


@pytest.fixture(scope="module")
def lake(made, tmp_path_factory):
    return open_lake(made.lake(str(tmp_path_factory.mktemp("maps") / "lake"), {"turned": {"i0003"}}).url)


@pytest.fixture(scope="module")
def found(lake):
    return lake.fit_map("enc", "turned", draws=2)


@pytest.fixture(scope="module")
def nothing(lake):
    return lake.fit_map("enc", "noise", draws=2)


def value(result, **wanted) -> float:
    wanted = {"of": "images", "subset": "all", "classes_fitted": None, "centred": True} | wanted
    most = max(figure.anchors for figure in result.figures if figure.classes_fitted is None)
    rows = [
        f for f in result.figures if all(getattr(f, k) == v for k, v in ({"anchors": most} | wanted).items())
    ]
    assert len(rows) == 1
    return rows[0].value


def test_a_planted_rotation_is_found_and_a_random_one_is_not(found):
    assert value(found, map="orthogonal", metric="centred cosine") > 0.999
    assert value(found, map="orthogonal", metric="retrieval") > 0.98
    assert value(found, map="orthogonal", metric="centred cosine", anchors=16) > 0.99
    assert abs(value(found, map="random", metric="centred cosine")) < 0.5
    assert value(found, map="random", metric="retrieval") < 0.1
    assert value(found, of="maps", map="orthogonal", metric="half cosine") > 0.95


def test_a_space_of_nothing_shared_is_mapped_to_nothing(nothing):
    for name in ("orthogonal", "ridge", "affine"):
        assert abs(value(nothing, map=name, metric="centred cosine")) < 0.15
        assert value(nothing, map=name, metric="retrieval") < 0.06


def test_classes_that_no_anchor_came_from_are_mapped_as_well(found):
    rows = [
        f
        for f in found.figures
        if f.classes_fitted and f.map == "orthogonal" and f.metric == "centred cosine"
    ]
    assert {f.subset for f in rows} == {"seen", "unseen"} and all(f.value > 0.99 for f in rows)


def test_the_stored_map_is_scipys_on_the_train_rows_that_both_have(made, found):
    train = ~made.test & (made.ids != "i0003")
    assert found.maps.to_pylist()[0]["train"] == train.sum()
    a, b = (unit_rows(made.z[space][train]) for space in ("enc", "turned"))
    row = next(r for r in found.maps.to_pylist() if r["map"] == "orthogonal" and r["centred"])
    stored = StoredMap.from_row(row)
    u, _, vt = np.linalg.svd((a - a.mean(0)).T @ (b - b.mean(0)), full_matrices=False)
    assert np.allclose(stored.matrix, u @ vt, atol=1e-6) and row["undetermined"] == 0
    norm = np.linalg.norm(made.z["turned"][train], axis=1).mean()
    expected = norm * ((unit_rows(made.z["enc"]) - a.mean(0)) @ (u @ vt) + b.mean(0))
    assert np.allclose(stored(made.z["enc"]), expected, atol=1e-4)
    assert StoredMap.from_row(stored.to_row()).matrix.tolist() == stored.matrix.tolist()


def test_equal_widths_are_scipys_orthogonal_procrustes(nothing, made):
    train = ~made.test
    a, b = (unit_rows(made.z[space][train]) for space in ("enc", "noise"))
    rows = nothing.maps.to_pylist()
    uncentred = next(r for r in rows if r["map"] == "orthogonal" and not r["centred"])
    assert np.allclose(StoredMap.from_row(uncentred).matrix, orthogonal_procrustes(a, b)[0], atol=1e-5)


def test_what_is_fitted_is_not_fitted_again(lake, found, monkeypatch):
    monkeypatch.setattr("une_ray.studies.maps.study.rows_of", lambda *_: pytest.fail("read again"))
    again = lake.fit_map("enc", "turned", draws=2)
    assert again.fits.equals(found.fits)


@pytest.mark.parametrize(
    ("source", "target", "settings", "message"),
    [
        ("enk", "turned", {}, "unknown space 'enk'; known, nearest first: enc"),
        ("enc", "enc", {}, "named twice"),
        ("enc", "turned", {"draws": 1}, "give no interval"),
        ("enc", "turned", {"classes": ["Atribute 1"]}, "unknown attribute 'Atribute 1'"),
    ],
)
def test_what_cannot_be_fitted_is_said(lake, source, target, settings, message):
    with pytest.raises(UneError, match=message):
        lake.fit_map(source, target, **settings)


def test_a_space_that_does_not_vary_is_refused_and_leaves_no_map(tmp_path):
    """`flat` is one vector; `almost` is another in one of sixty rows, which few anchors meet."""
    made = planted()
    made.z["flat"] = np.full((300, 10), 0.1)
    made.z["almost"] = np.where(np.arange(300)[:, None] % 60 == 7, made.z["enc"], 0.1)
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    for target in ("flat", "almost"):
        with pytest.raises(UneError, match="nothing varies together"):
            lake.fit_map("enc", target, draws=2)
        with pytest.raises(UneError, match=f"no orthogonal map of enc onto {target}"):
            lake.apply_map("enc", target, "mapped")


def test_the_command_prints_the_map_beside_its_controls_and_the_report_shows_it(lake, found):
    done = CliRunner().invoke(
        app, ["map", "fit", lake.url, "--from", "enc", "--to", "turned", "--draws", "2"]
    )
    assert done.exit_code == 0, done.output
    for text in ("before: as they are", "random rotation", "orthogonal: unseen", "two halves' maps"):
        assert text in done.output
    assert "left out, as another space lacks the image: 1 of enc" in done.output
    assert "of three draws or more" in done.output and " ± 0" not in done.output, "two draws give means alone"
    shown = section(Source(lake))
    assert "enc → turned" in shown.html and "random rotation" in shown.summary and "mapped ✓" in shown.html
