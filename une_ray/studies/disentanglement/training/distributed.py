"""One training on several workers under Ray Train: the batch is split among them, gradients are averaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from une_ray.run.cluster import Cluster
from une_ray.run.placement import Demand
from une_ray.studies.disentanglement.training.files import alone
from une_ray.studies.disentanglement.training.job import check_finished, training_pictures
from une_ray.studies.disentanglement.training.run import Run, is_finished


def train(run: Run, folder: Path, num_workers: int, address: str | None = None) -> None:
    """Train `run` in `folder`, which all workers must see, a GPU each where the cluster has so many. A
    finished one starts no Ray.

    Where a worker dies all go on from the last checkpoint. Raises UneError where that fails for good, and
    where the folder is another training's, or is trained in by another process.
    """
    check_finished(run, folder)
    if is_finished(folder):
        return
    with alone(folder):
        training_pictures(run, folder)  # here once, not by every worker
        Cluster(address, num_workers).pools([Demand()])  # joined or started, with what is wrong in one line
        from une_ray.training.on_workers import on_workers

        on_workers(_loop, {"run": run, "folder": folder}, num_workers, folder.parent / "ray", folder.name)


def _loop(config: dict[str, Any]) -> None:
    """On each worker."""
    import torch

    from une_ray.studies.disentanglement.training.job import train_held

    if config["device"] == "cpu":
        torch.set_num_threads(1)
    train_held(config["run"], config["folder"], config["device"])
