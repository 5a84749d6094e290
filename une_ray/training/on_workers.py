"""One training on several workers under Ray Train: those of recipes, and those of studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from une_ray.errors import UneError, reason

RETRIES = 2  # of a training one of whose workers died


def on_workers(
    loop: Callable[[dict[str, Any]], None],
    config: dict[str, Any],
    num_workers: int,
    folder: Path,
    name: str,
) -> None:
    """Run `loop(config)` on `num_workers` workers, whose `config["device"]` is a GPU each where the cluster
    has so many, and else the CPU. Their Ray is the one that is joined already, or starts here.

    A worker that dies costs what came after the last checkpoint: all workers begin again, twice at most, and
    the loop goes on from what it saved. Ray Train's own files lie in `folder`, which all workers must see.
    Raises UneError where it fails for good.
    """
    import ray
    from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
    from ray.train.torch import TorchTrainer

    ray.init(ignore_reinit_error=True)
    have = ray.cluster_resources()
    use_gpu = have.get("GPU", 0) >= num_workers
    cpus = min(1.0, int(100 * have.get("CPU", 1) / num_workers) / 100)
    trainer = TorchTrainer(
        loop,
        train_loop_config=config | {"device": "cuda" if use_gpu else "cpu"},
        scaling_config=ScalingConfig(
            num_workers=num_workers,
            use_gpu=use_gpu,
            resources_per_worker=None if use_gpu else {"CPU": cpus},
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(folder),
            failure_config=FailureConfig(max_failures=RETRIES),
        ),
    )
    try:
        trainer.fit()
    except TrainingFailedError as error:
        causes = list(getattr(error, "worker_failures", {}).values())
        said = (
            str(causes[0]) if causes and isinstance(causes[0], UneError) else reason((causes or [error])[0])
        )
        raise UneError(f"{name} failed on {num_workers} workers: {said}; the same command goes on") from error
