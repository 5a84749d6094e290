"""DuckDB over a lake: the views that the stock shell reads from `queries/noisezoo.sql`, scored by BLAS.

`connect` opens a database of its own. `cursor` is another session of one that is open, at next to no cost,
for a second stream or a second thread. `attach` shows another lake beside the first, under a name of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path

import duckdb
from fsspec import AbstractFileSystem

from une_ray.errors import UneError
from une_ray.lake.files import without_superseded
from une_ray.lake.layout import COMPACTION, Lake
from une_ray.lake.products import BY_BLAS, add_blas
from une_ray.lake.remote import RemoteFiles
from une_ray.lake.results import tables, write_empty_tables
from une_ray.registry import STUDIES

QUERIES = Path(__file__).resolve().parents[1] / "queries"  # `queries/` of a checkout is a link to it
DEFINED = re.compile(r"CREATE OR REPLACE (VIEW|MACRO) (\w+)")
WAITING = 16  # threads over an object store: they wait for answers, not for a core
FILES = ("images_files", "spaces_files")  # variables of noisezoo.sql
RESERVED = ("main", "memory", "temp", "system", "pg_catalog", "information_schema")


def connect(lake: Lake) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with `lake`, views and macros set. Raises UneError where there is no lake."""
    _refuse_missing(lake)
    connection = connect_bare(lake)
    _set_lake(connection, lake)
    add_blas(connection)
    _define(connection, lake, _views())
    return connection


def connect_many(lakes: Mapping[str, Lake]) -> duckdb.DuckDBPyConnection:
    """A session over several lakes: the first one's views have no prefix, others' that of a name: `b.counts`.

    Raises UneError where there is no lake, and for a name that SQL can't have.
    """
    (_, first), *others = lakes.items()
    connection = connect(first)
    for name, lake in others:
        attach(connection, lake, name)
    return connection


def attach(connection: duckdb.DuckDBPyConnection, lake: Lake, name: str) -> None:
    """Define the views and macros of another lake in the schema `name` of what `connect` opened.

    Raises UneError where there is no lake, and for a name that SQL can't have or that is taken.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name) or name in RESERVED:
        raise UneError(
            f"a lake can't be called {name!r} in SQL; use small letters, digits and _, "
            f"and none of {', '.join(RESERVED)}"
        )
    _refuse_missing(lake)
    _register(connection, lake)
    try:
        connection.execute(f'CREATE SCHEMA "{name}"')
    except duckdb.CatalogException as error:
        raise UneError(f"the name {name!r} is taken in this session; choose another: {error}") from error
    choose_files(connection, lake, name)
    _define(connection, lake, _views_in(name, duckdb_path(lake, lake.store.root)))


def cursor(connection: duckdb.DuckDBPyConnection, lake: Lake) -> duckdb.DuckDBPyConnection:
    """Another session of the database that `connect(lake)` opened, with its views, macros and attached lakes.

    Variables and temporary tables are its own. Safe in another thread and while others stream; it is
    closed with what it came from.
    """
    session = connection.cursor()
    _set_lake(session, lake)
    return session


def connect_bare(lake: Lake) -> duckdb.DuckDBPyConnection:
    """A DuckDB that can read the lake's files: object stores by fsspec, so no extension is downloaded."""
    connection = duckdb.connect()
    connection.execute("SET autoinstall_known_extensions = false")
    _register(connection, lake)
    return connection


def duckdb_path(lake: Lake, path: str) -> str:
    """A path inside the lake as DuckDB names it: with its protocol unless it is local."""
    return path if lake.store.is_local else f"{lake.url.split('://')[0]}://{path}"


def refuse_unreadable_path(lake: Lake) -> None:
    """Raise UneError for a lake at a path that DuckDB reads as something else."""
    if any(letter in lake.store.root for letter in "*?["):
        raise UneError(
            f"{lake.url}: SQL reads *, ? and [ in a path as patterns; choose a --lake without them"
        )
    if taken := re.search(r"/((?:content|filename)=[^/]*)/", f"{lake.store.root}/"):
        raise UneError(
            f"{lake.url}: DuckDB takes the folder {taken[1]} for a column of its own and fails; choose a"
            " --lake that is not below it"
        )


def choose_files(connection: duckdb.DuckDBPyConnection, lake: Lake, schema: str = "") -> None:
    """While `une compact` is at work, have the views read the files that count instead of all that are there:
    of the first lake, or of one that was attached as `schema`.

    Of an object store every listing is looked through by `RemoteFiles`; a local one DuckDB lists itself.
    """
    for name, files in _merging(lake).items():
        connection.execute(f"SET VARIABLE {name}{schema} = ?::VARCHAR[]", [files]).fetchall()


def choose_files_of(connection: duckdb.DuckDBPyConnection, lakes: Mapping[str, Lake]) -> None:
    """The same of all lakes of `connect_many`, for what is asked next."""
    for number, (name, lake) in enumerate(lakes.items()):
        choose_files(connection, lake, name if number else "")


@contextlib.contextmanager
def as_une_error() -> Iterator[None]:
    """What DuckDB says of a person's SQL, when it is planned as when its rows are fetched, as a UneError."""
    try:
        yield
    except duckdb.Error as error:
        raise UneError(f"SQL: {error}") from error


