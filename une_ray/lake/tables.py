"""A table of results: one folder of the lake, whose files are computations and whose rows have these
columns."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa

TEXT, WHOLE, REAL, FLAG = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TIME = pa.timestamp("us")  # UTC, without a zone: DuckDB's Python wants pytz for one
VECTOR = pa.list_(pa.float64())
COLUMNS_SHOWN = 6  # of a table, in the line that a result is at a prompt


@dataclass(frozen=True)
class Table:
    """`name` is the folder and the view; `schema` its columns, `config` (the hash of all that decides a
    row) among them, and `computed`, its time, where of two computations of one question the newer counts."""

    name: str
    schema: pa.Schema


class InALine:
    """A dataclass of a study's result that a prompt shows in a line: its words and numbers, and of its tables
    how many rows, and of which columns. It is made with `repr=False`."""

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        parts = [_in_short(name, value) for name, value in values.items()]
        return f"{type(self).__name__}({', '.join(filter(None, parts))})"


def _in_short(name: str, value: Any) -> str:
    """Nothing of what is neither a table, several of them, a word nor a number."""
    if isinstance(value, pa.Table):
        columns = value.column_names[:COLUMNS_SHOWN] + ["…"] * (value.num_columns > COLUMNS_SHOWN)
        rows = f"{len(value):,} row{'' if len(value) == 1 else 's'}"
        return f"{name}: {rows} ({', '.join(columns)})"
    if isinstance(value, dict):
        tables = {key: one for key, one in value.items() if isinstance(one, pa.Table)}
        return ", ".join(_in_short(f"{name}[{key!r}]", one) for key, one in tables.items())
    return f"{name}={value!r}" if isinstance(value, str | int | float) else ""
