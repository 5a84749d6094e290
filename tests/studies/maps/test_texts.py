"""Texts under a map that was fitted on images alone; oracles: a planted rotation, scikit-learn on cosines."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from tests.helpers.lakes import write
from tests.helpers.planted import Planted, fingerprint
from une_ray.api import open as open_lake
from une_ray.cli.main import app
from une_ray.corpora import Item
from une_ray.errors import UneError
from une_ray.geometry.procrustes import random_orthogonal
from une_ray.geometry.unit import unit_rows
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.report.section import Source
from une_ray.studies.maps.section import section

TURN = random_orthogonal(10, 10, np.random.default_rng(77))


@pytest.fixture(scope="module")
def made() -> Planted:
    """`turned` is `enc` rotated."""
    made = Planted(count=300, spaces=("enc",))
    made.z["turned"] = (made.z["enc"] @ TURN).astype(np.float16).astype(float)
    return made


@pytest.fixture(scope="module")
def lake(made, tmp_path_factory):
    return open_lake(made.lake(str(tmp_path_factory.mktemp("spoken") / "lake")).url)


@pytest.fixture(scope="module")
def words(made, tmp_path_factory) -> dict[str, np.ndarray]:
    """{space: (20, 10)}: a text of each attribute's true and false class, turned by the same rotation."""
    random = np.random.default_rng(4)
    means = [made.z["enc"][labels == value].mean(0) for labels in made.labels.T for value in (True, False)]
    texts = np.array(means) + 0.2 * random.standard_normal((20, 10)) + 1
    return {"enc/text": texts, "turned/text": texts @ TURN}


@pytest.fixture(scope="module")
def texts(made, words, tmp_path_factory) -> str:
    items = [
        Item(f"{name}-{value}", "", "test", f"{name} {value}", {name: value})
        for name in made.attributes
        for value in (True, False)
    ]
    lake = create(Lake(str(tmp_path_factory.mktemp("words") / "lake")), "classes:x", iter(items), 32)
    rows = [row | {"status": "ok"} for row in lake.plan(0).to_pylist()]
    write(lake, f"images/{shard_file(0)}", rows, schema.IMAGES)
    for space, vectors in words.items():
        lake.register(space, fingerprint(space))
        made_of = [
            {
                "image_id": item.image_id,
                "status": "ok",
                "z": z.astype(np.float16),
                "norm": np.linalg.norm(z),
                "dim": 10,
            }
            for item, z in zip(items, vectors)
        ]
        write(lake, f"{space_folder(space)}/{shard_file(0)}", made_of, schema.SPACE, fingerprint(space))
    return lake.url


@pytest.fixture(scope="module")
def found(lake, texts):
    return lake.fit_map("enc", "turned", draws=2, texts=texts)


def figure(result, **wanted):
    most = max(f.anchors for f in result.figures if f.classes_fitted is None)
    (found,) = [
        f for f in result.figures if all(getattr(f, k) == v for k, v in ({"anchors": most} | wanted).items())
    ]
    return found


def test_a_rotation_of_images_is_that_of_texts(found):
    for metric in ("cosine", "centred cosine", "retrieval"):
        assert figure(found, of="texts", map="orthogonal", centred=True, metric=metric).value > 0.98
    for metric in (
        "centred cosine",
        "retrieval",
    ):  # the plain cosine is the texts' mean, which random maps know
        assert figure(found, of="texts", map="random", centred=True, metric=metric).value < 0.6
    before = figure(found, of="texts", map="identity", centred=False, metric="cosine").value
    assert before < 0.9


def test_zero_shot_across_models_is_scikit_learns_on_cosines(made, words, found):
    test = made.test
    texts = unit_rows(words["enc/text"].astype(np.float16))
    scores = unit_rows(made.z["enc"][test]) @ (texts[0::2] - texts[1::2]).T
    expected = np.mean([roc_auc_score(y, s) for y, s in zip(made.labels[test].T, scores.T)])
    alone = figure(found, of="zero-shot", map="none", metric="AUC: source alone").value
    assert alone == pytest.approx(expected, abs=2e-3)
    for name in ("mapped image, target text", "mapped image, mapped text", "target image, mapped text"):
        mapped = figure(found, of="zero-shot", map="orthogonal", centred=False, metric=f"AUC: {name}")
        assert mapped.value == pytest.approx(expected, abs=0.02)


def test_what_any_orthogonal_matrix_gives_is_marked_and_is_the_sources_own(found):
    alone = figure(found, of="zero-shot", map="none", metric="AUC: source alone").value
    for name in ("identity", "random", "orthogonal"):
        same = figure(found, of="zero-shot", map=name, centred=False, metric="AUC: mapped image, mapped text")
        assert (
            same.any_orthogonal and same.value == pytest.approx(alone, abs=1e-9) and same.text().endswith("*")
        )
    marked = [f for f in found.figures if f.any_orthogonal]
    assert {(f.of, f.centred) for f in marked} == {("zero-shot", False)}
    assert {f.metric.partition(": ")[2] for f in marked} == {"mapped image, mapped text"}


def test_a_lake_without_the_texts_is_said(lake, tmp_path):
    with pytest.raises(
        UneError, match="has no space 'enc/text'; make it with: une build --corpus classes:LAKE"
    ):
        lake.fit_map("enc", "turned", draws=2, texts=lake.url)


def test_the_command_and_the_report_show_images_and_texts(lake, texts, found):
    words = ["map", "fit", lake.url, "--from", "enc", "--to", "turned", "--draws", "2", "--texts", texts]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "texts' retrieval" in done.output and "any orthogonal matrix gives" in done.output
    assert "texts: cosine" in section(Source(lake)).html
