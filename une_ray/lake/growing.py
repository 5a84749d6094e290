"""A lake grows: items that the plan lacks get new shards after the last; shards that exist never change.

The corpus is listed into a temporary folder and compared with the plan by DuckDB, which spills to disk.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from une_ray.corpora import open_corpus
from une_ray.corpora.base import Item, lineage
from une_ray.errors import EmptyCorpus, UneError, reason
from une_ray.lake import results, schema
from une_ray.lake.create import plan_row
from une_ray.lake.layout import Lake
from une_ray.lake.parts import write_parts
from une_ray.lake.records import FROM_A_COPY, growth_file, refuse_lost_growth
from une_ray.lake.session import connect_bare, duckdb_path
from une_ray.lake.splits import by_id

ROWS_AT_ONCE = 8192
MAPS = {name for name, _ in schema.LABELS}
SHOWN = 3


def grow(lake: Lake, corpus: str, items: Iterator[Item], shard_size: int | None = None) -> Lake:
    """The lake with new shards for those items that it lacks, or as it is where it has them all.

    Of two builds that let it grow at once the first one's record stays, and the other compares again. Raises
    UneError for another corpus or shard size, for items that vanished or changed since they were planned, and
    where a record of growth is lost.
    """
    refuse_another_corpus(lake, corpus, shard_size)
    refuse_lost_growth(lake.store)
    results.write_empty_tables(lake)
    with tempfile.TemporaryDirectory(prefix="une-listing-") as folder:
        if not _list_into(Path(folder), items):
            raise EmptyCorpus(f"corpus {corpus!r} has no images")
        while True:
            lake = Lake(lake.url)
            new = _compare(lake, corpus, folder)
            if not len(new):
                return lake
            rows = _rows(Path(folder), new)
            rows = rows if "split_by" in lake.manifest else map(by_id, rows)
            columns = lake.plan(0).column_names
            rows = ({name: row[name] for name in columns} for row in rows)
            planned = write_parts(lake.store, rows, lake.manifest["shard_size"], lake.shards)
            record = {"corpus": corpus, **planned.to_record()}
            name = growth_file(len(lake.generations))
            lake.store.commit(name, json.dumps(record, indent=1).encode(), replace=False)


def refuse_another_corpus(lake: Lake, corpus: str, shard_size: int | None) -> None:
    """Raise UneError for a corpus that the lake's is no earlier state of, or another shard size."""
    known, size = lake.manifest["corpus"], lake.manifest["shard_size"]
    differing = []
    if not _same_line(known, corpus):
        differing.append(f"the corpus {known!r}, and this build names {corpus!r}")
    if shard_size not in (None, size):
        differing.append(f"shards of {size} images, and this build asks for {shard_size}")
    if differing:
        raise UneError(
            f"{lake.url} was made with {'; with '.join(differing)}; use the lake's own, or another --lake"
        )


def _same_line(known: str, wanted: str) -> bool:
    if known == wanted:
        return True
    try:
        return lineage(open_corpus(known)) == lineage(open_corpus(wanted))
    except UneError:  # one of them can't be opened
        return False


def _list_into(folder: Path, items: Iterator[Item]) -> int:
    """Write the listing as Parquet files, rows numbered in its order; how many there are."""
    columns = schema.PLAN.append(pa.field("number", pa.int64()))
    total = 0
    while rows := [plan_row(item) for item in islice(items, ROWS_AT_ONCE)]:
        numbered = [row | {"number": total + place} for place, row in enumerate(rows)]
        table = pa.Table.from_pylist(numbered, schema=columns)
        pq.write_table(table, folder / f"{total:012d}.parquet", compression="zstd")
        total += len(rows)
    return total


def _rows(folder: Path, numbers: np.ndarray) -> Iterator[dict[str, Any]]:
    """Rows of the listing by their numbers, which ascend, as the plan has them."""
    for file in sorted(folder.glob("*.parquet")):
        first = int(file.stem)
        inside = numbers[np.searchsorted(numbers, first) : np.searchsorted(numbers, first + ROWS_AT_ONCE)]
        if len(inside):
            yield from pq.read_table(file, columns=schema.PLAN.names).take(inside - first).to_pylist()


