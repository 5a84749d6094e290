"""DuckDB over a lake: the views of `queries/noisezoo.sql`, the same that the stock `duckdb` shell reads, with scores by BLAS."""

from __future__ import annotations

from pathlib import Path

import duckdb

from une_ray.lake.layout import Lake
from une_ray.lake.products import use_blas
from une_ray.lake.results import write_empty_tables

QUERIES = Path(__file__).resolve().parents[1] / "queries"  # `queries/` of a checkout is a link to it


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with `lake` set and every view and macro defined. Raises UneError where there is no lake."""
    lake.manifest  # noqa: B018 - refuses a missing or newer lake before DuckDB fails in its own words
    connection = connect_bare(lake)
    connection.execute("SET VARIABLE lake = ?", [duckdb_path(lake, lake.store.root)])
    views = (QUERIES / "noisezoo.sql").read_text()
    try:
        connection.execute(views)
    except duckdb.IOException:  # a table that the lake's maker did not know yet
        write_empty_tables(lake)
        connection.execute(views)
    use_blas(connection)
    return connection


def connect_bare(lake: Lake) -> duckdb.DuckDBPyConnection:
    """A DuckDB that can read the lake's files: object stores go through fsspec, so no extension is downloaded."""
    connection = duckdb.connect()
    connection.execute("SET autoinstall_known_extensions = false")
    if not lake.store.is_local:
        connection.register_filesystem(lake.store.filesystem)
    return connection


def duckdb_path(lake: Lake, path: str) -> str:
    """A path inside the lake as DuckDB names it: with its protocol unless it is local."""
    return path if lake.store.is_local else f"{lake.url.split('://')[0]}://{path}"
