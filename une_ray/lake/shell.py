"""Running SQL text and showing its results, once or at a prompt."""

from __future__ import annotations

from pathlib import Path

import duckdb

from une_ray.errors import UneError


def run(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Run every statement of `text` and print the rows of those that have any. Raises UneError with DuckDB's message."""
    try:
        for statement in connection.extract_statements(text):
            if duckdb.ExpectedResultType.NOTHING in statement.expected_result_type:
                connection.execute(statement)
            else:
                connection.sql(_bare(statement.query)).show(max_width=200, max_rows=200)
    except duckdb.Error as error:
        raise UneError(f"SQL: {error}") from error


def _bare(statement: str) -> str:
    """Without its `;` and the comment behind it, which DuckDB would take for a second statement."""
    text = statement.encode()  # tokens are counted in bytes
    last = max((at for at, kind in duckdb.tokenize(statement) if kind != duckdb.token_type.comment), default=0)
    return text[:last].decode() if text[last:].startswith(b";") else statement


def interact(connection: duckdb.DuckDBPyConnection, lake: str) -> None:
    """A prompt: statements end in `;`, `.read FILE` runs a file's, `.quit` or end of input leaves. Errors are shown and forgotten."""
    try:
        import readline  # noqa: F401 - gives input() line editing and history where the platform has it
    except ImportError:
        pass
    print(f"{lake}: end a statement with ;, run a file's by .read FILE, leave with .quit.")
    print("Views: images, latents, attributes, counts, norms, rejects, runs, …")
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
        if not buffer and line.strip() in (".quit", ".exit", "quit", "exit"):
            return
        reads = not buffer and line.split()[:1] == [".read"]
        buffer += line + "\n"
        if reads or buffer.rstrip().endswith(";"):
            try:
                run(connection, read(line.strip().removeprefix(".read").strip()) if reads else buffer)
            except UneError as error:
                print(error)
            buffer = ""


def read(file: str | Path) -> str:
    """A file's SQL. Raises UneError where there is none."""
    try:
        return Path(file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UneError(f"can't read the SQL of {file}: {error}") from error
