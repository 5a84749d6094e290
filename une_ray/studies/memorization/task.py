"""One task of the study: a block of prompts under one method, and all that decides its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from une_ray.lake import results
from une_ray.settings import Value
from une_ray.studies.memorization.defaults import COPY_CRITERION, COPY_METRIC
from une_ray.studies.memorization.prompts import Prompt


@dataclass(frozen=True, kw_only=True)
class MethodChoice:
    """A method by its name, and those of its settings that are not the default."""

    name: str
    settings: Mapping[str, Value]

    def __str__(self) -> str:
        """`zero-pads:fraction=0.5:by=removal`, as a command line writes it."""
        texts = (
            f"{name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, value in self.settings.items()
        )
        return ":".join([self.name, *texts])


@dataclass(frozen=True, kw_only=True)
class MemorizationTask:
    """Pictures of every prompt × seed under one method, and what they are measured by.

    `weights`, `judge_weights`, `encoder_weights` and `copy_metric_weights` are fingerprints. A metric without
    weights has none.
    """

    model: str
    revision: str | None
    weights: str
    judge: str
    judge_weights: str
    encoder: str
    encoder_weights: str
    steps: int
    spacing: str
    guidance_scale: float
    seeds: tuple[int, ...]
    prompts: tuple[Prompt, ...]
    method: MethodChoice
    copy_metric: str = COPY_METRIC
    copy_metric_weights: str | None = None
    copy_criterion: str = COPY_CRITERION

    @property
    def size(self) -> int:
        """Pictures."""
        return len(self.prompts) * len(self.seeds)

    @property
    def config(self) -> str:
        """The hash that names its rows' file."""
        return results.config_hash(self.to_row())

    def to_row(self) -> dict[str, Any]:
        """As JSON holds it. The default metric is left out: tasks made before there were others keep their
        names."""
        metric = {"copy_metric": self.copy_metric, "copy_metric_weights": self.copy_metric_weights}
        return {
            "model": self.model,
            "revision": self.revision,
            "weights": self.weights,
            "judge": self.judge,
            "judge_weights": self.judge_weights,
            "encoder": self.encoder,
            "encoder_weights": self.encoder_weights,
            "steps": self.steps,
            "spacing": self.spacing,
            "guidance_scale": self.guidance_scale,
            "seeds": list(self.seeds),
            **({} if self.copy_metric == COPY_METRIC else metric),
            "copy_criterion": self.copy_criterion,
            "prompts": [prompt.to_row() for prompt in self.prompts],
            "method": self.method.name,
            "settings": dict(self.method.settings),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> MemorizationTask:
        """What `to_row` was made of."""
        records: dict[str, Any] = {
            "seeds": tuple(row["seeds"]),
            "prompts": tuple(Prompt.from_row(prompt) for prompt in row["prompts"]),
            "method": MethodChoice(name=row["method"], settings=row["settings"]),
        }
        plain = {name: value for name, value in row.items() if name not in (*records, "settings")}
        return cls(**plain, **records)
