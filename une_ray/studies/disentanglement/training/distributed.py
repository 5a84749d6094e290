"""One training on several workers under Ray Train: the batch is split among them, gradients are averaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from une_ray.studies.disentanglement.training.run import Run


def train(run: Run, folder: Path, num_workers: int) -> None:
    """Train `run` in `folder`, which all workers must see, a GPU each where the cluster has so many.

    A worker that dies fails the training; the same command goes on from the last checkpoint.
    """
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    ray.init(ignore_reinit_error=True)
    use_gpu = ray.cluster_resources().get("GPU", 0) >= num_workers
    TorchTrainer(
        _loop,
        train_loop_config={"run": run, "folder": folder, "device": "cuda" if use_gpu else "cpu"},
        scaling_config=ScalingConfig(num_workers=num_workers, use_gpu=use_gpu),
        run_config=RunConfig(name=folder.name, storage_path=str(folder.parent / "ray")),
    ).fit()


def _loop(config: dict[str, Any]) -> None:
    """On each worker."""
    import torch

    from une_ray.studies.disentanglement.training.job import train_one

    if config["device"] == "cpu":
        torch.set_num_threads(1)
    train_one(config["run"], config["folder"], config["device"])
