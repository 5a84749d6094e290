"""Columns of every table in the lake, format version 1, and how a table becomes Parquet bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

VERSION = 1

METADATA = "metadata"

LABELS = [
    ("attributes", pa.map_(pa.string(), pa.bool_())),
    ("factors", pa.map_(pa.string(), pa.int32())),
    (METADATA, pa.map_(pa.string(), pa.string())),
]

PLAN = pa.schema(
    [
        ("image_id", pa.string()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("caption", pa.string()),
        *LABELS,
        ("split_group", pa.string()),
    ]
)

IMAGES = pa.schema(
    [
        ("image_id", pa.string()),
        ("split", pa.string()),
        ("caption", pa.string()),
        ("source", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", pa.string()),
        ("bytes", pa.int64()),
        ("status", pa.string()),
        ("error", pa.string()),
        *LABELS,
        ("split_group", pa.string()),
    ]
)

# z stands first, so that all other columns lie beside the footer: who asks for no latents reads a file's end.
SPACE = pa.schema(
    [
        ("z", pa.list_(pa.float16())),
        ("image_id", pa.string()),
        ("status", pa.string()),
        ("error", pa.string()),
        ("norm", pa.float32()),
        ("dim", pa.int32()),
        ("round_trip_psnr", pa.float32()),
        ("final_timestep", pa.int32()),
    ]
)

RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("shard", pa.int32()),
        ("stage", pa.string()),
        ("images", pa.int32()),
        ("rejects", pa.int32()),
        ("seconds", pa.float64()),
        ("started", pa.timestamp("us", tz="UTC")),
        ("host", pa.string()),
        ("device", pa.string()),
    ]
)

ADDED_LATER = ("split_group", METADATA, "dim")  # columns that lakes of earlier une_rays lack

OK, REJECT = "ok", "reject"


def has_columns(table: pa.Schema, columns: pa.Schema) -> bool:
    """Whether a file has the columns of its kind, in whatever order; one of before lacks those that came
    later."""
    lacking = {*columns.names} - {*table.names}
    known = [field for field in columns if field.name not in lacking]
    return (
        lacking <= {*ADDED_LATER}
        and len(table) == len(known)
        and all(table.field(field.name).equals(field) for field in known)
    )


def read_parquet(data: bytes, **options: Any) -> pa.Table:
    """The table of one file's bytes, read in this thread alone: a process that ends right after a threaded
    read of pyarrow 26 is now and then aborted ("terminate called without an active exception")."""
    return pq.ParquetFile(pa.BufferReader(data), pre_buffer=False, **options).read(use_threads=False)


def parquet(table: pa.Table, metadata: Mapping[str, Any], row_group_rows: int = 4096) -> bytes:
    """The table as Parquet bytes: zstd, dictionaries on text only, latents plain (DuckDB reads no split
    float16)."""
    stamped = {
        key: value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        for key, value in metadata.items()
    }
    sink = pa.BufferOutputStream()
    table = table.replace_schema_metadata({"noisezoo_version": str(VERSION), **stamped})
    with writer(sink, table.schema) as file:
        file.write_table(table, row_group_size=row_group_rows)
    return sink.getvalue().to_pybytes()


def writer(sink: pa.NativeFile, columns: pa.Schema) -> pq.ParquetWriter:
    """What writes tables as `parquet` does, one row group after another."""
    text = [field.name for field in columns if pa.types.is_string(field.type)]
    return pq.ParquetWriter(
        sink,
        columns,
        compression="zstd",
        use_dictionary=text,
        store_schema=True,
        write_page_checksum=True,
    )


def completed(table: pa.Table, columns: pa.Schema) -> pa.Table:
    """The columns of its kind in their order; those that an earlier une_ray did not write are worked out."""
    if "dim" in columns.names and "dim" not in table.column_names:
        import pyarrow.compute as pc  # a sixth of a second, which no query has to wait for

        table = table.append_column("dim", pc.list_value_length(table["z"]).cast(pa.int32()))
    for field in columns:
        if field.name in ADDED_LATER and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    return table.select(columns.names).replace_schema_metadata(None)
