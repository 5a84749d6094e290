"""`queries/*.sql` answer alike in the stock shell (duckdb-cli), in DuckDB's module without our code, and in NumPy."""

import csv
import io

import numpy as np
import pyarrow as pa
import pytest

from tests.helpers.lakes import items, write
from tests.helpers.stock import module, typed
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


@pytest.mark.parametrize("name", FILES)
def test_every_query_file_runs_in_the_stock_shell(lake, name):
    assert typed(lake, f".read {QUERIES}/{name}")


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
