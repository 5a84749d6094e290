"""Training on several workers under Ray Train: recipes stay as they are, gradients are averaged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from une_ray.training import zoo
from une_ray.training.on_workers import on_workers
from une_ray.training.workspace import Workspace


def train(part: str, workspace: Workspace, num_workers: int) -> None:
    """Train one part on `num_workers` workers, a GPU each where the cluster has any.

    The batch is split among them; a contrastive loss sees the negatives of its own worker only. Where a
    worker dies all go on from the last checkpoint. Raises UneError where that fails for good.
    """
    config = {"part": part, "workspace": workspace}
    on_workers(_loop, config, num_workers, workspace.folder / "ray", f"mini-zoo-{part}")


def _loop(config: dict[str, Any]) -> None:
    workspace: Workspace = replace(config["workspace"], device=config["device"])
    zoo.train(config["part"], workspace, threads=1 if workspace.device == "cpu" else None)
