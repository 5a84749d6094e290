"""Training on several workers under Ray Train: recipes stay as they are, gradients are averaged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from une_ray.training import zoo
from une_ray.training.workspace import Workspace


def train(part: str, workspace: Workspace, num_workers: int) -> None:
    """Train one part on `num_workers` workers, a GPU each where the cluster has any.

    The batch is split among them; a contrastive loss sees the negatives of its own worker only. A worker
    that dies fails the run; the same command goes on from the last checkpoint.
    """
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    ray.init(ignore_reinit_error=True)
    use_gpu = ray.cluster_resources().get("GPU", 0) >= num_workers
    TorchTrainer(
        _loop,
        train_loop_config={
            "part": part,
            "workspace": replace(workspace, device="cuda" if use_gpu else "cpu"),
        },
        scaling_config=ScalingConfig(num_workers=num_workers, use_gpu=use_gpu),
        run_config=RunConfig(name=f"mini-zoo-{part}", storage_path=str(workspace.folder / "ray")),
    ).fit()


def _loop(config: dict[str, Any]) -> None:
    workspace: Workspace = config["workspace"]
    zoo.train(config["part"], workspace, threads=1 if workspace.device == "cpu" else None)
