"""Captions under a map that was fitted on pictures; oracles: a planted rotation, NumPy on the arrays."""

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.helpers.planted import Planted
from une_ray.api import open as open_lake
from une_ray.cli.main import app
from une_ray.errors import UneError
from une_ray.geometry.procrustes import random_orthogonal
from une_ray.geometry.unit import unit_rows
from une_ray.report.section import Source
from une_ray.studies.maps.section import section

TEXTS = 40


def spoken() -> Planted:
    """`turned` is `enc` rotated, and so are its captions, of which forty are shared by all images."""
    made, random = Planted(count=400, spaces=("enc",)), np.random.default_rng(5)
    turn = random_orthogonal(10, 10, random)
    unit = unit_rows(made.z["enc"] - made.z["enc"].mean(0))
    number = (unit @ unit[:TEXTS].T).argmax(1)
    made.captions = [f"as picture {n}" for n in number]
    texts = made.z["enc"][number] + 1.5
    made.z |= {"turned": made.z["enc"] @ turn, "enc/text": texts, "turned/text": texts @ turn}
    made.z = {space: z.astype(np.float16).astype(float) for space, z in made.z.items()}
    return made


@pytest.fixture(scope="module")
def made() -> Planted:
    return spoken()


@pytest.fixture(scope="module")
def lake(made, tmp_path_factory):
    lacking = {"turned/text": {str(made.ids[made.test][0])}}
    return open_lake(made.lake(str(tmp_path_factory.mktemp("captioned") / "lake"), lacking).url)


@pytest.fixture(scope="module")
def found(lake):
    return lake.fit_map("enc", "turned", draws=2)


def figure(result, **wanted):
    most = max(f.anchors for f in result.figures if f.classes_fitted is None)
    wanted = {"of": "captions", "anchors": most} | wanted
    (found,) = [f for f in result.figures if all(getattr(f, k) == v for k, v in wanted.items())]
    return found


def test_a_rotation_of_pictures_is_that_of_their_captions_and_a_random_one_is_not(found):
    for metric in ("cosine", "centred cosine", "retrieval"):
        assert figure(found, map="orthogonal", centred=True, metric=metric).value > 0.98
    assert figure(found, map="random", centred=True, metric="centred cosine").value < 0.6
    assert figure(found, map="random", centred=True, metric="retrieval").value < 0.3


def test_an_image_finds_its_caption_as_often_as_the_model_alone_does_by_numpy(made, found):
    asked = made.test & (made.ids != made.ids[made.test][0])
    said = np.array(made.captions)[asked]
    distinct, first = np.unique(said, return_index=True)
    images, texts = (unit_rows(made.z[space][asked]) for space in ("enc", "enc/text"))
    nearest = (images @ texts[first].T).argmax(1)
    expected = (distinct[nearest] == said).mean()
    assert 0.3 < expected < 1
    alone = figure(found, map="none", metric="retrieval: source alone")
    assert alone.value == pytest.approx(expected) and alone.items == asked.sum()
    assert figure(found, map="orthogonal", centred=True, metric="cosine").items == len(distinct)
    for name in ("mapped image, target text", "mapped image, mapped text", "target image, mapped text"):
        mapped = figure(found, map="orthogonal", centred=False, metric=f"retrieval: {name}")
        assert mapped.value == pytest.approx(expected, abs=0.08)
        assert mapped.any_orthogonal == (name == "mapped image, mapped text")
    unmoved = figure(found, map="random", centred=False, metric="retrieval: mapped image, mapped text")
    assert unmoved.value == alone.value and unmoved.text().endswith("*")
    crossed = figure(found, map="random", centred=False, metric="retrieval: mapped image, target text")
    assert crossed.value < 0.2


def test_a_lake_of_captions_in_one_of_the_models_alone_is_asked_of_images(made, tmp_path):
    made = spoken()
    del made.z["turned/text"]
    result = open_lake(made.lake(str(tmp_path / "lake")).url).fit_map("enc", "turned", draws=2)
    assert not any(f.of == "captions" for f in result.figures) and not result.settings.with_captions


def test_captions_of_train_images_alone_are_not_asked_and_that_is_said(made, tmp_path, capsys):
    lacking = {"turned/text": {str(image_id) for image_id in made.ids[made.test]}}
    result = open_lake(made.lake(str(tmp_path / "lake"), lacking).url).fit_map("enc", "turned", draws=2)
    assert not any(f.of == "captions" for f in result.figures) and len(result.figures)
    assert "captions are not asked: enc, turned, enc/text, turned/text share" in capsys.readouterr().err


def test_the_command_and_the_report_show_captions(lake, found):
    words = ["map", "fit", lake.url, "--from", "enc", "--to", "turned", "--draws", "2"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "distinct captions of the test images" in done.output and "its → mapped" in done.output
    shown = section(Source(lake)).html
    assert "captions: cosine" in shown and "retrieval: target image, mapped text" in shown


def test_captions_of_the_very_images_are_no_class_prompts(lake):
    with pytest.raises(UneError, match="400 items of 'enc/text' .* no prompts; .* of a corpus classes:LAKE"):
        lake.fit_map("enc", "turned", draws=2, texts=lake.url)
