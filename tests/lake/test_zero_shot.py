"""`zero_shot` and `class_vectors` in SQL against NumPy and scikit-learn, on planted vectors."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from tests.helpers.lakes import write
from une_ray.corpora import Item
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder

ATTRIBUTES, DIM, IMAGES, TEMPLATES = ("A", "B", "C"), 6, 120, 3


def filled(url, corpus: str, items: list[Item], space: str, vectors: np.ndarray) -> Lake:
    lake = create(Lake(str(url)), corpus, iter(items), len(items))
    rows = [row | {"status": "ok"} for row in lake.plan(0).to_pylist()]
    write(lake, f"images/{shard_file(0)}", rows, schema.IMAGES, {"model": space, "kind": "clip"})
    return seen_by(lake, items, space, vectors)


def seen_by(lake: Lake, items: list[Item], space: str, vectors: np.ndarray) -> Lake:
    fingerprint = {"model": space, "kind": "clip"}
    lake.register(space, fingerprint)
    readings = [
        {
            "image_id": item.image_id,
            "status": "ok",
            "z": z,
            "norm": float(np.linalg.norm(z.astype(np.float32))),
        }
        for item, z in zip(items, vectors.astype(np.float16))
    ]
    write(lake, f"{space_folder(space)}/{shard_file(0)}", readings, schema.SPACE, fingerprint)
    return lake


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A lake of pictures, one of class prompts, and what they were made of."""
    folder, generator = tmp_path_factory.mktemp("zero-shot"), np.random.default_rng(0)
    poles = {(name, value): generator.normal(size=DIM) for name in ATTRIBUTES for value in (True, False)}
    prompts = [
        (Item(f"{name}-{value}-{n}", "", "test", f"{name} {value} {n}", {name: value}), scale)
        for name, value in poles
        for n, scale in enumerate((0.2, 1.0, 7.0))
    ]
    texts = np.stack(
        [
            scale * (poles[next(iter(item.attributes.items()))] + 0.3 * generator.normal(size=DIM))
            for item, scale in prompts
        ]
    )
    labels = generator.random((IMAGES, 3)) < 0.4
    pictures = [
        Item(f"i{n}", "", "test" if n % 3 else "train", None, dict(zip(ATTRIBUTES, map(bool, row))))
        for n, row in enumerate(labels)
    ]
    z = generator.normal(size=(IMAGES, DIM)) + sum(
        np.where(labels[:, [i]], poles[name, True], poles[name, False]) for i, name in enumerate(ATTRIBUTES)
    )
    z *= generator.lognormal(size=(IMAGES, 1))
    lake = filled(folder / "faces", "a", pictures, "clip", z)
    classes = filled(folder / "classes", "b", [item for item, _ in prompts], "clip/text", texts)
    return lake, classes, z.astype(np.float16).astype(float), labels, texts.astype(np.float16).astype(float)


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def weights(texts: np.ndarray) -> np.ndarray:
    """(3, DIM): per attribute, the averaged and normalised templates of the true less those of the false."""
    vectors = unit(unit(texts).reshape(3, 2, TEMPLATES, DIM).mean(2))
    return vectors[:, 0] - vectors[:, 1]


def test_zero_shot_is_what_scikit_learn_says_of_cosines(planted):
    lake, classes, z, labels, texts = planted
    tested = np.arange(IMAGES) % 3 > 0
    scores = unit(z[tested]) @ weights(texts).T
    query = (
        "SELECT attribute, test, accuracy, auc, majority FROM zero_shot('clip', 'clip/text', in_lake := ?)"
    )
    rows = {row[0]: row[1:] for row in lake.rows(query, [classes.url])}
    for i, name in enumerate(ATTRIBUTES):
        y = labels[tested, i]
        expected = (
            accuracy_score(y, scores[:, i] > 0),
            roc_auc_score(y, scores[:, i]),
            max(y.mean(), 1 - y.mean()),
        )
        assert rows[name][0] == tested.sum() and np.allclose(rows[name][1:], expected, atol=1e-9)


