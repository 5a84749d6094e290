"""A list that names nothing is a slip of the caller's, and no other word for all."""

import pytest

import une_ray
from tests.helpers.planted import Planted
from une_ray.errors import UneError


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> une_ray.Lake:
    planted = Planted(count=60, spaces=("enc", "pixels-4"))
    return une_ray.open(planted.lake(str(tmp_path_factory.mktemp("named") / "lake")).url)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda lake: lake.probe([]), "an empty list names no space; .* for all: enc, pixels-4"),
        (lambda lake: lake.probe(","), "an empty list names no space"),
        (lambda lake: lake.probe(penalties=[]), "an empty list names no penalty"),
        (lambda lake: lake.edit("enc", "Smiling", alphas=[]), "an empty list names no dose"),
        (lambda lake: lake.memorization(doses=[]), "an empty list names no dose"),
        (lambda lake: lake.gaussianity([]), "an empty list names no space"),
        (lambda lake: lake.similarity([]), "an empty list names no space"),
        (lambda lake: lake.transfer([]), "an empty list names no space"),
        (lambda lake: lake.transfer("enc", []), "an empty list names no space"),
        (lambda lake: lake.disentanglement([]), "an empty list names no space"),
        (lambda lake: lake.disentanglement(codes=[]), "an empty list names no codes"),
        (lambda lake: lake.disentanglement(metrics=[]), "an empty list names no metric"),
        (lambda lake: lake.fit_map("enc", "pixels-4", classes=[]), "an empty list names no attribute"),
        (lambda lake: lake.prompt_bias(spaces=[]), "an empty list names no space"),
        (lambda lake: lake.shared_space([], "s"), "no view is named"),
        (lambda lake: lake.shared_space(None, "s"), "no view is named"),
    ],
)
def test_an_empty_list_is_refused_in_a_line(lake, ask, message):
    with pytest.raises(UneError, match=message):
        ask(lake)
