"""Running SQL text and showing its results, once or at a prompt. Lines that begin with a dot are commands."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

import duckdb

from une_ray.errors import UneError
from une_ray.lake.session import QUERIES, as_une_error

HELP = """.help          this list
.quit, .exit   leave, as the end of input does
.read FILE     run a file's SQL, or a packaged query's by its name: {queries}
.tables        views, tables and macros that there are

Statements end in a semicolon. What the views and macros mean stands in queries/README.md."""
# Views that only other views read are left out: nz_…, and these two, which are older than that prefix.
NAMES = """
    SELECT schema_name, view_name AS name FROM duckdb_views()
        WHERE NOT internal AND NOT starts_with(view_name, 'nz_')
        AND view_name NOT IN ('probe_configs', 'ranked_probes')
    UNION ALL SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal
    UNION ALL SELECT schema_name, function_name || '(' || array_to_string(parameters, ', ') || ')'
        FROM duckdb_functions()
        WHERE function_type LIKE '%macro' AND NOT internal AND NOT starts_with(function_name, 'nz_')"""
TABLES = f"""
    SELECT if(schema_name = 'main', name, schema_name || '.' || name) AS name
    FROM ({NAMES}) ORDER BY schema_name <> 'main', schema_name, name LIKE '%(%', name"""


class Leave(Exception):
    """`.quit` was read."""


def run(connection: duckdb.DuckDBPyConnection, text: str, before: Callable[[], None] = lambda: None) -> None:
    """Run every statement of `text`, print the rows of those that have any, obey the dot commands between.
    `before` each statement something may be done: files may be merged while a prompt is open.

    Raises UneError with DuckDB's message, and Leave where the text says so.
    """
    statements: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(".") and _is_complete("".join(statements)):
            _run(connection, "".join(statements), before)
            statements = []
            _obey(connection, line, before)
        else:
            statements.append(line)
    _run(connection, "".join(statements), before)


def interact(
    connection: duckdb.DuckDBPyConnection, lake: str, before: Callable[[], None] = lambda: None
) -> None:
    """A prompt: statements end in `;`, a dot begins a command. Errors are shown and forgotten."""
    try:
        import readline  # noqa: F401 - gives input() line editing and history where the platform has it
    except ImportError:
        pass
    print(f"{lake}: end a statement with ;, .tables lists what there is, .help the commands, .quit leaves.")
    buffer = ""
    while True:
        try:
            line = input("   … " if buffer else "une> ")
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            print()
            buffer = ""
            continue
        if not buffer and line.strip() in ("quit", "exit"):
            return
        command = not buffer and line.startswith(".")
        buffer += line + "\n"
        if command or buffer.rstrip().endswith(";"):
            try:
                run(connection, buffer, before)
            except Leave:
                return
            except UneError as error:
                print(error)
            buffer = ""


def read(file: str | Path) -> str:
    """A file's SQL, or that of a packaged query by its name. Raises UneError where there is neither."""
    try:
        path = Path(os.path.expanduser(file))
        if not path.exists() and str(file).removesuffix(".sql") in packaged():
            path = QUERIES / f"{str(file).removesuffix('.sql')}.sql"
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UneError(
            f"can't read the SQL of {file}: {error}; packaged queries are {', '.join(packaged())}"
        ) from error


def packaged() -> list[str]:
    """Names of the queries that come with une_ray."""
    return sorted(path.stem for path in QUERIES.glob("*.sql") if path.stem != "noisezoo")


def _is_complete(text: str) -> bool:
    return not text.strip() or text.rstrip().endswith(";")


def _run(connection: duckdb.DuckDBPyConnection, text: str, before: Callable[[], None]) -> None:
    with as_une_error():
        for statement in connection.extract_statements(text):
            before()
            result = connection.sql(_bare(statement.query))
            if result is not None and statement.type != duckdb.StatementType.CREATE:
                result.show(max_width=200, max_rows=200)


def _bare(statement: str) -> str:
    """Without its `;` and the comment behind it, which DuckDB would take for a second statement."""
    text = statement.encode()  # tokens are counted in bytes
    last = max(
        (at for at, kind in duckdb.tokenize(statement) if kind != duckdb.token_type.comment), default=0
    )
    return text[:last].decode() if text[last:].startswith(b";") else statement


def _obey(connection: duckdb.DuckDBPyConnection, line: str, before: Callable[[], None]) -> None:
    """One dot command. Raises Leave, and UneError for one that is not known."""
    name = line.split()[0].rstrip(";")
    if name in (".quit", ".exit"):
        raise Leave
    if name == ".help":
        print(HELP.format(queries=", ".join(packaged())))
    elif name == ".tables":
        print("\n".join(name for (name,) in connection.execute(TABLES).fetchall()))
    elif name == ".read":
        run(connection, read(_named(line)), before)
    else:
        raise UneError(f"no command {name}; there are .help, .quit, .exit, .read FILE and .tables")


def _named(line: str) -> str:
    """The file of a line `.read FILE`, which may be in quotes and end in `;`, as in the stock shell."""
    try:
        _, file = shlex.split(line.strip().rstrip(";"))
    except ValueError:
        raise UneError(f"{line.strip()}: write .read FILE, in quotes where its name has blanks") from None
    return file
