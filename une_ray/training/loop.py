"""The one training loop: AdamW, cosine decay, bf16 autocast, EMA, checkpoints that a killed run resumes from.

Under `torch.distributed` (see `training/distributed.py`) every worker draws its own share of the batch and
gradients are averaged.
"""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import distributed
from tqdm import tqdm

Net = TypeVar("Net", bound=torch.nn.Module)
Losses = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Settings:
    """What a recipe is run with; goes into the model card word for word."""

    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup_steps: int = 100
    ema_decay: float = 0.999
    gradient_clip: float = 1.0
    seed: int = 0
    checkpoint_seconds: float = 60.0


class Run(Generic[Net]):
    """A module in training: its moving average, its optimiser, how far it is, its checkpoint."""

    def __init__(self, module: Net, settings: Settings, folder: Path, device: str) -> None:
        self.module: Net = module.to(device).train()
        self.average: Net = copy.deepcopy(self.module).eval().requires_grad_(False)
        self.trained = [p for p in self.module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self.trained, settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.99)
        )
        self.settings, self.device, self.checkpoint = settings, device, folder / "checkpoint.pt"
        self.step, self.seconds = 0, 0.0
        if self.checkpoint.exists():
            saved = torch.load(self.checkpoint, map_location=device, weights_only=True)
            self.module.load_state_dict(saved["module"])
            self.average.load_state_dict(saved["average"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.step, self.seconds = saved["step"], saved["seconds"]
        self.started = self.saved_at = time.monotonic()

    def save(self) -> None:
        """The checkpoint, replaced whole."""
        state = {
            "module": self.module.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.trained_for(),
        }
        torch.save(state, self.checkpoint.with_suffix(".tmp"))
        os.replace(self.checkpoint.with_suffix(".tmp"), self.checkpoint)
        self.saved_at = time.monotonic()

    def trained_for(self) -> float:
        """Seconds, those before a kill included."""
        return self.seconds + time.monotonic() - self.started

    def update(self, loss: torch.Tensor) -> None:
        """One AdamW step down the gradient of `loss`, averaged over workers; the moving average follows."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * cosine(self.step, self.settings)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.trained)
        torch.nn.utils.clip_grad_norm_(self.trained, self.settings.gradient_clip)
        self.optimizer.step()
        follow(self.average, self.module, min(self.settings.ema_decay, (1 + self.step) / (10 + self.step)))
        self.step += 1


def fit(
    module: Net,
    losses: Callable[[Net, torch.Generator, int], Losses],
    settings: Settings,
    folder: Path,
    device: str = "cpu",
    label: str = "training",
    after_step: Callable[[int], None] | None = None,
) -> Net:
    """Minimise `losses(...)["loss"]` and return the exponential moving average of `module` in eval mode.

    `losses(module, generator, step)` draws its batch from `generator`, which is seeded from (seed, step,
    worker): a run that is killed and resumed sees the batches of one that was not. Curves go to
    `folder/curve.jsonl`. Raises FloatingPointError where a loss is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    run, worker = Run(module, settings, folder, device), rank()
    bar = tqdm(
        initial=run.step, total=settings.steps, desc=label, unit="step", mininterval=2, disable=worker > 0
    )
    while run.step < settings.steps:
        step = run.step
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step + 2**40 * worker)
        with torch.autocast(device.split(":")[0], torch.bfloat16):
            parts = losses(run.module, generator, step)
        if not torch.isfinite(parts["loss"]):
            raise FloatingPointError(f"{label}: loss is {parts['loss'].item()} at step {step}")
        run.update(parts["loss"])
        if after_step is not None:
            after_step(step)
        bar.update()
        if worker == 0 and (step % 20 == 0 or run.step == settings.steps):
            values = {name: round(value.item(), 5) for name, value in parts.items()}
            bar.set_postfix(values)
            with (folder / "curve.jsonl").open("a") as curve:
                curve.write(
                    json.dumps({"step": step, "lr": run.optimizer.param_groups[0]["lr"], **values}) + "\n"
                )
        if worker == 0 and (
            time.monotonic() - run.saved_at > settings.checkpoint_seconds or run.step == settings.steps
        ):
            run.save()
    bar.close()
    if worker == 0:
        record = asdict(settings) | {
            "seconds": round(run.trained_for()),
            "machine": machine(device),
            "workers": workers(),
        }
        (folder / "settings.json").write_text(json.dumps(record, indent=1))
    return run.average


def rank() -> int:
    """This worker's number; 0 where there is one."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def workers() -> int:
    """How many there are; 1 without `torch.distributed`."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


@torch.no_grad()
def average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Mean over workers, in one message; nothing to do for one."""
    if workers() == 1:
        return
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.reshape(-1) for g in gradients])
    distributed.all_reduce(flat)
    for p, part in zip(parameters, flat.div_(workers()).split([g.numel() for g in gradients]), strict=True):
        p.grad = part.view_as(p)


@torch.no_grad()
def follow(average: torch.nn.Module, module: torch.nn.Module, decay: float) -> None:
    """Exponential moving average of everything in a state dict; counters are copied."""
    for mean, current in zip(average.state_dict().values(), module.state_dict().values(), strict=True):
        mean.lerp_(current, 1 - decay) if mean.is_floating_point() else mean.copy_(current)


def cosine(step: int, settings: Settings) -> float:
    """Linear warm-up, then half a cosine down to one percent of the learning rate."""
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    progress = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


def machine(device: str) -> str:
    """What the model card says of the machine."""
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} thread{'s' if torch.get_num_threads() > 1 else ''}, bf16 autocast"


def draw(count: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """`size` random row numbers below `count`."""
    return torch.randint(count, (size,), generator=generator)
