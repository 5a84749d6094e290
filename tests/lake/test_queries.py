"""`queries/*.sql` answer alike in the stock shell (duckdb-cli), in DuckDB's module alone and NumPy."""

import csv
import io
import re

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.lakes import items, write
from tests.helpers.planted import Planted
from tests.helpers.stock import module, refused, typed
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.session import QUERIES, connect

Z = np.random.default_rng(0).standard_normal((10, 6)).astype(np.float16)
NEAREST = "SELECT image_id, round(cosine::DOUBLE, 4) FROM nearest('enc', 'i0', 3)"
COUNTS = "SELECT * FROM counts"
FILES = sorted(path.name for path in QUERIES.glob("*.sql") if path.name != "noisezoo.sql")


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Lake:
    """Two spaces over ten images, i9 rejected; ids, labels and z are known."""
    lake = create(Lake(str(tmp_path_factory.mktemp("lake") / "with 'quote")), "test:10", iter(items()), 4)
    for shard in range(lake.shards):
        plan = lake.plan(shard).to_pylist()
        bad = lambda row: row["image_id"] == "i9"  # noqa: E731
        write(
            lake,
            f"images/{shard_file(shard)}",
            [
                row | ({"status": "reject", "error": "empty file"} if bad(row) else {"status": "ok"})
                for row in plan
            ],
            schema.IMAGES,
        )
        for space in ("enc", "gen/ddim50"):
            rows = [
                {"image_id": row["image_id"], "status": "reject", "error": "image unreadable"}
                if bad(row)
                else {
                    "image_id": row["image_id"],
                    "status": "ok",
                    "z": z(row),
                    "norm": float(np.linalg.norm(z(row).astype(np.float32))),
                }
                for row in plan
            ]
            write(lake, f"{space_folder(space)}/{shard_file(shard)}", rows, schema.SPACE)
    return lake


def z(row) -> np.ndarray:
    return Z[int(row["image_id"][1:])]


def shell(lake: Lake, query: str) -> list[tuple]:
    return [tuple(row) for row in csv.reader(io.StringIO(typed(lake, f".mode csv\n{query};")))][1:]


@pytest.mark.parametrize(
    "query",
    [COUNTS, NEAREST, "SELECT * FROM rejects", "SELECT space, dim FROM norms", "SELECT count(*) FROM runs"],
)
def test_shell_module_and_une_sql_answer_alike(lake, query):
    ours = connect(lake).execute(query).fetchall()
    assert module(lake).execute(query).fetchall() == ours
    assert [tuple(map(str, row)) for row in ours] == [
        tuple("None" if v == "NULL" else v for v in row) for row in shell(lake, query)
    ]


def test_counts_are_per_space_and_status(lake):
    assert module(lake).execute(COUNTS).fetchall() == [
        ("enc", "ok", 9, 6),
        ("enc", "reject", 1, None),
        ("gen/ddim50", "ok", 9, 6),
        ("gen/ddim50", "reject", 1, None),
    ]


def test_nearest_is_numpys_nearest_by_cosine(lake):
    unit = Z[:9].astype(np.float64) / np.linalg.norm(Z[:9].astype(np.float64), axis=1, keepdims=True)
    cosine = unit @ unit[0]
    cosine[0] = -2
    order = np.argsort(-cosine)[:3]
    found = connect(lake).execute("SELECT image_id, cosine, caption FROM nearest('enc', 'i0', 3)").fetchall()
    assert [row[0] for row in found] == [f"i{n}" for n in order] and [row[2] for row in found] == [
        f"caption {n}" for n in order
    ]
    assert np.allclose([row[1] for row in found], cosine[order], atol=1e-6)


def test_the_packaged_query_of_means_leaves_unknown_labels_on_neither_side(tmp_path):
    made = Planted(count=120, spaces=("enc",))
    lake = made.lake(str(tmp_path / "lake"))
    connection, text = connect(lake), (QUERIES / "attribute_means.sql").read_text()
    known = np.arange(120) % 5 > 0
    unknown = {made.ids[n]: "Attribute 3" for n in np.flatnonzero(~known)}
    rows = lake.rows("SELECT image_id, attribute, value FROM attributes")
    kept = [row for row in rows if unknown.get(row[0]) != row[1]]
    connection.execute("CREATE TEMP TABLE kept (image_id VARCHAR, attribute VARCHAR, value BOOLEAN)")
    connection.executemany("INSERT INTO kept VALUES (?, ?, ?)", kept)
    connection.execute("CREATE OR REPLACE TEMP VIEW attributes AS FROM kept")
    found = {attribute: distance for _, attribute, distance in connection.execute(text).fetchall()}
    z, length = made.z["enc"], np.linalg.norm(made.z["enc"], axis=1).mean()
    for column, attribute in enumerate(made.attributes):
        on = made.labels[:, column] & (known | (column != 3))
        off = ~made.labels[:, column] & (known | (column != 3))
        gap = np.linalg.norm(z[on].mean(0) - z[off].mean(0)) / length
        assert found[attribute] == pytest.approx(gap, abs=1e-4)


def test_attribute_means_are_numpys(lake):
    found = (
        connect(lake)
        .execute("SELECT value, images, mean FROM attribute_means('gen/ddim50', 'Even')")
        .fetchall()
    )
    for value, count, mean in found:
        rows = [n for n in range(9) if (n % 2 == 0) == value]
        assert count == len(rows) and np.allclose(mean, Z[rows].astype(np.float64).mean(0))


