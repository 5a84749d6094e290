"""Facts of a model that is in no row of the table, read from its own configuration files."""

from __future__ import annotations

from une_ray.models.configuration import read_json
from une_ray.models.spec import ModelSpec
from une_ray.registry import MODEL_KINDS


def complete(spec: ModelSpec) -> ModelSpec:
    """The spec with `dim` and `preprocessing` as the model's configuration says. Raises UneError where a file
    is missing."""
    return MODEL_KINDS.find(spec.kind).complete(spec)


def train_timesteps(spec: ModelSpec) -> int:
    """How many timesteps a generator's noise schedule has. Raises UneError where its scheduler's file is
    missing."""
    scheduler = read_json(spec, "scheduler/scheduler_config.json")
    return scheduler.get("num_train_timesteps", 1000)  # diffusers' own default


def text_towers(spec: ModelSpec) -> dict[str, str]:
    """A diffusers model's text towers, name → class. Raises UneError where its index is missing."""
    parts = read_json(spec, "model_index.json").items()
    return {name: part[1] for name, part in parts if name.startswith("text_encoder") and part[1]}
