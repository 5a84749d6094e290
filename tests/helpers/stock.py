"""A lake asked without our code: by the stock shell (duckdb-cli), and by DuckDB's bare module."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import duckdb

from une_ray.lake.layout import Lake
from une_ray.lake.session import QUERIES


def module(lake: Lake) -> duckdb.DuckDBPyConnection:
    """A connection that has the views and macros of noisezoo.sql."""
    connection = duckdb.connect()
    connection.execute("SET VARIABLE lake = ?", [lake.store.root])
    connection.execute((QUERIES / "noisezoo.sql").read_text())
    return connection


def typed(lake: Lake, script: str) -> str:
    """What the shell prints when a person has read noisezoo.sql and types `script`."""
    run = _shell(lake, script)
    assert not run.stderr and run.returncode == 0, run.stderr
    return run.stdout


def refused(lake: Lake, script: str) -> str:
    """What the shell says of `script`, statements that it refuses."""
    return _shell(lake, script).stderr


def _shell(lake: Lake, script: str) -> subprocess.CompletedProcess[str]:
    where = lake.store.root.replace("'", "''")
    script = f"SET VARIABLE lake = '{where}';\n.read {QUERIES}/noisezoo.sql\n{script}\n"
    shell = Path(sysconfig.get_path("scripts")) / "duckdb"
    return subprocess.run([shell], input=script, capture_output=True, text=True)


def answered(lake: Lake, query: str, *files: str) -> list[dict]:
    """The rows of `query` after `files` of queries/, or those at absolute paths, whose own output is not
    looked at."""
    read = "".join(f".read {QUERIES / file}\n" for file in files)
    return json.loads(typed(lake, f".output /dev/null\n{read}.output\n.mode json\n{query};"))