def test_the_shuffled_control_judges_by_other_attributes_prompts(planted):
    lake, classes, z, labels, texts = planted
    tested = np.arange(IMAGES) % 3 > 0
    scores = unit(z[tested]) @ weights(texts).T
    query = "SELECT attribute, shuffled_auc FROM zero_shot('clip', 'clip/text', in_lake := ?)"
    for name, shuffled in lake.rows(query, [classes.url]):
        i = ATTRIBUTES.index(name)
        others = [roc_auc_score(labels[tested, i], scores[:, j]) for j in range(3) if j != i]
        assert shuffled == pytest.approx(np.mean(others))  # three attributes have two such reassignments


def test_an_unknown_space_or_lake_without_prompts_is_said(planted):
    lake, classes, *_ = planted
    import duckdb

    for arguments, message in [
        ("'clap', 'clip/text', in_lake := ?", "no space 'clap'.*clip"),
        ("'clip', 'clip/texts', in_lake := ?", "no space 'clip/texts' of captions.*clip/text"),
    ]:
        with pytest.raises(duckdb.InvalidInputException, match=message):
            lake.rows(f"FROM zero_shot({arguments})", [classes.url])


def test_prompts_of_other_attributes_than_the_lakes_are_refused_with_both(planted, tmp_path):
    _, classes, z, *_ = planted
    import duckdb

    for labels, message in [
        ({"Shiny": True}, "'clip/text' are of A, B, C, and no picture .* label of these; it has Shiny"),
        ({}, "label of these; it has no attributes"),
    ]:
        pictures = [Item(f"i{n}", "", "test", None, labels) for n in range(IMAGES)]
        other = filled(tmp_path / message[-5:], "c", pictures, "clip", z)
        with pytest.raises(duckdb.InvalidInputException, match=message):
            other.rows("FROM zero_shot('clip', 'clip/text', in_lake := ?)", [classes.url])


def test_texts_of_another_width_are_refused_with_both(planted, tmp_path):
    import duckdb

    lake, *_ = planted
    prompts = [Item(f"{value}", "", "test", "a", {"A": value}) for value in (True, False)]
    wide = filled(tmp_path / "wide", "c", prompts, "other/text", np.ones((2, DIM + 1)))
    with pytest.raises(
        duckdb.InvalidInputException, match=f"'clip' has {DIM} .*'other/text' {DIM + 1}: .*map"
    ):
        lake.rows("FROM zero_shot('clip', 'other/text', in_lake := ?)", [wide.url])


@pytest.mark.parametrize("where", ["in this lake", "named", "in another lake"])
def test_captions_of_the_pictures_that_are_judged_are_no_prompts(tmp_path, where):
    """Labels are coins, captions say what the pictures show: an AUC beyond a half is the labels' own."""
    import duckdb

    random = np.random.default_rng(0)
    items = [
        Item(f"i{n}", "", "test", f"face {n}", {name: bool(random.random() < 0.5) for name in ATTRIBUTES})
        for n in range(60)
    ]
    z = random.normal(size=(60, DIM))
    lake = filled(tmp_path / "faces", "a", items, "clip", z)
    captions = filled(tmp_path / "said", "b", items, "clip/text", z) if where == "in another lake" else lake
    if captions is lake:
        seen_by(lake, items, "clip/text", z + 0.3 * random.normal(size=z.shape))
    named = "" if where == "in this lake" else f", in_lake := '{captions.url}'"
    with pytest.raises(
        duckdb.InvalidInputException, match=r"60 items .*'i0'.*no prompts.*classes:LAKE.*in_lake"
    ):
        lake.rows(f"FROM zero_shot('clip', 'clip/text'{named})")
    assert len(lake.rows("FROM class_vectors('clip/text', in_lake := ?)", [captions.url])) == 6
