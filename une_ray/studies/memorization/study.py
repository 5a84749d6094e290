"""`une memorization`: run methods against memorisation on prompts of known dose, and what the lake then says
of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from une_ray.corpora import duplicates, open_corpus
from une_ray.corpora.files import absolute
from une_ray.errors import UneError, refuse_empty
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.session import QUERIES, duckdb_path
from une_ray.lake.tables import InALine
from une_ray.run import tasks
from une_ray.run.cluster import DEFAULT, Cluster
from une_ray.studies.memorization import bench
from une_ray.studies.memorization.copy_metric import Calibration, calibration, find_metric
from une_ray.studies.memorization.defaults import COPY_METRIC, METHODS, PLAIN
from une_ray.studies.memorization.parse import parse
from une_ray.studies.memorization.prompts import duplicated, held_out, trained
from une_ray.studies.memorization.task import MemorizationTask, MethodChoice

TABLE = "memorization"
VIEWS = ("dose_response", "methods", "method_changes", "ablations", "detectors", "attention")
CORPUS = "duplicates:all"  # what a lake is made of where there is none: the pictures that the study is about

METRICS = """SELECT DISTINCT decode(value) ->> '$.copy_metric', decode(value) ->> '$.copy_metric_weights'
    FROM parquet_kv_metadata(?) WHERE decode(key) = 'config'"""

OF_RUN = """SELECT * FROM read_parquet(?, union_by_name = true, hive_partitioning = false)
    QUALIFY row_number() OVER (
        PARTITION BY weights, method, settings, steps, guidance_scale, prompt, seed ORDER BY config) = 1"""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MemorizationResult(InALine):
    """`tables`: name → rows of a view of `queries/memorization.sql`, over the pictures of one call.

    `configs` name the files of its rows; `calibration` says what counted as a copy.
    """

    tables: dict[str, pa.Table]
    configs: tuple[str, ...]
    calibration: Calibration


def memorization(
    lake: Lake,
    *,
    model: str = "mini-sd-dup",
    methods: str | Sequence[MethodChoice] = METHODS,
    seeds: int = 10,
    prompts_per_dose: int = 8,
    doses: Collection[int] = duplicates.COPIES,
    ordinary: int = 20,
    steps: int = 50,
    guidance: float = 7.5,
    copy_metric: str = COPY_METRIC,
    cluster: Cluster = DEFAULT,
) -> MemorizationResult:
    """Make pictures of duplicated and ordinary prompts under every method, and measure copies. What was done
    is not done again.

    Plain pictures are always made: those of even seeds say what is memorised, and others are compared; of one
    seed the same (`chosen_apart` of the tables). `methods` is a text as
    `pad-swap,zero-pads:fraction=0.4`, or records. There are `prompts_per_dose` titles of each of the `doses`,
    and `ordinary` captions never seen, and as many trained on once. Where there is no lake, one of
    `duplicates:all` is made. Raises UneError for what can't be, before any work.
    """
    refuse_empty(doses, "dose", "all of them")
    titles = duplicated(prompts_per_dose, doses)
    choices = parse(methods) if isinstance(methods, str) else methods
    todo = bench.tasks(
        model,
        [bench.PLAIN_CHOICE, *(choice for choice in choices if choice.name != PLAIN)],
        [*titles, *held_out(ordinary), *trained(ordinary)],
        seeds,
        steps,
        guidance,
        copy_metric=copy_metric,
    )
    configs = run(create_where_missing(lake), todo, cluster)
    return MemorizationResult(
        tables=tables(lake, configs),
        configs=tuple(configs),
        calibration=calibration(find_metric(copy_metric)),
    )


def open_or_create(url: str) -> Lake:
    """The lake at `url`; where there is none, one of the forty pictures of `duplicates:all`, without
    spaces."""
    return create_where_missing(Lake(absolute(url)))


def create_where_missing(lake: Lake) -> Lake:
    """The same lake, made of `duplicates:all` where there was none."""
    if not lake.exists():
        corpus = open_corpus(CORPUS)
        create(lake, corpus.name, corpus.items(), len(list(corpus.items())))
    return lake


def run(lake: Lake, todo: Sequence[MemorizationTask], cluster: Cluster = DEFAULT) -> list[str]:
    """Do what the lake lacks of tasks of `bench.tasks`; the configs of all of them. Raises UneError where its
    rows are of another copy metric."""
    _check_metric(lake, todo)
    return list(tasks.run(lake, TABLE, todo, bench.Bench, {}, "generating", cluster, unit="pictures"))


def tables(lake: Lake, configs: Sequence[str]) -> dict[str, pa.Table]:
    """Name → rows of the views of `queries/memorization.sql`, over the rows of these configs alone."""
    session = over(lake, configs)
    for statement in session.extract_statements((QUERIES / "memorization.sql").read_text(encoding="utf-8")):
        if statement.type.name == "CREATE":
            session.execute(statement.query)
    return {view: session.sql(f"FROM {view}").to_arrow_table() for view in VIEWS}


def over(lake: Lake, configs: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """A session whose view `memorization` is narrowed to the files of these configs: another run may have
    made the same pictures."""
    session = lake.cursor()
    paths = [
        duckdb_path(lake, lake.store.path(f"{TABLE}/{config}.parquet")) for config in dict.fromkeys(configs)
    ]
    session.execute(f"CREATE TEMP TABLE memorization_of_run AS {OF_RUN}", [paths])
    session.execute("CREATE TEMP VIEW memorization AS FROM memorization_of_run")
    return session


def _check_metric(lake: Lake, todo: Sequence[MemorizationTask]) -> None:
    """The tables and the report are over all rows of a lake, and similarities of two metrics have no mean."""
    files = duckdb_path(lake, lake.store.path(f"{TABLE}/*.parquet"))
    held = {weights: name for name, weights in lake.rows(METRICS, [files])}
    wanted = {task.copy_metric_weights: task.copy_metric for task in todo}
    if len(held.keys() | wanted.keys()) > 1:
        raise UneError(
            f"{lake.url} holds rows of the copy metric {_metrics(held)}, which can't be compared with "
            f"{_metrics(wanted)}; name another lake"
        )


def _metrics(names: Mapping[str | None, str | None]) -> str:
    """Metrics by their weights, in words."""
    return " and ".join(
        sorted(f"{name} ({weights})" if weights else COPY_METRIC for weights, name in names.items())
    )
