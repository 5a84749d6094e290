"""What a corpus says beside attributes and factors: kept as text, in the lake, in SQL and in tables."""

import pytest

import une_ray
from tests.helpers.lakes import fill, of_before
from une_ray.corpora import Item
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.verify import verify

PEOPLE = "test:60"


def people(count: int = 60) -> list[Item]:
    """Three pictures of each person; the last two say nobody."""
    return [
        Item(
            f"i{n}",
            f"{n}.png",
            "train" if n % 6 < 4 else "test",
            attributes={"Even": n % 2 == 0},
            metadata={"age": str(20 + n)} | ({"person": f"p{n // 3}"} if n < count - 2 else {}),
        )
        for n in range(count)
    ]


def test_metadata_is_in_sql_and_in_a_spaces_table(tmp_path):
    lake = fill(create(Lake(str(tmp_path)), PEOPLE, iter(people()), 16))
    assert "plan" in next(iter(verify(lake)))
    opened = une_ray.open(tmp_path)
    assert opened.sql("SELECT metadata['person'] FROM images WHERE image_id = 'i7'").fetchall() == [("p2",)]
    counted = opened.sql("SELECT key, count(*) FROM metadata GROUP BY key ORDER BY key").fetchall()
    assert counted == [("age", 59), ("person", 57)]  # i3 is a reject
    table = opened.space("a/b").table()
    assert table.column_names == [
        *("image_id", "split", "caption", "Even"),
        *("metadata.age", "metadata.person", "z"),
    ]
    assert table["metadata.person"].to_pylist()[-3:] == ["p19", None, None]


def test_changed_metadata_is_another_corpus(tmp_path):
    create(Lake(str(tmp_path)), PEOPLE, iter(people()), 16)
    create(Lake(str(tmp_path)), PEOPLE, iter(people()), 16)
    changed = [*people()[:-1], Item("i59", "59.png", "test", attributes={"Even": False})]
    with pytest.raises(UneError, match="'i59'; the metadata of the first was"):
        create(Lake(str(tmp_path)), PEOPLE, iter(changed), 16)


def test_a_lake_of_before_is_read_and_built_on_of_before(tmp_path):
    """Also where its corpus has metadata by now."""
    bare = [Item(i.image_id, i.source, i.split, attributes=i.attributes) for i in people()]
    lake = of_before(fill(create(Lake(str(tmp_path)), PEOPLE, iter(bare), 16)))
    plan_hash = lake.manifest["plan_sha256"]
    assert len(list(verify(lake))) == 3
    assert lake.rows("SELECT DISTINCT metadata, metadata['person'] FROM images") == [({}, None)]
    assert lake.rows("FROM metadata") == []
    again = create(Lake(str(tmp_path)), PEOPLE, iter(people()), 16)
    assert again.manifest["plan_sha256"] == plan_hash
    assert une_ray.open(tmp_path).space("a/b").table().column_names[-2:] == ["Even", "z"]


def test_an_images_table_of_a_plan_without_metadata_has_none(tmp_path):
    from une_ray.corpora.base import Unreadable
    from une_ray.run.shard import images_table

    plan = create(Lake(str(tmp_path)), PEOPLE, iter(people()), 60).plan(0)
    contents = [Unreadable("gone")] * 60
    assert images_table(plan, contents)["metadata"].to_pylist() == plan["metadata"].to_pylist()
    assert not any(images_table(plan.drop_columns(["metadata"]), contents)["metadata"].to_pylist())