def is_of_a_merge(error: Exception) -> bool:
    """Whether a query failed because files were merged between its beginning and its end."""
    return isinstance(error, duckdb.Error | OSError) and bool(
        re.search(r"/merging-|(No such file|Cannot open file|No files found).*shard-", str(error))
    )


def _merging(lake: Lake) -> dict[str, list[str] | None]:
    """By variable of noisezoo.sql, the paths to read; None for what a pattern finds."""
    if not lake.store.is_local or not lake.store.exists(COMPACTION):
        return dict.fromkeys(FILES)
    spaces = [f"spaces/{name}" for name in sorted(lake.store.names("spaces"))]
    return {"images_files": _counting(lake, ["images"]), "spaces_files": _counting(lake, spaces)}


def _counting(lake: Lake, folders: list[str]) -> list[str]:
    paths = [f"{folder}/{name}" for folder in folders for name in lake.store.names(folder)]
    return [lake.store.path(path) for path in without_superseded(paths) if path.endswith(".parquet")]


def _refuse_missing(lake: Lake) -> None:
    """Raise UneError for a missing or newer lake, before DuckDB fails in its own words."""
    refuse_unreadable_path(lake)
    lake.existing()


def _register(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    """Let DuckDB read through the lake's file system, unless it does so already."""
    if lake.store.is_local:
        return
    protocol = lake.store.filesystem.protocol
    protocols = {protocol} if isinstance(protocol, str) else set(protocol)
    if not protocols & set(connection.list_filesystems()):
        connection.register_filesystem(_remote(lake.store.filesystem))
        connection.execute(f"SET threads = {max(WAITING, os.cpu_count() or 1)}")


def _set_lake(connection: duckdb.DuckDBPyConnection, lake: Lake) -> None:
    connection.execute("SET VARIABLE lake = ?", [duckdb_path(lake, lake.store.root)])
    choose_files(connection, lake)


def _views() -> str:
    """Those of noisezoo.sql, a plain view of every table that it does not know, and products by BLAS."""
    text = (QUERIES / "noisezoo.sql").read_text(encoding="utf-8")
    known = {name for _, name in DEFINED.findall(text)}
    others = [
        f"CREATE OR REPLACE VIEW {name} AS FROM read_parquet(getvariable('lake') || '/{name}/*.parquet',"
        " hive_partitioning = false);\n"
        for name in tables()
        if name not in known
    ]
    return "".join([text, *others, *_views_of_studies(), BY_BLAS])


def _views_of_studies() -> list[str]:
    """The `views.sql` of studies that have one, after their tables."""
    folders = [resources.files(STUDIES.module_name(name)) for name in STUDIES.names()]
    files = [folder.joinpath("views.sql") for folder in folders]
    return [file.read_text(encoding="utf-8") + "\n" for file in files if file.is_file()]


def _views_in(schema: str, path: str) -> str:
    """The same for a schema of its own.

    The path is written out, as a session has one variable `lake`; files to be read while some are merged are
    in variables of its own. Every view and macro stands under its full name, as DuckDB looks up those inside
    a macro where the caller is.
    """
    text = _views()
    names = DEFINED.findall(text)
    views = "|".join(name for kind, name in names if kind == "VIEW")
    macros = "|".join(name for kind, name in names if kind == "MACRO")
    text = re.sub(rf"\b(FROM|JOIN) ({views})\b(?!\()", rf'\1 "{schema}".\2', text)
    text = re.sub(rf"(?<!MACRO )\b({macros})\(", rf'"{schema}".\1(', text)
    text = DEFINED.sub(rf'CREATE OR REPLACE \1 "{schema}".\2', text)
    for variable in FILES:
        text = text.replace(f"getvariable('{variable}')", f"getvariable('{variable}{schema}')")
    return text.replace("getvariable('lake')", _literal(path))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _define(connection: duckdb.DuckDBPyConnection, lake: Lake, views: str) -> None:
    """Run the statements of `views`.

    A table that the lake's maker did not know yet is made, empty; where the lake can't be written, its view
    is left out, and so are those that read it.
    """
    files = None if lake.store.is_local else _remote(lake.store.filesystem)
    with contextlib.nullcontext() if files is None else files.listed_once():
        completed = False
        for statement in connection.extract_statements(views):
            try:
                connection.execute(statement)
            except (duckdb.IOException, duckdb.CatalogException):
                if not completed:
                    with contextlib.suppress(UneError):  # read-only
                        write_empty_tables(lake)
                    if files is not None:
                        files.listings = {}
                completed = True
                with contextlib.suppress(duckdb.IOException, duckdb.CatalogException):
                    connection.execute(statement)


REMOTE: dict[int, RemoteFiles] = {}


def _remote(files: AbstractFileSystem) -> RemoteFiles:
    """One for all sessions of a process, so that what it remembers serves them all. By identity: clients of
    fsspec are equal where their options are, whichever server the environment named then."""
    known = REMOTE.get(id(files))
    if known is None:
        known = REMOTE[id(files)] = RemoteFiles(files)  # which keeps `files`, and with it the id
    return known
