"""What is fetched from a hub that counts: weights once per node, and those in half precision alone where they
are what is read."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers import Dinov2Config, Dinov2Model

COMMIT, ACTORS = "c0ffee" + "0" * 34, 3
LOAD = f"""
from une_ray.models.encoders import load_encoder
from une_ray.models.table import find_model

load_encoder(find_model("dino:owner/tiny@{COMMIT}"))
"""
# Its weights file in half precision holds the negatives of the other's.
PIN_AND_LOAD = """
import json
from une_ray.spaces.space import Space

space, fingerprint = Space.parse("sd=stable-diffusion:owner/tiny@main/ddim3").pinned()
step = space.load()
known = Space.from_fingerprint("sd", fingerprint).load()
print(json.dumps({
    "weights": fingerprint["weights"],
    "sign": [float(next(model.generator.unet.parameters()).flatten()[0].sign()) for model in (step, known)],
    "dtype": [str(model.generator.unet.dtype) for model in (step, known)],
}))
"""


@pytest.fixture
def hub(tmp_path):
    """(address, its folder, how often each file was sent): one repository at one commit."""
    folder, sent = tmp_path / "model", Counter()

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self, body: bool = False) -> None:
            if self.path.startswith("/api/models/owner/tiny/revision/main"):
                files = [path for path in folder.rglob("*") if path.is_file()]
                names = [{"rfilename": path.relative_to(folder).as_posix()} for path in files]
                said = json.dumps({"id": "owner/tiny", "sha": COMMIT, "siblings": names}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
                return
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
    yield f"http://127.0.0.1:{server.server_port}", folder, sent
    server.shutdown()


def started(code: str, address: str, cache: Path) -> subprocess.Popen[str]:
    environment = os.environ | {
        "HF_ENDPOINT": address,
        "HF_HOME": str(cache),
        "HF_HUB_DISABLE_XET": "1",
        "NO_PROXY": "*",
    }
    environment = {
        key: value
        for key, value in environment.items()
        if key not in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    }
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.long
def test_weights_are_fetched_once_per_node(hub, tmp_path):
    address, folder, sent = hub
    config = Dinov2Config(hidden_size=32, num_hidden_layers=1, num_attention_heads=2)
    Dinov2Model(config).save_pretrained(folder)
    actors = [started(LOAD, address, tmp_path / "cache") for _ in range(ACTORS)]
    outputs = [actor.communicate(timeout=300)[0] for actor in actors]
    assert [actor.returncode for actor in actors] == [0] * ACTORS, outputs
    assert sent["model.safetensors"] == 1, sent


@pytest.mark.long
def test_of_two_files_only_that_in_half_precision_is_fetched_where_it_is_what_runs(hub, zoo, tmp_path):
    address, folder, sent = hub
    shutil.copytree(zoo / "sd", folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    save_file({name: value.abs() for name, value in weights.items()}, file, {"format": "pt"})
    half = {name: -value.abs().half() for name, value in weights.items()}
    save_file(half, file.with_suffix(".fp16.safetensors"), {"format": "pt"})
    process = started(PIN_AND_LOAD, address, tmp_path / "cache")
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    found = json.loads(output.splitlines()[-1])
    assert found["weights"] == f"hub:owner/tiny@{COMMIT}+fp16:unet"
    assert found["sign"] == [-1, -1] and found["dtype"] == ["torch.float16", "torch.float32"]
    unets = [name for name in sent if name.startswith("unet/") and name.endswith(".safetensors")]
    assert unets == ["unet/diffusion_pytorch_model.fp16.safetensors"], sent
