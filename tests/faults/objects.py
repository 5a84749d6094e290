"""An S3 server on this machine that has troubles: errors, silence, and listings that are behind."""

from __future__ import annotations

import io
import itertools
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.faults.scene import Scene, finish
from une_ray.lake.layout import Lake
from une_ray.lake.store import Store

EVERY = 7  # requests, of which one is in trouble
PATIENCE, SILENCE = 2.0, 3.0  # seconds: what the client waits, and how long the server says nothing
BEHIND = 4.0  # seconds that a new object is in no listing
SLOW_DOWN = (
    b"<?xml version='1.0'?>"
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


class Trouble:
    """WSGI middleware before moto; `kind` is one of TROUBLES, or None for a server that is well."""

    def __init__(self, server: Callable, kind: str | None) -> None:
        self.server, self.kind, self.requests, self.written = server, kind, itertools.count(1), {}

    def __call__(self, environ: dict, start_response: Callable):
        now = next(self.requests) % EVERY == 0
        if self.kind == "lists stale":
            return self.behind(environ, start_response)
        if self.kind == "errors" and now:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(
                "503 Slow Down",
                [("Content-Type", "application/xml"), ("Content-Length", str(len(SLOW_DOWN)))],
            )
            return [SLOW_DOWN]
        if self.kind == "times out" and now:
            time.sleep(SILENCE)
        return self.server(environ, start_response)

    def behind(self, environ: dict, start_response: Callable):
        """Listings without what was written in the last seconds."""
        if environ["REQUEST_METHOD"] == "PUT":
            self.written.setdefault(environ["PATH_INFO"].split("/", 2)[-1], time.monotonic())
        if "list-type" not in environ.get("QUERY_STRING", ""):
            return self.server(environ, start_response)
        answer: list = []
        body = b"".join(self.server(environ, lambda *head: answer.extend(head))).decode()
        for key in re.findall(r"<Key>(.*?)</Key>", body):
            if time.monotonic() - self.written.get(key, 0) < BEHIND:
                body = re.sub(
                    rf"<Contents>\s*<Key>{re.escape(key)}</Key>.*?</Contents>", "", body, flags=re.DOTALL
                )
        data = body.encode()
        start_response(
            answer[0],
            [(name, value) for name, value in answer[1] if name.lower() != "content-length"]
            + [("Content-Length", str(len(data)))],
        )
        return io.BytesIO(data)


TROUBLES = ("errors", "times out", "lists stale")


@dataclass(frozen=True)
class Bucket:
    """An empty bucket on this machine, and the environment in which a process finds it."""

    name: str
    client: Any  # boto3's
    trouble: Trouble
    environment: dict[str, str]

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def keys(self) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()


@contextmanager
def bucket(trouble: str | None = None) -> Iterator[Bucket]:
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it tells of every request
    application = Trouble(DomainDispatcherApplication(create_backend_app), trouble)
    server = make_server("127.0.0.1", 0, application, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    keys = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
    }
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    name = f"zoo-{uuid.uuid4().hex}"  # moto's servers of one process share their buckets
    client.create_bucket(Bucket=name)
    patience = json.dumps({"config_kwargs": {"read_timeout": PATIENCE}})
    try:
        yield Bucket(name, client, application, keys | {"NO_PROXY": "*", "FSSPEC_S3": patience})
    finally:
        server.shutdown()


def build_in(scene: Scene, lake: Lake, times: int, trouble: str) -> float:
    """A build in a bucket, by a driver with a Ray of its own; then the lake is brought to where `lake` is."""
    with bucket(trouble) as objects:
        since = time.monotonic()
        for _ in range(2):  # the second finds nothing to do, or what the first took for missing
            finish(scene.driver(Lake(f"{objects.url}/lake"), **objects.environment))
        seconds = time.monotonic() - since
        objects.trouble.written.clear()  # what is looked at is what is there
        for key in objects.keys():
            Store(lake.url).commit(key.removeprefix("lake/"), objects.read(key))
    return time.monotonic() - seconds
