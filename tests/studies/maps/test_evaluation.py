"""What a fitted map is asked; oracle: cosines before and after, on planted rows."""

from dataclasses import replace

import numpy as np
import pytest

from une_ray.geometry.peers import PEERS, Anchors
from une_ray.geometry.unit import unit_rows
from une_ray.studies.maps.classes import NO_CLASS, classes_of
from une_ray.studies.maps.evaluation import Pairs, image_figures
from une_ray.studies.maps.study import _by_class
from une_ray.studies.maps.texts import ClassTexts, text_figures


def planted(source: int, target: int, count: int = 80) -> Pairs:
    """Rows of two spaces that share eight dimensions, of two classes."""
    random = np.random.default_rng(source + target)
    hidden = random.standard_normal((count, 8))
    a, b = (
        unit_rows(hidden @ random.standard_normal((8, dim)) + random.standard_normal((count, dim)))
        for dim in (source, target)
    )
    labels = (hidden[:, :1] > 0).astype(float)
    return Pairs(a=a, b=b, classes=labels[:, 0].astype(int), labels=labels)


@pytest.mark.parametrize(
    ("source", "target", "anchors"), [(12, 16, 40), (12, 16, 5), (12, 12, 40), (12, 12, 5), (16, 12, 40)]
)
def test_a_figure_is_marked_where_mapped_rows_keep_their_cosines_and_nowhere_else(source, target, anchors):
    pairs = planted(source, target)
    texts = ClassTexts(attributes=("A",), a=pairs.a[:2], b=pairs.b[:2])
    for (name, centred), fit in PEERS.items():
        if name == "mlp":
            continue
        fitted = fit(Anchors(a=pairs.a[:anchors], b=pairs.b[:anchors]))
        mapped = unit_rows(fitted.source(pairs.a))
        keeps = np.abs(mapped @ mapped.T - pairs.a @ pairs.a.T).max() < 1e-9
        marked = {f.metric.partition(": ")[2] for f in text_figures(fitted, texts, pairs) if f.any_orthogonal}
        assert marked == ({"mapped image, mapped text"} if keeps else set()), (name, centred)


@pytest.mark.parametrize("anchors", [15, 16, 17])
def test_what_is_compared_in_a_third_space_has_no_centred_cosine_of_any_width(anchors):
    """Relative representations have a coordinate for each anchor, and the target is sixteen wide."""
    pairs = planted(12, 16)
    for (name, centred), fit in PEERS.items():
        if name == "mlp":
            continue
        fitted = fit(Anchors(a=pairs.a[:anchors], b=pairs.b[:anchors]))
        metrics = {figure.metric for figure in image_figures(fitted, pairs, pairs.b.mean(0))}
        assert ("centred cosine" in metrics) == (name != "relative"), (name, centred)
        assert {"cosine", "retrieval", "class retrieval"} <= metrics


def test_what_has_an_unknown_label_is_in_no_class():
    labels = np.array([[0, 1], [1, 1], [np.nan, 1], [0, 1], [1, np.nan], [0, 0]])
    classes = classes_of(labels)
    assert classes[[2, 4]].tolist() == [NO_CLASS] * 2
    assert classes[0] == classes[3] and len(set(classes.tolist())) == 4
    pairs, without = planted(12, 12), np.arange(80) % 3 > 0
    fitted = PEERS["orthogonal", True](Anchors(a=pairs.a, b=pairs.b))
    some = replace(pairs, classes=np.where(without, pairs.classes, NO_CLASS))
    asked, due = (
        next(f for f in image_figures(fitted, part, pairs.b.mean(0)) if f.metric == "class retrieval")
        for part in (some, pairs.of(without))
    )
    assert asked == due and asked.items == without.sum()


def test_maps_of_some_classes_are_fitted_on_no_image_without_one():
    random = np.random.default_rng(0)
    pairs = planted(12, 12)
    pairs = replace(pairs, classes=random.integers(0, 8, 80))
    some = replace(pairs, classes=np.where(np.arange(80) < 20, NO_CLASS, pairs.classes))
    left = pairs.of(np.arange(80) >= 20)
    rows = [
        list(_by_class(part, part, pairs.b.mean(0), 0, np.random.default_rng(1))) for part in (some, left)
    ]
    assert rows[0] == rows[1] and rows[0]
