"""A wrong kind of argument is named, with what it must be, before anything is done."""

import inspect
import re
from pathlib import Path

import duckdb
import numpy as np
import pytest

import une_ray
from tests.helpers.lakes import fill, items
from tests.helpers.planted import Planted
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
        (lambda lake: lake.space(None), "name is None; it must be one text"),
        (lambda lake: lake.remove_space(3), "name is 3; it must be one text"),
        (lambda lake: lake.rename_space("a/b", None), "to is None; it must be one text"),
        (lambda lake: lake.picture(7), "image_id is 7; it must be one text"),
        (lambda lake: lake.sql(None), "the query is None; a first one is 'FROM counts'"),
        (lambda lake: lake.sql(" "), "the query is ' '; a first one is 'FROM counts'"),
        (lambda lake: lake.verify(recompute="1"), "recompute is '1'; it must be a whole number"),
        (lambda lake: lake.report(3), "out is 3; it must be a path"),
        (lambda lake: next(lake.space("a/b").blocks(rows="x")), "rows is 'x'; it must be a whole number"),
        (lambda lake: next(lake.space("a/b").blocks(rows=0)), "blocks of 0 rows; ask for 1 or more"),
        (lambda lake: lake.space("a/b").export(None), "path is None; it must be a path"),
        (lambda lake: lake.probe("a/b", permutations=-1), "-1 permutations; 0 or more"),
        (lambda lake: une_ray.open(None), "url is None; it must be a path"),
        (lambda lake: une_ray.open(lake.url, other=None), "other is None; it must be a path"),
        (lambda lake: une_ray.open(lake.url, 3), "others is 3; it must be a path"),
        (lambda lake: une_ray.build("avatars:4", ["a"], None), "lake is None; it must be a path"),
        (lambda lake: une_ray.build(Path("photos"), ["a"], "x"), "it must be one text"),
        (
            lambda lake: une_ray.build("avatars:4", [None], "x"),
            "spaces is [None]; it must be a name or a list",
        ),
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


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8])
def test_numbers_of_numpy_are_stored_and_asked_for_as_pythons(tmp_path, kind):
    lake = une_ray.open(Planted(count=400, spaces=("enc", "gen/ddim50")).lake(str(tmp_path / "lake")).url)
    asked = lake.probe("enc", splits=kind(1), permutations=kind(2), penalties=np.float32(0.25))
    assert asked.configs == lake.probe(np.array(["enc"]), splits=1, permutations=2, penalties=[0.25]).configs
    assert lake.similarity(draws=kind(2), permutations=kind(9)).table.num_rows
    assert lake.fit_map("gen/ddim50", "enc", draws=kind(2), split_seed=kind(0)).settings.draws == 2
    ((found,),) = lake.sql("SELECT $least + 1", {"least": kind(2)}).fetchall()
    assert found == 3 and lake.sql(duckdb.extract_statements("SELECT 1")[0]).fetchall() == [(1,)]
    shared = lake.shared_space(("gen/ddim50", "enc"), "both", dim=kind(4), ridge=np.float32(0.5))
    assert shared.settings.ridge == 0.5 and lake.verify(recompute=kind(0))


def test_what_python_says_itself_stays(lake):
    with pytest.raises(TypeError, match="unexpected keyword argument 'penalty'"):
        lake.probe(penalty=1)
    assert "penalties" in inspect.signature(lake.probe).parameters


def test_a_split_seed_is_shown_as_it_came():
    with pytest.raises(UneError, match="split seed '0': there are 5 folds"):
        check_split_seed("0")
