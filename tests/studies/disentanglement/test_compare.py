"""A comparison on a real corpus: grid, kill, table, and the codes as a space of a lake."""

import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.studies.disentanglement.compare import Comparison, compare, folder_of, score_one
from une_ray.studies.disentanglement.scores import read_scores
from une_ray.studies.disentanglement.training.pictures import pictures

CORPUS = "dsprites:200"
METRICS = {
    *("mig", "sap", "factor_vae", "dci_disentanglement", "dci_completeness", "dci_informativeness"),
}


class NoGrid:
    """In Ray Tune's place."""

    @staticmethod
    def run_all(*arguments) -> None:
        pytest.fail("a grid has started")


def comparison(models: str = "untrained,vae", **changes) -> Comparison:
    facts = {"corpus": CORPUS, "seeds": 1, "compute": 0.001} | changes
    return Comparison(models=[(name, {}) for name in models.split(",")], **facts)


@pytest.fixture(scope="module")
def compared(shared_ray, tmp_path_factory):
    """Two models, of which the first was measured before a kill."""
    out = tmp_path_factory.mktemp("compared")
    score_one(comparison().runs()[0], out, CORPUS)
    compare(comparison(), out)
    return out


def test_a_comparison_goes_on_and_a_finished_one_starts_no_ray(compared, monkeypatch):
    runs = comparison().runs()
    assert all({score.metric for score in read_scores(folder_of(run, compared))} == METRICS for run in runs)
    monkeypatch.setitem(sys.modules, "une_ray.studies.disentanglement.ray_grid", None)
    scores = compare(comparison(), compared)
    assert len(scores) == len(runs) * len(METRICS)
    rows = pq.read_table(compared / "comparison.parquet").to_pylist()
    assert {row["model"] for row in rows} == {"untrained", "vae"} and len(rows) == len(scores)
    assert (compared / "comparison.md").read_text().startswith("| model | seeds | MIG |")


def test_the_command_prints_a_finished_one(compared):
    words = ["compare", "--corpus", CORPUS, "--models", "untrained,vae", "--seeds", "1"]
    done = CliRunner().invoke(
        app, ["disentangle", *words, "--compute", "0.001", "--out", str(compared)], catch_exceptions=False
    )
    assert "| `vae` | 1 |" in done.stdout


def test_other_settings_in_the_same_folder_are_refused(compared):
    with pytest.raises(UneError, match="compute 0.001, not 0.002"):
        compare(comparison(compute=0.002), compared)


def test_pictures_of_a_grid_are_those_that_a_lake_decodes_up_to_a_grey_level(tmp_path, monkeypatch):
    """Pillow rounds twice, after rows and after columns."""
    fast = pictures("dsprites:40", 32, 40, tmp_path / "fast")
    monkeypatch.setattr("une_ray.studies.disentanglement.training.pictures.Factored", type("None", (), {}))
    slow = pictures("dsprites:40", 32, 40, tmp_path / "slow")
    order = [slow.names.index(name) for name in fast.names]
    decoded = {tuple(factors): image for factors, image in zip(slow.factors[:, order], slow.images)}
    assert fast.images.shape == (40, 1, 32, 32) and len(decoded) == 40
    for factors, image in zip(fast.factors, fast.images):
        assert np.abs(decoded[tuple(factors)].astype(int) - image).max() <= 1


def test_a_corpus_without_factors_or_pictures_is_refused(tmp_path):
    (tmp_path / "words.csv").write_text("prompt,Red\nrose,1\nsky,0\ngrass,0\n")
    for corpus in (f"folder:{tmp_path}", f"prompts:{tmp_path}/words.csv"):
        with pytest.raises(UneError, match="no pictures with factors"):
            pictures(corpus, 32, 10, tmp_path / "kept")


def test_an_item_without_the_others_factors_is_refused(tmp_path):
    for number in range(3):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    (tmp_path / "labels.csv").write_text("file,Red\n0.png,1\n1.png,\n2.png,-1\n")
    with pytest.raises(UneError, match=r"1\.png of folder:.* has no Red, which other items have"):
        pictures(f"folder:{tmp_path}?table={tmp_path}/labels.csv", 8, 3, tmp_path / "kept")


@pytest.mark.parametrize(
    ("corpus", "evaluated", "message"),
    [
        ("dsprites:20", None, "dsprites:20 can't be measured on: 20 rows are fewer than 20 bins need"),
        ("dsprites:1", None, "every factor of dsprites:1 has one value: shape, scale"),
        ("dsprites:40", "shapes3d:40", "shapes3d:40 has pictures of 3 channels, and the models .* on 1;"),
    ],
)
def test_what_could_not_be_measured_is_refused_before_anything_is_trained(
    corpus, evaluated, message, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "une_ray.studies.disentanglement.ray_grid", NoGrid)
    with pytest.raises(UneError, match=message):
        compare(comparison(corpus=corpus, evaluated=evaluated), tmp_path)
