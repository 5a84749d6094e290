"""Running SQL text and showing its results, once or at a prompt."""

from __future__ import annotations

import shlex
from pathlib import Path

import duckdb

from une_ray.errors import UneError


def run(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Run every statement of `text` and print the rows of those that have any. Raises UneError with DuckDB's message."""
    try:
        for statement in connection.extract_statements(text):
            result = connection.sql(_bare(statement.query))
            if result is not None and statement.type != duckdb.StatementType.CREATE:
                result.show(max_width=200, max_rows=200)
    except duckdb.Error as error:
        raise UneError(f"SQL: {error}") from error


def _bare(statement: str) -> str:
    """Without its `;` and the comment behind it, which DuckDB would take for a second statement."""
    text = statement.encode()  # tokens are counted in bytes
    last = max(
        (at for at, kind in duckdb.tokenize(statement) if kind != duckdb.token_type.comment), default=0
    )
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
                run(connection, read(_named(line)) if reads else buffer)
            except UneError as error:
                print(error)
            buffer = ""


def _named(line: str) -> str:
    """The file of a line `.read FILE`, which may be in quotes and end in `;`, as in the stock shell."""
    try:
        _, file = shlex.split(line.strip().rstrip(";"))
    except ValueError:
        raise UneError(f"{line.strip()}: write .read FILE, in quotes where its name has blanks") from None
    return file


def read(file: str | Path) -> str:
    """A file's SQL. Raises UneError where there is none."""
    try:
        return Path(file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, RuntimeError) as error:  # RuntimeError: of a home that nobody has
        raise UneError(f"can't read the SQL of {file}: {error}") from error