def test_norms_stand_beside_the_gaussian_ones(lake):
    norms = np.linalg.norm(Z[:9].astype(np.float64), axis=1)
    ((mean, std, gaussian),) = (
        connect(lake)
        .execute("SELECT mean_norm, std_norm, gaussian_norm FROM norms WHERE space = 'enc'")
        .fetchall()
    )
    assert np.allclose([mean, std, gaussian], [norms.mean(), norms.std(ddof=1), np.sqrt(6)])


def test_rejects_are_told_once_with_their_reason(lake):
    assert module(lake).execute("SELECT * FROM rejects").fetchall() == [(None, "i9", "9.png", "empty file")]


@pytest.mark.parametrize("name", sorted(set(FILES) - {"orthogonalized.sql"}))
def test_every_query_file_runs_in_the_stock_shell(lake, name):
    assert typed(lake, f".read {QUERIES}/{name}")


def test_a_query_file_about_probes_says_that_there_are_none(lake):
    said = refused(lake, f".read {QUERIES}/orthogonalized.sql")
    assert "this lake has no probes yet; une probe fits them" in said


def test_nearest_of_several_images_has_the_neighbours_of_each_in_the_order_asked(lake):
    connection = connect(lake)
    alone = [
        connection.execute("FROM nearest('enc', ?, 2)", [image]).fetchall() for image in ("i4", "i0", "i8")
    ]
    together = connection.execute("FROM nearest('enc', ['i4', 'i0', 'i8'], 2)").fetchall()
    assert together == [row for rows in alone for row in rows]
    assert [row[-1] for row in together] == ["i4", "i4", "i0", "i0", "i8", "i8"]
    assert connection.execute("FROM nearest('enc', ?, 2)", [["i4", "i0", "i8"]]).fetchall() == together


@pytest.mark.parametrize("alias", ["l", "i", "p", "q", "a", "b", "query", "r"])
def test_a_caller_s_aliases_are_not_captured(lake, alias):
    asked = f"(SELECT 'enc' AS space, 'i' || n AS image_id, 'Even' AS attribute FROM range(2) t(n)) {alias}"
    connection = connect(lake)
    columns = f"{alias}.image_id, found.image_id"
    nearest = f"SELECT {columns} FROM {asked}, nearest({alias}.space, {alias}.image_id, 2) found ORDER BY ALL"
    expected = [
        (image, neighbour)
        for image in ("i0", "i1")
        for (neighbour,) in connection.execute(
            "SELECT image_id FROM nearest('enc', ?, 2) ORDER BY image_id", [image]
        ).fetchall()
    ]
    assert connection.execute(nearest).fetchall() == expected
    means = f"attribute_means({alias}.space, {alias}.attribute)"
    means = f"SELECT found.* FROM {asked}, {means} found WHERE image_id = 'i0'"
    assert sorted(connection.execute(means).fetchall()) == sorted(
        connection.execute("FROM attribute_means('enc', 'Even')").fetchall()
    )


MISSPELT = {
    "FROM nearest('enk', 'i0', 3)": "no space 'enk' with latents in this lake; it has enc, gen/ddim50",
    "FROM nearest('enc', 'i9', 3)": "no latent of image 'i9' in space 'enc'; its image ids go from i0 to i8",
    "FROM nearest('enc', ['i0', 'j1'], 3)": "no latent of image 'j1' in space 'enc'",
    "FROM nearest('enc', NULL, 3)": "no latent of image 'NULL' in space 'enc'",
    "FROM attribute_means('Enc', 'Even')": "no space 'Enc' with latents in this lake; it has enc, gen/ddim50",
    "FROM attribute_means('enc', 'even')": "no attribute 'even' in this lake; it has Even",
    "FROM attribute_means(NULL, 'Even')": "no space 'NULL' with latents in this lake",
}


@pytest.mark.parametrize("query", MISSPELT)
@pytest.mark.parametrize("form", ["{}", "SELECT count(*) {}", "{} LIMIT 1", "SELECT 1 {} WHERE 1 = 1"])
def test_a_misspelt_name_is_an_error_with_the_names_that_there_are(lake, query, form):
    with pytest.raises(duckdb.Error, match=re.escape(MISSPELT[query])):
        connect(lake).execute(form.format(query)).fetchall()


def test_an_error_is_one_whatever_the_caller_filters(lake):
    for column in ("image_id", "caption"):
        with pytest.raises(duckdb.Error, match="no space 'enk'"):
            connect(lake).execute(f"FROM nearest('enk', 'i0', 3) WHERE {column} = 'x'").fetchall()


def test_the_stock_shell_says_what_is_misspelt_too(lake):
    said = refused(lake, ";\n".join(MISSPELT) + ";")
    assert all(message in said for message in MISSPELT.values()), said


def test_a_fresh_lake_answers_with_no_rows(tmp_path):
    fresh = create(Lake(str(tmp_path / "lake")), "test:10", iter(items()), 4)
    for view in ("images", "latents", "attributes", "factors", "rejects", "runs", "counts", "norms"):
        assert module(fresh).execute(f"SELECT * FROM {view}").fetchall() == [], view


def test_latents_are_stored_as_plain_float16(lake):
    file = pa.parquet.ParquetFile(lake.store.path(f"{space_folder('enc')}/{shard_file(0)}"))
    column = next(
        file.metadata.row_group(0).column(i)
        for i in range(file.metadata.num_columns)
        if file.metadata.row_group(0).column(i).path_in_schema.startswith("z.")
    )
    assert file.schema_arrow.field("z").type == pa.list_(pa.float16()) and column.compression == "ZSTD"
    assert not column.has_dictionary_page and "BYTE_STREAM_SPLIT" not in column.encodings
