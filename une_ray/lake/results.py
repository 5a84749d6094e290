"""What was computed from a lake's spaces, as rows beside them: one file per computation, named by all that
decides it.

A study's folder says which columns its rows have (`columns.py`); its table is a folder of the lake and a
view of SQL.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from une_ray.errors import unknown
from une_ray.lake import schema
from une_ray.lake.layout import Lake, space_folder
from une_ray.lake.tables import Table
from une_ray.registry import STUDIES


@functools.cache
def tables() -> dict[str, Table]:
    """The tables of all studies, other packages' included, by name."""
    parts = STUDIES.parts("columns").values()
    return {table.name: table for part in parts for table in getattr(part, "TABLES", None) or (part.TABLE,)}


def find_table(name: str) -> Table:
    """Raises UneError for a table that no study writes."""
    if name not in tables():
        raise unknown("table of results", name, tables())
    return tables()[name]


def empty_tables() -> dict[str, pa.Schema]:
    """The empty files that let `read_parquet(lake || '/runs/*.parquet')` answer "no rows" before there are
    any."""
    return {
        "images/empty.parquet": schema.IMAGES,
        f"{space_folder('none')}/empty.parquet": schema.SPACE,
        "runs/empty.parquet": schema.RUNS,
        **{f"{name}/empty.parquet": table.schema for name, table in tables().items()},
    }


def write_empty_tables(lake: Lake) -> None:
    """Those that are not there yet: all of a new lake, the newer tables of one that an earlier une_ray
    made."""
    for name, columns in empty_tables().items():
        if not lake.store.exists(name):
            lake.store.commit(name, schema.parquet(columns.empty_table(), {}), replace=False)


def config_hash(config: Any) -> str:
    """Sixteen hexadecimal digits of everything that decides a computation: settings and the fingerprints
    it reads."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


def is_done(lake: Lake, table: str, config: Mapping[str, Any]) -> bool:
    """Whether this very computation is in the lake already.

    Raises UneError where it is not and may not be written: better before the work than after it.
    """
    if is_there(lake, table, config):
        return True
    lake.store.refuse_read_only(_file(table, config))
    return False


def is_there(lake: Lake, table: str, config: Mapping[str, Any]) -> bool:
    """The same of who would not do it."""
    return lake.store.exists(_file(table, config))


def commit(
    lake: Lake,
    table: str,
    config: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    replace: bool = False,
) -> None:
    """Write the rows of one computation to the table of that name, whole or not at all.

    Of two computations that finish at once, whose rows are equal, the first stays, or with `replace` the
    last. Rows that have no time yet are `computed` now, where the table has that column.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    stamped = [{"computed": now, **row, "config": config_hash(config)} for row in rows]
    arrow = pa.Table.from_pylist(stamped, schema=find_table(table).schema)
    lake.store.commit(_file(table, config), schema.parquet(arrow, {"config": config}), replace)


def table_of(lake: Lake, view: str, config: Mapping[str, Any], order_by: str | None = None) -> pa.Table:
    """What a view has of one computation, in the order of its file or by these columns."""
    query = f"SELECT * FROM {view} WHERE config = ?" + (f" ORDER BY {order_by}" if order_by else "")
    return lake.session.sql(query, params=[config_hash(config)]).to_arrow_table()


def _file(table: str, config: Mapping[str, Any]) -> str:
    return f"{table}/{config_hash(config)}.parquet"
