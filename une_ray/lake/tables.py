"""A table of results: one folder of the lake, whose files are computations and whose rows have these
columns."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

TEXT, WHOLE, REAL, FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TIME = pa.timestamp("us")  # UTC, without a zone: DuckDB's Python wants pytz for one
VECTOR = pa.list_(pa.float64())


@dataclass(frozen=True)
class Table:
    """`name` is the folder and the view; `schema` its columns, `config` (the hash of all that decides a
    row) among them, and `computed`, its time, where of two computations of one question the newer counts."""

    name: str
    schema: pa.Schema
