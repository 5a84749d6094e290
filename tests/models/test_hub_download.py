"""Actors that start together on one node fetch a model's weights once, from a hub that counts."""

import hashlib
import os
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from transformers import Dinov2Config, Dinov2Model

COMMIT, ACTORS = "c0ffee" + "0" * 34, 3
LOAD = f"""
from une_ray.models.encoders import load_encoder
from une_ray.models.table import find_model

load_encoder(find_model("dino:owner/tiny@{COMMIT}"))
"""


@pytest.fixture
def hub(tmp_path):
    """(address, how often each file was sent); files are those of a tiny model at one commit."""
    folder, sent = tmp_path / "model", Counter()
    Dinov2Model(Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2)).save_pretrained(
        folder
    )

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self, body: bool = False) -> None:
            name = self.path.partition(f"/owner/tiny/resolve/{COMMIT}/")[2]
            if not name or not (folder / name).is_file():
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                return self.end_headers()
            data = (folder / name).read_bytes()
            self.send_response(200)
            headers = {
                "X-Repo-Commit": COMMIT,
                "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
                "Content-Length": str(len(data)),
            }
            for key, value in headers.items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                sent[name] += 1
                self.wfile.write(data)

        def do_GET(self) -> None:
            self.do_HEAD(body=True)

        def log_message(self, *_) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()


@pytest.mark.long
def test_weights_are_fetched_once_per_node(hub, tmp_path):
    address, sent = hub
    environment = os.environ | {
        "HF_ENDPOINT": address,
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "*",
    }
    environment = {
        key: value
        for key, value in environment.items()
        if key not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    }
    command = [sys.executable, "-c", LOAD]
    checkout = Path(__file__).parents[2]
    actors = [
        subprocess.Popen(
            command,
            env=environment,
            cwd=checkout,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(ACTORS)
    ]
    outputs = [actor.communicate(timeout=300)[0] for actor in actors]
    assert [actor.returncode for actor in actors] == [0] * ACTORS, outputs
    assert sent["model.safetensors"] == 1, sent
