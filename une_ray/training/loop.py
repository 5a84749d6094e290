"""The one training loop: AdamW, cosine decay, bf16 autocast, EMA, checkpoints that a killed run resumes from."""

from __future__ import annotations

import copy
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tqdm import tqdm

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


def fit(
    module: torch.nn.Module,
    losses: Callable[[torch.nn.Module, torch.Generator, int], Losses],
    settings: Settings,
    folder: Path,
    device: str = "cpu",
    label: str = "training",
    after_step: Callable[[int], None] | None = None,
) -> torch.nn.Module:
    """Minimise `losses(...)["loss"]` and return the exponential moving average of `module` in eval mode.

    `losses(module, generator, step)` draws its batch from `generator`, which is seeded from (seed, step): a run
    that is killed and resumed sees the batches of one that was not. Curves go to `folder/curve.jsonl`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    module = module.to(device).train()
    average = copy.deepcopy(module).eval().requires_grad_(False)
    trained = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.99))
    checkpoint = folder / "checkpoint.pt"
    first, seconds = 0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        module.load_state_dict(saved["module"])
        average.load_state_dict(saved["average"])
        optimizer.load_state_dict(saved["optimizer"])
        first, seconds = saved["step"], saved["seconds"]
    started = saved_at = time.monotonic()

    def save(step: int) -> None:
        state = {
            "module": module.state_dict(), "average": average.state_dict(), "optimizer": optimizer.state_dict(),
            "step": step, "seconds": seconds + time.monotonic() - started,
        }  # fmt: skip
        torch.save(state, checkpoint.with_suffix(".tmp"))
        os.replace(checkpoint.with_suffix(".tmp"), checkpoint)

    bar = tqdm(range(first, settings.steps), initial=first, total=settings.steps, desc=label, unit="step", mininterval=2)
    for step in bar:
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * cosine(step, settings)
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        with torch.autocast(device.split(":")[0], torch.bfloat16):
            parts = losses(module, generator, step)
        if not torch.isfinite(parts["loss"]):
            raise FloatingPointError(f"{label}: loss is {parts['loss'].item()} at step {step}")
        optimizer.zero_grad(set_to_none=True)
        parts["loss"].backward()
        torch.nn.utils.clip_grad_norm_(trained, settings.gradient_clip)
        optimizer.step()
        follow(average, module, min(settings.ema_decay, (1 + step) / (10 + step)))
        if after_step is not None:
            after_step(step)
        if step % 20 == 0 or step + 1 == settings.steps:
            values = {name: round(value.item(), 5) for name, value in parts.items()}
            bar.set_postfix(values)
            with (folder / "curve.jsonl").open("a") as curve:
                curve.write(json.dumps({"step": step, "lr": optimizer.param_groups[0]["lr"], **values}) + "\n")
        if time.monotonic() - saved_at > settings.checkpoint_seconds:
            save(step + 1)
            saved_at = time.monotonic()
    save(settings.steps)
    record = asdict(settings) | {"seconds": round(seconds + time.monotonic() - started), "machine": machine(device)}
    (folder / "settings.json").write_text(json.dumps(record, indent=1))
    return average


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
