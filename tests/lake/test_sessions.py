"""Several sessions of one database, and several lakes in one session."""

import gc
from concurrent.futures import ThreadPoolExecutor

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.probed import Y, Z, evaluated, fill, same
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.lake.session import attach, connect, connect_many, cursor

SCORES = "SELECT * FROM probe_scores('enc') ORDER BY image_id, attribute"


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    return probed(fill(tmp_path_factory.mktemp("lake") / "first", Z, Y))


@pytest.fixture(scope="module")
def other(tmp_path_factory) -> Lake:
    """Another lake of the same images and other latents, whose path is a trap for what pastes it into SQL."""
    z = {"enc": np.random.default_rng(7).standard_normal(Z["enc"].shape).astype(np.float16)}
    return probed(fill(tmp_path_factory.mktemp("lake") / "it's; --", z, Y))


def probed(lake: Lake) -> Lake:
    results.commit(lake, "probes", {"rows": "ours"}, evaluated(lake))
    return lake


def table(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    return connection.sql(query).to_arrow_table()


def test_two_cursors_stream_at_once(lake):
    connection = connect(lake)
    whole = table(connection, SCORES)
    readers = [cursor(connection, lake).sql(SCORES).to_arrow_reader(50) for _ in range(2)]
    batches = list(zip(*readers, strict=True))
    assert len(batches) > 5 and all(one.equals(another) for one, another in batches)
    assert pa.Table.from_batches([one for one, _ in batches]).equals(whole)


def test_cursors_work_in_threads(lake):
    connection = connect(lake)
    whole = table(connection, SCORES)
    with ThreadPoolExecutor(4) as pool:
        tables = pool.map(lambda _: table(cursor(connection, lake), SCORES), range(8))
        assert all(one.equals(whole) for one in tables)


def test_a_cursor_has_variables_and_temporary_tables_of_its_own(lake):
    connection = connect(lake)
    one, another = cursor(connection, lake), cursor(connection, lake)
    one.execute("SET VARIABLE spaces = ['enc']")
    one.execute("CREATE TEMP TABLE mine AS SELECT 1 AS x")
    assert another.execute("SELECT getvariable('spaces')").fetchone() == (None,)
    with pytest.raises(duckdb.CatalogException):
        another.execute("FROM mine")


def test_cursors_and_relations_outlive_what_they_came_from(lake):
    connection = connect(lake)
    relation, session = connection.sql(SCORES), cursor(connection, lake)
    whole = table(connection, SCORES)
    del connection
    gc.collect()
    assert session.sql(SCORES).to_arrow_table().equals(whole) and relation.columns == whole.column_names


def test_another_lake_stands_beside_the_first_under_its_name(lake, other):
    both = connect_many({"a": lake, "b": other})
    for query in ("counts", "images", "chosen_probes", "probe_settings"):
        assert table(both, f"FROM {query} ORDER BY ALL").equals(
            table(connect(lake), f"FROM {query} ORDER BY ALL")
        )
        theirs = table(connect(other), f"FROM {query} ORDER BY ALL")
        assert table(both, f"FROM b.{query} ORDER BY ALL").equals(theirs)


@pytest.mark.parametrize(
    "call",
    [
        "nearest('enc', 'i003', 4)",
        "attribute_means('enc', 'Male')",
        "probe_scores('enc')",
        "probe_metrics('enc', by_method := 'lda')",
        "direction('enc', 'Male')",
        "agreement('enc', 'enc')",
        "entanglement('enc')",
        "orthogonalized('enc', 'Male', ['Young'])",
    ],
)
def test_its_macros_read_it(lake, other, call):
    both = connect_many({"a": lake, "b": other})
    for prefix, alone in (("", lake), ("b.", other)):
        theirs = table(connect(alone), f"FROM {call} ORDER BY ALL")
        ours = table(both, f"FROM {prefix}{call} ORDER BY ALL")
        assert len(theirs) and same(ours.to_pylist(), theirs.to_pylist())


def test_probes_of_both_are_joined(lake, other):
    query = """SELECT attribute, a.auc, b.auc FROM probes a JOIN b.probes b USING (space, attribute, method)
        WHERE space = 'enc' AND method = 'ridge' ORDER BY attribute"""
    rows = connect_many({"a": lake, "b": other}).execute(query).fetchall()
    assert [name for name, *_ in rows] == sorted(Y) and all(ours != theirs for _, ours, theirs in rows)


def test_what_is_attached_is_there_for_cursors(lake, other):
    connection = connect(lake)
    session = cursor(connection, lake)
    attach(connection, other, "b")
    assert table(session, "FROM b.counts").equals(table(connect(other), "FROM counts"))


def test_a_misspelt_name_is_an_error_in_the_other_lake_too(lake, other):
    with pytest.raises(duckdb.Error, match="no space 'gen/ddim50' with latents in this lake; it has enc$"):
        connect_many({"a": lake, "b": other}).execute("FROM b.nearest('gen/ddim50', 'i003', 4)").fetchall()


@pytest.mark.parametrize("name", ["main", "temp", "B", "b; DROP SCHEMA main", 'b"', ""])
def test_a_name_that_sql_cannot_have_is_refused(lake, other, name):
    with pytest.raises(UneError, match="can't be called"):
        attach(connect(lake), other, name)


def test_a_name_that_is_taken_is_refused(lake, other):
    connection = connect_many({"a": lake, "b": other})
    with pytest.raises(UneError, match="'b' is taken in this session"):
        attach(connection, other, "b")


def test_a_lake_that_is_not_there_is_refused_before_anything_is_attached(lake, tmp_path):
    connection = connect(lake)
    with pytest.raises(UneError, match="no lake at"):
        attach(connection, Lake(str(tmp_path)), "b")
    attach(connection, lake, "b")
