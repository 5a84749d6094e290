"""`une memorization`: run methods against memorisation on prompts of known dose, and what the lake then says of them."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from une_ray.corpora import open_corpus
from une_ray.corpora.files import absolute
from une_ray.errors import UneError
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.session import QUERIES, connect, duckdb_path
from une_ray.run import tasks
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.studies.memorization import bench

KIND = "memorization"
VIEWS = ("dose_response", "methods", "method_changes", "ablations", "detectors", "attention")
CORPUS = "duplicates:all"  # what a lake is made of where there is none: the pictures that the study is about

METRICS = "SELECT DISTINCT decode(value) ->> '$.copy_metric_weights' FROM parquet_kv_metadata(?) WHERE decode(key) = 'config'"

CHOSEN = """SELECT * FROM read_parquet(?, union_by_name = true)
    QUALIFY row_number() OVER (PARTITION BY weights, method, settings, steps, guidance_scale, prompt, seed ORDER BY config) = 1"""


def open_or_create(url: str) -> Lake:
    """The lake at `url`; where there is none, one of the forty pictures of `duplicates:all`, without spaces."""
    lake = Lake(absolute(url))
    if lake.exists():
        return lake
    corpus = open_corpus(CORPUS)
    return create(lake, corpus.name, corpus.items(), len(list(corpus.items())))


def run(lake: Lake, todo: Sequence[dict], cluster: Cluster = DEFAULT) -> list[str]:
    """Do what the lake lacks of tasks of `bench.tasks`; the configs of all of them. Raises UneError where its rows are of another copy metric."""
    _check_metric(lake, todo)
    return list(tasks.run(lake, KIND, todo, bench.WORKER, {}, "generating, blocks of prompts", cluster))


def tables(lake: Lake, configs: Sequence[str]) -> dict[str, list[tuple[list[str], list[tuple]]]]:
    """Name → (columns, rows) of the views of `queries/memorization.sql`, over the rows of these configs alone."""
    connection = over(lake, configs)
    for statement in connection.extract_statements((QUERIES / "memorization.sql").read_text()):
        connection.execute(statement.query)
    found = {}
    for view in VIEWS:
        result = connection.execute(f"FROM {view}")
        found[view] = [column[0] for column in result.description], result.fetchall()
    return found


def over(lake: Lake, configs: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """The lake with its view `memorization` narrowed to the files of these configs: another run may have made the same pictures."""
    connection = connect(lake)
    paths = [
        duckdb_path(lake, lake.store.path(f"{KIND}/{config}.parquet")) for config in dict.fromkeys(configs)
    ]
    connection.execute(f"CREATE TABLE chosen AS {CHOSEN}", [paths])
    connection.execute("CREATE OR REPLACE VIEW memorization AS FROM chosen")
    return connection


def _check_metric(lake: Lake, todo: Sequence[dict]) -> None:
    """The tables and the report are over all rows of a lake, and similarities of two metrics have no mean."""
    asked = {task.get("copy_metric_weights") for task in todo}
    held = {
        row[0]
        for row in connect(lake)
        .execute(METRICS, [duckdb_path(lake, lake.store.path(f"{KIND}/*.parquet"))])
        .fetchall()
    }
    if len(asked | held) > 1:
        of, wanted = (
            " and ".join(sorted(f"SSCD ({one})" if one else "tiles" for one in metrics))
            for metrics in (held, asked)
        )
        raise UneError(
            f"{lake.url} holds rows of the copy metric {of}, which can't be compared with {wanted}; name another lake"
        )
