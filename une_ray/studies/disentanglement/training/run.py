"""What one training is, decided before it begins: its `config.json`, and the folder that it fills."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from une_ray.errors import UneError
from une_ray.models.convolutional import Architecture
from une_ray.registry import DISENTANGLERS
from une_ray.settings import Value, check_settings, parse_settings, settings_of
from une_ray.studies.disentanglement.models.model import Disentangler
from une_ray.studies.disentanglement.training.scales import Scale, scale

CONFIG, WEIGHTS = "config.json", "model.safetensors"
SEEDS = 2**40  # that a generator takes, times the steps and workers that have one of their own


@dataclass(frozen=True, kw_only=True)
class Run:
    """One model on one corpus under one seed. `compute` multiplies the scale's; raises UneError for a model,
    setting or scale that there is not."""

    model: str
    corpus: str
    settings: Mapping[str, Value] = field(default_factory=dict)
    scale: str = "tiny"
    seed: int = 0
    compute: float = 1.0

    def __post_init__(self) -> None:
        check_settings(settings_of(DISENTANGLERS.find(self.model).__init__), self.settings, self.model)
        scale(self.scale)
        if not 0 < self.compute < math.inf:
            raise UneError(f"compute is {self.compute}; it multiplies that of the scale, so above 0")
        if not 0 <= self.seed < SEEDS:
            raise UneError(f"the seed is {self.seed}; seeds are 0 to {SEEDS - 1}")

    @property
    def at(self) -> Scale:
        """The scale's facts."""
        return scale(self.scale)

    @property
    def variant(self) -> str:
        """`did:contrast=false`, as a command line names model and settings."""
        texts = [
            f"{name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, value in sorted(self.settings.items())
        ]
        return ":".join([self.model, *texts])

    @property
    def effective(self) -> tuple[str, Mapping[str, Value]]:
        """The model with all of its settings, defaults too: equal of variants that are the same, as
        `beta-vae` and `beta-vae:beta=4`."""
        known = settings_of(DISENTANGLERS.find(self.model).__init__)
        return self.model, {name: setting.default for name, setting in known.items()} | dict(self.settings)

    def build(self, channels: int) -> Disentangler:
        """The networks, drawn under the run's seed; the process' random state stays as it was."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            settings: dict[str, Any] = dict(self.settings)
            return DISENTANGLERS.find(self.model)(self.at.build(channels), **settings)

    def config(self, architecture: Architecture) -> dict[str, Any]:
        """What stands in the model's folder."""
        return {
            "model": self.model,
            "settings": dict(self.settings),
            "corpus": self.corpus,
            "scale": self.scale,
            "compute": self.compute,
            "seed": self.seed,
            "architecture": architecture.to_json(),
        }


def parse_model(text: str) -> tuple[str, dict[str, Value]]:
    """`beta-vae:beta=8` as a model and its settings. Raises UneError for what there is not."""
    name, *assignments = text.split(":")
    known = settings_of(DISENTANGLERS.find(name).__init__)
    return name, parse_settings(known, assignments, name)


def has_config(folder: Path) -> bool:
    """Whether a folder says of which training it is. An empty file does not: a kill of before has left it."""
    return (folder / CONFIG).exists() and (folder / CONFIG).stat().st_size > 0


def is_finished(folder: Path) -> bool:
    """Whether the training of a folder is over: its weights come last."""
    return (folder / WEIGHTS).exists()
