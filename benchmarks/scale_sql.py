"""SQL over a lake of many files in an object store: requests and bytes per file, and seconds, with latency.

    python benchmarks/scale_sql.py                   # 200 shards of 256 × 768 in two spaces, 30 ms a request
    python benchmarks/scale_sql.py --shards 1000 --latency 0.03

A local S3 server (moto) answers; every request waits for the latency first and is counted. Beside the lake's
own session stands the bare one: DuckDB with the store's fsspec file system, as une_ray read before.
"""

from __future__ import annotations

import argparse
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from une_ray.corpora import Item
from une_ray.lake import schema
from une_ray.lake.create import create
from une_ray.lake.layout import Lake, shard_file, space_folder
from une_ray.lake.session import QUERIES, connect

QUERIES_TIMED = {
    "counts": "FROM counts",
    "norms": "FROM norms",
    "one space's count": "SELECT count(*) FROM readings WHERE space = 'a' AND status = 'ok'",
    "images": "SELECT count(*) FROM images",
    "nearest": "SELECT image_id FROM nearest('a', 'image-00000007', 3)",
}


class Counted:
    """A WSGI application that waits before it answers, and counts what it was asked for and sent."""

    def __init__(self, answer: Callable[..., Iterable[bytes]], latency: float) -> None:
        self.answer, self.latency, self.lock = answer, latency, Lock()
        self.requests: Counter[str] = Counter()
        self.sent = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        time.sleep(self.latency)
        with self.lock:
            self.requests[environ["REQUEST_METHOD"]] += 1
        for part in self.answer(environ, start_response):
            with self.lock:
                self.sent += len(part)
            yield part

    def reset(self) -> None:
        self.requests.clear()
        self.sent = 0


@contextmanager
def served() -> Iterator[Counted]:
    """An S3 server on a free port with the bucket `zoo`; the environment says where. Without latency yet."""
    import boto3
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    counted = Counted(DomainDispatcherApplication(create_backend_app), 0.0)
    server = make_server("127.0.0.1", 0, counted, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "*",
    }
    boto3.client("s3").create_bucket(Bucket="zoo")
    yield counted
    server.shutdown()


def fill(lake: Lake, shards: int, rows: int, dim: int) -> Lake:
    """Two spaces, `a` and `b`, of noise."""
    count = shards * rows
    create(lake, f"made-up:{count}", (Item(f"image-{n:08}", "", "train") for n in range(count)), rows)
    random = np.random.default_rng(0)
    for space in ("a", "b"):
        lake.register(space, {"space": space})
    for shard in range(shards):
        ids = lake.plan(shard)["image_id"].to_pylist()
        images = [
            {"image_id": i, "split": "train", "status": "ok", "attributes": [], "factors": []} for i in ids
        ]
        table = pa.Table.from_pylist(images, schema=schema.IMAGES)
        lake.store.commit(f"images/{shard_file(shard)}", schema.parquet(table, {}))
        z = random.standard_normal((rows, dim)).astype(np.float16)
        norms = np.linalg.norm(z.astype(np.float32), axis=1)
        columns = {"z": list(z), "image_id": ids, "status": ["ok"] * rows, "norm": norms, "dim": [dim] * rows}
        nothing = {name: [None] * rows for name in schema.SPACE.names if name not in columns}
        data = pa.Table.from_pydict(columns | nothing, schema=schema.SPACE)
        for space in ("a", "b"):
            name = f"{space_folder(space)}/{shard_file(shard)}"
            lake.store.commit(name, schema.parquet(data, {"fingerprint": {"space": space}}))
    return lake


def bare(lake: Lake) -> duckdb.DuckDBPyConnection:
    """DuckDB as it comes, over the store's own file system."""
    connection = duckdb.connect()
    connection.register_filesystem(lake.store.filesystem)
    connection.execute("SET VARIABLE lake = ?", [lake.url])
    connection.execute((QUERIES / "noisezoo.sql").read_text())
    return connection


def measure(what: str, connection: duckdb.DuckDBPyConnection, counted: Counted, files: int) -> None:
    """A line per query: the first time, and again in the same session."""
    for name, query in QUERIES_TIMED.items():
        for time_of in ("first", "again"):
            counted.reset()
            started = time.perf_counter()
            connection.execute(query).fetchall()
            seconds = time.perf_counter() - started
            requests = sum(counted.requests.values())
            print(
                f"{what:22} {name:18} {time_of}  {seconds:7.2f} s  {requests:6} requests"
                f" ({requests / files:.2f} a file)  {counted.sent / 1e6:8.1f} MB",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shards", type=int, default=200)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--latency", type=float, default=0.03, help="seconds that a request waits")
    args = parser.parse_args()
    with served() as counted:
        lake = fill(Lake("s3://zoo/lake"), args.shards, args.rows, args.dim)
        counted.latency = args.latency
        print(
            f"{args.shards} shards of {args.rows} × {args.dim} in two spaces,"
            f" {args.latency * 1e3:.0f} ms a request"
        )
        measure("une sql", connect(lake), counted, args.shards)
        measure("DuckDB over fsspec", bare(lake), counted, args.shards)


if __name__ == "__main__":
    main()
