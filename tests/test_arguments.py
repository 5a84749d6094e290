"""A wrong kind of argument is named, with what it must be, before anything is done."""

import inspect
import re

import numpy as np
import pytest

import une_ray
from tests.helpers.lakes import fill, items
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.paired import check_split_seed


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> une_ray.Lake:
    url = fill(create(Lake(str(tmp_path_factory.mktemp("lake"))), "test:10", iter(items()), 4)).url
    return une_ray.open(url)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda lake: lake.probe(splits="five"), "splits is 'five'; it must be a whole number"),
        (lambda lake: lake.probe(permutations="0"), "permutations is '0'; it must be a whole number"),
        (lambda lake: lake.probe(splits=True), "splits is True; it must be a whole number"),
        (lambda lake: lake.probe(3), "spaces is 3; it must be a name or a list of names"),
        (lambda lake: lake.probe([None]), "spaces is [None]; it must be a name or a list of names"),
        (lambda lake: lake.probe(penalties="1"), "penalties is '1'; it must be a number or a list"),
        (lambda lake: lake.probe(method=None), "method is None; it must be one text"),
        (lambda lake: lake.shared_space("a/b", "s", dim=2.5), "dim is 2.5; it must be a whole number"),
        (lambda lake: lake.shared_space("a/b", "s", split_seed="0"), "split_seed is '0'; it must be"),
        (lambda lake: lake.edit("a/b", "Even", alphas="-2,2"), "alphas is '-2,2'; it must be a list of numb"),
        (lambda lake: lake.edit("a/b", "Even", alphas=0), "alphas is 0; it must be a list of numbers"),
        (lambda lake: lake.edit("a/b", ["Even"]), "attribute is ['Even']; it must be one text"),
        (lambda lake: lake.edit("a/b", "Even", image_ids=[1]), "image_ids is [1]; it must be a name or"),
        (lambda lake: lake.prompt_bias("a man|a woman"), "poles is 'a man|a woman'; it must be a list of"),
    ],
)
def test_a_wrong_kind_is_said_with_the_argument(lake, ask, message):
    with pytest.raises(UneError, match=re.escape(message)):
        ask(lake)


def test_arrays_and_their_numbers_are_as_good_as_lists(lake):
    with pytest.raises(UneError, match="unknown space 'c/d'"):
        lake.probe(np.array(["c/d"]), splits=np.int64(1), penalties=np.geomspace(0.1, 1, 2))
    with pytest.raises(UneError, match="unknown space 'c/d'"):
        lake.edit("c/d", "Even", alphas=np.linspace(-1, 1, 3), image_ids=(i for i in ("i1",)))


def test_what_python_says_itself_stays(lake):
    with pytest.raises(TypeError, match="unexpected keyword argument 'penalty'"):
        lake.probe(penalty=1)
    assert "penalties" in inspect.signature(lake.probe).parameters


def test_a_split_seed_is_shown_as_it_came():
    with pytest.raises(UneError, match="split seed '0': there are 5 folds"):
        check_split_seed("0")
