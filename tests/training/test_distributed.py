"""Two workers under Ray Train end with one model, the one that both have."""

import json

import pytest
import torch
from transformers import Dinov2Model

from une_ray.training import cli


@pytest.mark.slow
def test_two_workers_train_one_model(tmp_path):
    arguments = [
        "--only",
        "mini-dino",
        "--images",
        "64",
        "--steps",
        "3",
        "--work",
        str(tmp_path),
        "--out",
        str(tmp_path / "out"),
    ]
    cli.main([*arguments, "--num-workers", "2"])
    settings = json.loads((tmp_path / "dino" / "settings.json").read_text())
    assert settings["workers"] == 2 and settings["batch_size"] == 64  # each worker's half
    weights = Dinov2Model.from_pretrained(tmp_path / "out" / "mini-dino").state_dict()
    assert all(torch.isfinite(value.float()).all() for value in weights.values())
