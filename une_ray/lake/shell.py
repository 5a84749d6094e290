"""Running SQL text and showing its results, once or at a prompt."""

from __future__ import annotations

import duckdb

from une_ray.errors import UneError


def run(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Run every statement of `text` and print the rows of those that have any. Raises UneError with DuckDB's message."""
    try:
        for statement in connection.extract_statements(text):
            result = connection.sql(_bare(statement.query))
            if result is not None:
                result.show(max_width=200, max_rows=200)
    except duckdb.Error as error:
        raise UneError(f"SQL: {error}") from error


def _bare(statement: str) -> str:
    """Without its `;` and the comment behind it, which DuckDB would take for a second statement."""
    text = statement.encode()  # tokens are counted in bytes
    last = max((at for at, kind in duckdb.tokenize(statement) if kind != duckdb.token_type.comment), default=0)
    return text[:last].decode() if text[last:].startswith(b";") else statement


def interact(connection: duckdb.DuckDBPyConnection, lake: str) -> None:
    """A prompt: statements end in `;`, `.quit` or end of input leaves. Errors are shown and forgotten."""
    try:
        import readline  # noqa: F401 - gives input() line editing and history where the platform has it
    except ImportError:
        pass
    print(f"{lake}: end a statement with ; and leave with .quit. Views: images, latents, attributes, counts, norms, rejects, runs, …")
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
        buffer += line + "\n"
        if buffer.rstrip().endswith(";"):
            try:
                run(connection, buffer)
            except UneError as error:
                print(error)
            buffer = ""
