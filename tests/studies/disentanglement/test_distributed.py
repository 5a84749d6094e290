"""Two workers under Ray Train end with one model, of as many steps as one worker would do."""

import json

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from une_ray.cli.main import app


@pytest.mark.slow
def test_two_workers_train_one_model(tmp_path, own_ray):
    words = ["disentangle", "train", "--model", "factor-vae", "--corpus", "dsprites:200"]
    words += ["--compute", "0.002", "--num-workers", "2", "--out", str(tmp_path / "m")]
    CliRunner().invoke(app, words, catch_exceptions=False)
    facts = json.loads((tmp_path / "m" / "training.jsonl").read_text())
    assert facts["workers"] == 2 and facts["steps"] == 5  # 6 of a VAE
    weights = load_file(tmp_path / "m" / "model.safetensors")
    assert all(torch.isfinite(weight).all() for weight in weights.values())
