"""A trained model read back from its folder."""

from __future__ import annotations

import json
from pathlib import Path

from une_ray.errors import UneError
from une_ray.studies.disentanglement.models.model import Disentangler
from une_ray.studies.disentanglement.training.run import CONFIG, WEIGHTS, Run


def read_run(folder: Path) -> Run:
    """What was trained. Raises UneError for a folder that is none of a training."""
    try:
        config = json.loads((folder / CONFIG).read_text())
        names = ("model", "settings", "corpus", "scale", "compute", "seed")
        return Run(**{name: config[name] for name in names})
    except (OSError, ValueError, KeyError) as error:
        raise UneError(f"{folder} is no folder of une disentangle train: {error}") from error


def read_model(folder: Path, device: str = "cpu") -> Disentangler:
    """The whole model, ready to be read. Raises UneError where its training is not over."""
    from safetensors.torch import load_file

    run = read_run(folder)
    if not (folder / WEIGHTS).exists():
        raise UneError(f"{folder} has no {WEIGHTS} yet; the same une disentangle train goes on with it")
    config = json.loads((folder / CONFIG).read_text())
    model = run.build(config["architecture"]["channels"])
    model.load_state_dict(load_file(folder / WEIGHTS))
    return model.to(device).eval().requires_grad_(False)
