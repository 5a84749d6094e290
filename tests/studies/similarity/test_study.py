"""A lake of planted relations; oracles: what was planted, scikit-learn's R² on the arrays put in."""

import hashlib
import itertools
import shutil

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from typer.testing import CliRunner

from tests.helpers.planted import Planted
from une_ray.api import Lake
from une_ray.api import open as open_lake
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.geometry.procrustes import random_orthogonal
from une_ray.report.section import Source
from une_ray.report.theme import SERIES
from une_ray.studies.similarity import section as drawn
from une_ray.studies.similarity.section import section


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """`turned` is `enc` rotated, `stretched` a linear map that is no rotation, `noise` nothing of it."""
    made = Planted(count=260, spaces=("enc",))
    random = np.random.default_rng(5)
    made.z["enc"] = random.standard_normal((260, 6)).astype(np.float16).astype(float)
    turned = 2 * made.z["enc"] @ random_orthogonal(6, 6, random) + 1
    stretched = made.z["enc"] * np.array([8, 4, 2, 1, 0.5, 0.25]) @ random_orthogonal(6, 6, random)
    for name, z in (
        ("turned", turned),
        ("stretched", stretched),
        ("noise", random.standard_normal((260, 6))),
    ):
        made.z[name] = z.astype(np.float16).astype(float)
    return open_lake(made.lake(str(tmp_path_factory.mktemp("similar") / "lake")).url)


@pytest.fixture(scope="module")
def found(lake):
    return lake.similarity(draws=2, permutations=10)


def test_rotations_linear_maps_and_nothing_are_told_apart(lake, found):
    related = {(a, b): kind for a, b, kind in lake.rows("SELECT source, target, related_by FROM map_pairs")}
    assert related["enc", "turned"] == related["turned", "enc"] == "a rotation"
    assert related["stretched", "enc"] == "a linear map"
    assert {kind for pair, kind in related.items() if "noise" in pair} == {"nothing linear"}
    assert len(related) == 12


def test_copies_of_a_picture_are_no_relation_of_two_spaces(tmp_path, capsys):
    """Two spaces of nothing in common, in which every picture stands four times over: a map fitted on half of
    the rows has seen the other half, unless images are one of each group."""
    made, random = Planted(count=400, spaces=("enc",)), np.random.default_rng(0)
    made.groups = [f"picture {n // 4}" for n in range(400)]
    for name in ("enc", "other"):
        z = np.repeat(random.standard_normal((100, 60)), 4, 0) + 0.01 * random.standard_normal((400, 60))
        made.z[name] = z.astype(np.float16).astype(float)
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    rows = lake.similarity(draws=2, permutations=10).table.to_pylist()
    assert {row["n"] for row in rows} == {64, 100}
    assert capsys.readouterr().err.count("one image is in: 300 others of the lake's are left out") == 1
    assert all(row["value"] < 0.05 for row in rows if row["measure"] == "ridge")
    related = {kind for (kind,) in lake.rows("SELECT related_by FROM map_pairs")}
    assert related == {"nothing linear"}


def test_both_orders_of_names_give_every_measure_with_its_null(lake, found):
    one, other = (lake.rows(f"FROM similarity({names})") for names in ("'enc', 'turned'", "'turned', 'enc'"))
    assert one == other
    assert {row[0] for row in one} == {
        "cka", "cca", "transfer", "mutual-neighbours", "rank-correlation", "orthogonal", "ridge", "cca-map",
    }  # fmt: skip
    assert {row[3] for row in one} == {64, 260}
    values = {row[0]: row[4] for row in one if row[3] == 260 and row[1] == "enc"}
    assert min(values.values()) > 0.98
    nothing = lake.rows("FROM similarity('enc', 'noise') WHERE n = 260")
    assert all(abs(row[6]) < 0.1 for row in nothing)
    with pytest.raises(
        Exception, match="no similarity of enc and enk in this lake; there is of enc and noise"
    ):
        lake.rows("FROM similarity('enc', 'enk')")


def test_what_is_measured_is_not_measured_again(lake, found, monkeypatch):
    monkeypatch.setattr("une_ray.studies.similarity.study.rows_of", lambda *_: pytest.fail("read again"))
    assert lake.similarity(draws=2, permutations=10).table.equals(found.table)


