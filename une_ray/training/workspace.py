"""The folder that a training of the mini zoo works in, and how big the training is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from une_ray.training.data import TRAINING_SEED, Pictures, pictures
from une_ray.training.loop import Settings, workers


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """Where the parts are trained, on how many avatars, on which device.

    `steps` overrides every recipe's own number.
    """

    folder: Path
    images: int = 40_000
    steps: int | None = None
    device: str = "cpu"

    def model(self, part: str) -> Path:
        """Folder of a part's finished weights, in its library's own layout."""
        return self.folder / part / "model"

    def finished(self, part: str) -> bool:
        """Whether a part is trained: its weights and its `settings.json`, which comes last, are there."""
        return (self.folder / part / "settings.json").exists() and any(self.model(part).glob("*.safetensors"))

    def pictures(self, half: str) -> Pictures:
        """The training avatars of a half: "a", "b" or "all"."""
        return pictures(self.images, TRAINING_SEED, self.folder).half(half)

    def settings(self, recipe: Settings, **changes: Any) -> Settings:
        """A recipe's settings for one worker, whose batch is its share of the recipe's."""
        if self.steps:
            changes |= {"steps": self.steps}
        return replace(recipe, batch_size=max(1, recipe.batch_size // workers()), **changes)
