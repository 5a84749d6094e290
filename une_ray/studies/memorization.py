"""`une memorization`: run methods against memorisation on prompts of known dose, or rank prompts that somebody asks about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from une_ray.corpora import open_corpus
from une_ray.corpora.files import absolute
from une_ray.errors import UneError, unknown
from une_ray.lake.create import create
from une_ray.lake.layout import Lake
from une_ray.lake.session import QUERIES, connect
from une_ray.memorization import bench
from une_ray.memorization.prompts import Prompt
from une_ray.pipeline import tasks

KIND = "memorization"
CORPUS = "duplicates:all"  # what a lake is made of where there is none: the pictures that the study is about


@dataclass(frozen=True)
class Suspect:
    """A prompt that was asked about: its detector's mean over seeds, and the chance that an ordinary prompt scores as high."""

    prompt: str
    score: float
    p_value: float


def open_or_create(url: str) -> Lake:
    """The lake at `url`; where there is none, one of the forty pictures of `duplicates:all`, without spaces."""
    lake = Lake(absolute(url))
    if lake.exists():
        return lake
    corpus = open_corpus(CORPUS)
    return create(lake, corpus.name, corpus.items(), len(list(corpus.items())))


def run(lake: Lake, todo: Sequence[dict], address: str | None = None, actors: int | None = None) -> list[str]:
    """Do what the lake lacks of tasks of `bench.tasks`; the configs of all of them."""
    return list(tasks.run(lake, KIND, todo, bench.WORKER, {}, "generating, blocks of prompts", address, actors))


def tables(lake: Lake, configs: Sequence[str]) -> dict[str, list[tuple[list[str], list[tuple]]]]:
    """Name → (columns, rows) of the views of `queries/memorization.sql`, over the rows of these configs alone."""
    connection = _over(lake, configs)
    for statement in connection.extract_statements((QUERIES / "memorization.sql").read_text()):
        connection.execute(statement.query)
    found = {}
    for view in ("dose_response", "methods", "detectors", "attention"):
        result = connection.execute(f"FROM {view}")
        found[view] = [column[0] for column in result.description], result.fetchall()
    return found


def suspects(lake: Lake, configs: Sequence[str], detector: str) -> list[Suspect]:
    """The given prompts, most suspicious first, against held-out captions that went the same way.

    The p-value is the share of ordinary prompts, this one counted, that score as high: exact where the given prompt is as
    ordinary as they are. Raises UneError for an unknown detector.
    """
    connection = _over(lake, configs)
    query = "SELECT prompt, kind, avg(detectors[?]) FROM memorization WHERE method = 'none' GROUP BY prompt, kind"
    (known,) = connection.execute("SELECT map_keys(any_value(detectors)) FROM memorization WHERE method = 'none'").fetchall()[0]
    if detector not in known:
        raise unknown("detector", detector, known)
    scores = connection.execute(query, [detector]).fetchall()
    ordinary = [score for _, kind, score in scores if kind == "held-out"]
    if not ordinary:
        raise UneError("no ordinary prompts to compare with; ask for some with --ordinary")
    found = [(prompt, score) for prompt, kind, score in scores if kind == "given"]
    ranked = sorted(found, key=lambda pair: -pair[1])
    return [Suspect(prompt, score, (1 + sum(value >= score for value in ordinary)) / (1 + len(ordinary))) for prompt, score in ranked]


def audit_prompts(given: Sequence[Prompt], ordinary: Sequence[Prompt]) -> list[Prompt]:
    """Both, those given first; an ordinary one that was also given is left out of the comparison."""
    texts = {prompt.text for prompt in given}
    return [*given, *(prompt for prompt in ordinary if prompt.text not in texts)]


def _over(lake: Lake, configs: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """The lake with its view `memorization` narrowed to these configs."""
    connection = connect(lake)
    connection.execute("SET VARIABLE configs = ?", [list(configs)])
    connection.execute("CREATE TABLE chosen AS SELECT * FROM memorization WHERE list_contains(getvariable('configs'), config)")
    connection.execute("CREATE OR REPLACE VIEW memorization AS FROM chosen")
    return connection
