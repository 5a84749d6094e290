"""Merged files that do not hold what they say: `une verify` names the file, and what deleting it costs."""

import json

import pyarrow as pa
import pytest

from tests.helpers.lakes import fill, items
from une_ray.errors import UneError
from une_ray.lake import schema
from une_ray.lake.compact import compact
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.verify import verify

SPACE = space_folder("a/b")


@pytest.fixture
def lake(tmp_path) -> Lake:
    return fill(create(Lake(str(tmp_path / "lake")), "made-up:40", iter(items(40)), 4))


def damaged(lake: Lake, folder: str, change=lambda table: table, rows: str | None = None) -> None:
    """Write a folder's merged file anew: its table changed, with such `rows_of_shards`."""
    name = f"{folder}/merged-00000-00009.parquet"
    table = lake.read_table(name)
    said = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    del said["rows_of_shards"]
    said |= {"rows_of_shards": rows} if rows else {}
    lake.store.commit(name, schema.parquet(change(table.replace_schema_metadata(None)), said))


EACH = json.dumps([4] * 10)
DAMAGES = {
    "rows of no shard": (
        lambda lake: damaged(lake, SPACE, lambda table: pa.concat_tables([table, table[:4]]), EACH),
        "a%2Fb/merged-00000-00009.parquet holds 44 rows of 10 shards, and says that 10 have 40: it is",
    ),
    "the same of images": (
        lambda lake: damaged(lake, "images", lambda table: pa.concat_tables([table, table[:4]]), EACH),
        "images/merged-00000-00009.parquet holds 44 rows of 10 shards, and says that 10 have 40",
    ),
    "a shard too few": (
        lambda lake: damaged(lake, SPACE, rows=json.dumps([4] * 8 + [8])),
        "holds 40 rows of 10 shards, and says that 9 have 40: .* shards 0 to 9 are made anew",
    ),
    "a shard too many": (
        lambda lake: damaged(lake, SPACE, rows=json.dumps([4] * 10 + [0])),
        "and says that 11 have 40",
    ),
    "no word of the rows": (
        lambda lake: damaged(lake, SPACE),
        "holds 40 rows of 10 shards, and does not say how many each has: it is damaged; delete it and build",
    ),
    "no numbers": (lambda lake: damaged(lake, SPACE, rows='["4"]'), "does not say how many each has"),
    "rows of a neighbour": (
        lambda lake: damaged(lake, SPACE, rows=json.dumps([3, 5] + [4] * 8)),
        r"a%2Fb/merged-00000-00009.parquet \(shard 0\): 3 rows for 4 planned ids",
    ),
    "a changed caption": (
        lambda lake: damaged(
            lake, "images", lambda t: t.set_column(2, "caption", pa.array(["other"] * len(t))), EACH
        ),
        r"images/merged-00000-00009.parquet \(shard 0\): caption is not what the plan says; delete the file"
        " and build again: shards 0 to 9, 40 images, are made anew",
    ),
    "a cut file": (
        lambda lake: lake.store.commit(f"{SPACE}/merged-00000-00009.parquet", b"PAR1 cut"),
        r"merged-00000-00009.parquet \(shard 0\) is not readable Parquet .* 0 to 9, 40 images, are made",
    ),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_verify_names_a_merged_file_that_is_damaged_and_what_it_costs(lake, what):
    damage, message = DAMAGES[what]
    list(compact(lake, grace=0))
    assert list(verify(Lake(lake.url)))
    damage(lake)
    with pytest.raises(UneError, match=message):
        list(verify(Lake(lake.url)))