@pytest.mark.parametrize(
    ("spaces", "settings", "message"),
    [
        (["enc"], {}, "two spaces or more"),
        (["enc", "enc", "noise"], {}, "named twice in enc, enc, noise"),
        (["enc", "enk"], {}, "unknown space 'enk'"),
        (["enc", "noise"], {"permutations": 1}, "1 permutations"),
    ],
)
def test_what_cannot_be_compared_is_said(lake, spaces, settings, message):
    with pytest.raises(UneError, match=message):
        lake.similarity(spaces, **settings)


def test_the_command_prints_measures_beyond_their_null_and_the_report_shows_them(lake, found):
    words = ["similarity", lake.url, "--draws", "2", "--spaces", "enc,noise,stretched,turned"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "σ" in done.output and "cca-map" in done.output
    shown = section(Source(lake))
    assert "a rotation" in shown.html
    pairs = lake.rows("SELECT related_by, orthogonal - greatest(orthogonal_null, 0) FROM map_pairs")
    turned = sorted(beyond for related, beyond in pairs if related == "a rotation")
    assert turned == pytest.approx([1, 1], abs=0.004)
    assert "2 by a rotation (R² beyond its null 1.00)" in shown.summary


def test_rank_correlation_ends_at_the_images_that_it_looks_at(tmp_path):
    """600 images: the last point is of 512 of them and says so, by SciPy on those."""
    made = Planted(count=600, spaces=("enc", "pixels-4"))
    lake = open_lake(made.lake(str(tmp_path / "lake")).url)
    lake.similarity(draws=1, permutations=9)
    curves = lake.rows("SELECT measure, n, value FROM similarity_curves ORDER BY n")
    counts = {measure: [n for name, n, _ in curves if name == measure] for measure, *_ in curves}
    assert counts["rank-correlation"] == [64, 256, 512] and counts["cka"] == [64, 256, 600]
    in_order = sorted(range(600), key=lambda i: hashlib.md5(made.ids[i].encode()).hexdigest())
    drawn = np.array(in_order)[np.random.default_rng(0).permutation(600)][:512]
    far = [pdist(z[drawn] - z[drawn].mean(0), "cosine") for z in (made.z["enc"], made.z["pixels-4"])]
    (value,) = [value for name, n, value in curves if name == "rank-correlation" and n == 512]
    assert value == pytest.approx(spearmanr(*far).statistic, abs=1e-3)
    done = CliRunner().invoke(app, ["similarity", lake.url, "--draws", "1", "--permutations", "9"])
    assert done.exit_code == 0, done.output
    assert "of 512 images at the most" in done.output and " 600 " in done.output
    assert section(Source(lake)) is not None


def test_of_several_computations_of_a_pair_one_is_read(lake, found, tmp_path):
    """Draws of another computation may be the very same, or of other images: they are no more of these."""
    twice = tmp_path / "lake"
    shutil.copytree(lake.url, twice)
    again = open_lake(twice)
    again.similarity("enc,turned", draws=3, permutations=10, limit=128)
    curves = "FROM similarity_curves WHERE source = 'enc' AND target = 'turned' ORDER BY ALL"
    assert again.rows(curves) == lake.rows(curves), "fewer images, so the first stays"
    again.similarity("enc,turned", draws=3, permutations=10)
    draws = "SELECT DISTINCT draws FROM similarity_curves WHERE source = 'enc' AND target = 'turned'"
    assert again.rows(draws) == [(3,)] and lake.rows(draws) == [(2,)]


def test_of_many_pairs_the_most_alike_are_named_and_the_panels_keep_their_height():
    spaces = [f"space-{place:02}" for place in range(14)]
    pairs = list(itertools.combinations(spaces, 2))
    curves = {"cka": {pair: [(64, place / 100, 0.0)] for place, pair in enumerate(pairs)}}
    colours = drawn.pair_colours(curves, {"space-13"})
    named = [pair for pair in pairs if colours[pair] in SERIES]
    assert named == [pair for pair in pairs if "space-13" not in pair][-len(SERIES) :]
    figure = Figure(figsize=(10.8, 3.4), layout="constrained")
    axes = list(figure.subplots(1, 4))
    drawn.draw(axes, curves, {"space-13"})
    figure.canvas.draw()
    assert min(axis.get_window_extent().height for axis in axes) / figure.dpi > 1.5
    assert len(figure.legends[0].get_texts()) == len(SERIES) + 2
