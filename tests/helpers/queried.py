"""A query's views over planted rows, in DuckDB's bare module: no lake, none of our functions."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from une_ray.lake.session import QUERIES
from une_ray.lake.tables import Table


def planted(file: str, table: Table, rows: Sequence[dict] | pa.Table) -> duckdb.DuckDBPyConnection:
    """A connection with the views and macros of `file` of queries/ over `rows` of `table`."""
    connection = duckdb.connect()
    connection.register(
        "planted", pa.Table.from_pylist(list(rows), table.schema) if not isinstance(rows, pa.Table) else rows
    )
    connection.execute(f"CREATE TEMP VIEW {table.name} AS FROM planted")
    for statement in connection.extract_statements((QUERIES / file).read_text()):
        if statement.type.name == "CREATE":
            connection.execute(statement.query)
    return connection