def _compare(lake: Lake, corpus: str, folder: str) -> np.ndarray:
    """Numbers of the listed items that the plan lacks, ascending. Raises UneError for ids that come twice,
    and for planned items that vanished or changed."""
    files = [duckdb_path(lake, lake.store.path(part.file)) for part in lake.parts]
    columns = [name for name in lake.plan(0).column_names if name != "image_id"]  # early lakes have fewer
    if "split_by" not in lake.manifest:
        columns.remove("split")  # that of a lake which splits by ids is its own
    content = f"hash({', '.join(map(_regardless_of_order, columns))})"
    with connect_bare(lake) as session:
        session.execute("SET temp_directory = ?", [folder])
        session.execute(
            f"CREATE TEMP TABLE listed AS SELECT image_id, number, {content} AS content"
            " FROM read_parquet(?, hive_partitioning = false)",
            [f"{folder}/*.parquet"],
        )
        repeated = "SELECT image_id, count(*) AS times FROM listed GROUP BY image_id HAVING times > 1 LIMIT 1"
        if twice := session.execute(repeated).fetchone():
            raise UneError(f"image id {twice[0]!r} comes {twice[1]} times in the corpus; ids must be unique")
        try:
            session.execute(
                f"CREATE TEMP TABLE planned AS SELECT image_id, {content} AS content"
                " FROM read_parquet(?, hive_partitioning = false)",
                [files],
            )
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise UneError(
                f"the plan of {lake.url} can't be read ({reason(error)}); {FROM_A_COPY}"
            ) from error
        _refuse_vanished(session, lake, corpus)
        _refuse_changed(session, lake, corpus, columns, (files, f"{folder}/*.parquet"))
        new = "SELECT number FROM listed ANTI JOIN planned USING (image_id) ORDER BY number"
        return session.execute(new).fetchnumpy()["number"]


def _regardless_of_order(column: str) -> str:
    """What is compared of a column: a table of labels whose columns were moved says the same."""
    return f"list_sort(map_entries({column}))" if column in MAPS else column


def _refuse_vanished(session: duckdb.DuckDBPyConnection, lake: Lake, corpus: str) -> None:
    gone = session.execute(
        "SELECT image_id, count(*) OVER () FROM planned ANTI JOIN listed USING (image_id)"
        f" ORDER BY image_id LIMIT {SHOWN}"
    ).fetchall()
    if gone:
        raise UneError(
            f"{gone[0][1]:,} of the {lake.manifest['images']:,} images of {lake.url} are in {corpus!r} no"
            f" more: {_named(gone)}; put them back, or build the corpus into another --lake (where another"
            " build let this lake grow just now: run the command again)"
        )


def _refuse_changed(
    session: duckdb.DuckDBPyConnection,
    lake: Lake,
    corpus: str,
    columns: Sequence[str],
    places: tuple[list[str], str],
) -> None:
    """`places`: the plan's files, and the listing's."""
    changed = session.execute(
        "SELECT planned.image_id, count(*) OVER () FROM planned JOIN listed USING (image_id)"
        f" WHERE planned.content <> listed.content ORDER BY planned.image_id LIMIT {SHOWN}"
    ).fetchall()
    if changed:
        (before,), (after,) = (
            session.execute(
                f"SELECT {{{', '.join(f'{name}: {name}' for name in columns)}}}"
                " FROM read_parquet(?, hive_partitioning = false) WHERE image_id = ?",
                [where, changed[0][0]],
            ).fetchone()
            or ({},)
            for where in places
        )
        what = next((name for name in columns if before[name] != after[name]), columns[0])
        raise UneError(
            f"{changed[0][1]:,} images of {lake.url} are not what they were when they were planned:"
            f" {_named(changed)}; the {what} of the first was {before[what]!r} and is {after[what]!r} in"
            f" {corpus!r}. What is planned is fixed: build the changed corpus into another --lake"
        )


def _named(rows: list[tuple[str, int]]) -> str:
    return ", ".join(repr(image_id) for image_id, _ in rows) + (", …" if rows[0][1] > len(rows) else "")
