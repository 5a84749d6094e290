"""What SQL shows of a lake does not depend on where the lake lies."""

import shutil

import pytest

from tests.helpers.lakes import fill, items, keys_of, rows_of_every_view
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.session import connect


def test_no_view_depends_on_the_folders_above_a_lake(tmp_path):
    """hive_partitioning would take split=train in the path for a column of every table."""
    plain = tmp_path / "plain" / "lake"
    fill(create(Lake(str(plain)), "x:1", iter(items(10)), 4))
    expected = rows_of_every_view(str(plain))
    keys = keys_of(expected)
    assert len(keys) > 30
    above = tmp_path
    for key in keys:  # all at once, then a few alone
        above = above / f"{key}=train"
    for parent in (
        above,
        *(tmp_path / f"{key}=7" for key in ("split", "space", "status", "attribute", "image_id")),
    ):
        lake = parent / "lake"
        shutil.copytree(plain, lake)
        assert rows_of_every_view(str(lake)) == expected, parent
        shutil.rmtree(lake)


@pytest.mark.parametrize("key", ["content", "filename"])
def test_folders_that_duckdb_fails_below_are_refused(key, tmp_path):
    lake = Lake(str(tmp_path / f"{key}=x" / "lake"))
    with pytest.raises(UneError, match=f"takes the folder {key}=x for a column"):
        create(lake, "x:1", iter(items(4)), 4)
    with pytest.raises(UneError, match=f"{key}=x"):
        connect(lake)
