"""Training on several workers under Ray Train: the recipes stay as they are, `training/loop.py` averages their gradients."""

from __future__ import annotations

from dataclasses import replace

from une_ray.training.zoo import Work


def train(part: str, work: Work, num_workers: int) -> None:
    """Train one part on `num_workers` workers, a GPU each where the cluster has any. The batch is split among them.

    A contrastive loss sees the negatives of its own worker only. A worker that dies fails the run; the same command goes on from
    the last checkpoint.
    """
    import ray
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    ray.init(ignore_reinit_error=True)
    use_gpu = ray.cluster_resources().get("GPU", 0) >= num_workers
    TorchTrainer(
        _loop,
        train_loop_config={"part": part, "work": replace(work, device="cuda" if use_gpu else "cpu")},
        scaling_config=ScalingConfig(num_workers=num_workers, use_gpu=use_gpu),
        run_config=RunConfig(name=f"mini-zoo-{part}", storage_path=str(work.folder / "ray")),
    ).fit()


def _loop(config: dict) -> None:
    from une_ray.training.cli import train

    train(config["part"], config["work"], threads=1 if config["work"].device == "cpu" else None)
