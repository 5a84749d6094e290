"""DuckDB over a lake: the views of `queries/noisezoo.sql`, the same that the stock `duckdb` shell reads, with scores by BLAS.

`connect` opens a database of its own; `cursor` is another session of one that is open, at no cost, for a second stream or a second thread;
`attach` shows another lake beside the first, under a name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import duckdb

from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.lake.products import PRODUCTS_OF, add_blas
from une_ray.lake.results import write_empty_tables

QUERIES = Path(__file__).resolve().parents[1] / "queries"  # `queries/` of a checkout is a link to it
DEFINED = re.compile(r"(CREATE OR REPLACE (VIEW|MACRO) )(\w+)")
RESERVED = ("main", "memory", "temp", "system", "pg_catalog", "information_schema")


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with `lake` set and every view and macro defined. Raises UneError where there is no lake."""
    lake.manifest  # noqa: B018 - refuses a missing or newer lake before DuckDB fails in its own words
    connection = connect_bare(lake)
    _set_lake(connection, lake)
    add_blas(connection)
    _define(connection, lake, _views())
    return connection


def connect_many(lakes: Mapping[str, Lake]) -> duckdb.DuckDBPyConnection:
    """A session over several lakes: the first one's views have no prefix, those of the others that of their name, as in `b.counts`.

    Raises UneError where there is no lake, and for a name that SQL can't have.
    """
    (_, first), *others = lakes.items()
    connection = connect(first)
    for name, lake in others:
        attach(connection, lake, name)
    return connection


def attach(connection: duckdb.DuckDBPyConnection, lake: Lake, name: str) -> None:
    """Define the views and macros of another lake in the schema `name` of a session that `connect` opened, and of all its cursors.

    Raises UneError where there is no lake, and for a name that SQL can't have or that is taken.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or name in RESERVED:
        raise UneError(
            f"a lake can't be called {name!r} in SQL; use small letters, digits and _, and none of {', '.join(RESERVED)}"
        )
    lake.manifest  # noqa: B018 - as in `connect`
    _register(connection, lake)
    try:
        connection.execute(f'CREATE SCHEMA "{name}"')
    except duckdb.Error as error:
        raise UneError(f"the name {name!r} is taken in this session: {error}") from error
    _define(connection, lake, _views_in(name, duckdb_path(lake, lake.store.root)))


def cursor(connection: duckdb.DuckDBPyConnection, lake: Lake) -> duckdb.DuckDBPyConnection:
    """Another session of the database that `connect(lake)` opened: its views, macros and attached lakes, with temporary tables and variables
    of its own. Safe to use in another thread, and while others stream."""
    session = connection.cursor()
    _set_lake(session, lake)
    return session


def connect_bare(lake: Lake) -> duckdb.DuckDBPyConnection:
    """A DuckDB that can read the lake's files: object stores go through fsspec, so no extension is downloaded."""
    connection = duckdb.connect()
    connection.execute("SET autoinstall_known_extensions = false")
    _register(connection, lake)
    return connection


def duckdb_path(lake: Lake, path: str) -> str:
    """A path inside the lake as DuckDB names it: with its protocol unless it is local."""
    return path if lake.store.is_local else f"{lake.url.split('://')[0]}://{path}"


def _register(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Let DuckDB read through the lake's file system, unless it does so already."""
    protocols = lake.store.filesystem.protocol
    known = connection.list_filesystems()
    if not lake.store.is_local and not {protocols} & set(known) and not set(protocols) & set(known):
        connection.register_filesystem(lake.store.filesystem)


def _set_lake(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    connection.execute("SET VARIABLE lake = ?", [duckdb_path(lake, lake.store.root)])


def _views() -> str:
    return (QUERIES / "noisezoo.sql").read_text(encoding="utf-8") + PRODUCTS_OF


def _views_in(schema: str, path: str) -> str:
    """The same for a schema of its own: with its path written out, since a session has one variable `lake`, and with every view and macro
    under its full name, since DuckDB looks up those inside a macro where the caller is."""
    text = _views()
    kinds = {name: kind for _, kind, name in DEFINED.findall(text)}
    views = "|".join(name for name, kind in kinds.items() if kind == "VIEW")
    macros = "|".join(name for name, kind in kinds.items() if kind == "MACRO")
    literal = "'" + path.replace("'", "''") + "'"
    text = re.sub(rf"\b(FROM|JOIN) ({views})\b(?!\()", rf'\1 "{schema}".\2', text)
    text = re.sub(rf"(?<!MACRO )\b({macros})\(", rf'"{schema}".\1(', text)
    text = DEFINED.sub(rf'\1"{schema}".\3', text)
    return text.replace("getvariable('lake')", literal)


def _define(connection: duckdb.DuckDBPyConnection, lake: Lake, views: str) -> None:
    """Run the statements of `views`. A table that the lake's maker did not know yet is made, empty; where the lake can't be written, the
    view of it is left out."""
    missing: list[duckdb.Error] = []
    for statement in connection.extract_statements(views):
        try:
            connection.execute(statement)
        except duckdb.IOException as error:
            if not missing:
                _complete(lake)
            missing.append(error)
            _define_late(connection, statement)
        except duckdb.CatalogException:
            if not missing:
                raise


def _complete(lake: Lake) -> None:
    try:
        write_empty_tables(lake)
    except UneError:  # read-only
        pass


def _define_late(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    try:
        connection.execute(statement)
    except duckdb.IOException:
        pass
