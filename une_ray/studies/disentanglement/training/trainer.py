"""The one trainer: phase after phase, until the compute is spent; a killed one goes on from its checkpoint.

A step draws its pictures and noise under a seed of its own, so that a run that was killed ends with the
weights of one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from une_ray.errors import UneError
from une_ray.studies.disentanglement.models.model import Batch, Disentangler, Losses, Phase
from une_ray.studies.disentanglement.training.compute import flops
from une_ray.studies.disentanglement.training.files import sweep, whole
from une_ray.studies.disentanglement.training.pictures import Pictures
from une_ray.studies.disentanglement.training.run import CONFIG, WEIGHTS, Run, has_config, is_finished
from une_ray.training.loop import average_gradients, rank, workers

CHECKPOINT, CURVE = "checkpoint.pt", "curve.jsonl"
CHECKPOINT_SECONDS = 20.0
STEPS_PER_LINE = 20  # of the curve
MEGA = 10**6


class Training:
    """A model in training: optimisers, what was spent, the checkpoint. `budget` is in floating-point
    operations."""

    def __init__(self, run: Run, pictures: Pictures, folder: Path, device: str = "cpu") -> None:
        self.run, self.pictures, self.folder, self.device = run, pictures, folder, device
        self.model: Disentangler = run.build(pictures.channels).to(device).train()
        self.groups = self.model.groups()
        self.parameters = {
            name: [p for network in group.networks for p in network.parameters()]
            for name, group in self.groups.items()
        }
        self.optimizers = {
            name: torch.optim.Adam(self.parameters[name], run.at.learning_rate, betas=group.betas, fused=True)
            for name, group in self.groups.items()
        }
        self.costs: dict[tuple[str, str], int] = {}
        self.step, self.spent, self.seconds = 0, 0, 0.0
        self._resume()
        self.started = self.saved_at = time.monotonic()

    @property
    def progress(self) -> float:
        """Share of the compute that is spent."""
        return self.spent / self.budget

    @property
    def budget(self) -> int:
        """Of this worker: the scale's VAE steps, times the run's `compute`."""
        if not hasattr(self, "_budget"):
            self._budget = max(1, round(self.run.compute * self.run.at.vae_steps * self._vae_step()))
        return self._budget

    def advance(self) -> dict[str, Losses]:
        """One step: every phase of the model, each on pictures and noise of its own. Raises UneError where a
        loss is not finite."""
        batch = self.batch(self.step)
        losses = {}
        for phase in self.model.phases(self.progress):
            losses[phase.group] = self._descend(phase, batch)
        self.step += 1
        return losses

    def batch(self, step: int) -> Batch:
        """What the losses of a step draw from."""
        size = max(1, self.run.at.batch_size // workers())
        generator = torch.Generator().manual_seed((self.run.seed * 1_000_003 + step) % 2**40 + 2**40 * rank())
        return Batch(
            size=size,
            rows=lambda: self.pictures.draw(size, generator).to(self.device),
            generator=generator,
            device=self.device,
        )

    def save(self) -> None:
        """The checkpoint, replaced whole."""
        state = {
            "model": self.model.state_dict(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "step": self.step,
            "spent": self.spent,
            "seconds": self.trained_for(),
        }
        with whole(self.folder / CHECKPOINT) as temporary:
            torch.save(state, temporary)
        self.saved_at = time.monotonic()

    def trained_for(self) -> float:
        """Seconds, those before a kill included."""
        return self.seconds + time.monotonic() - self.started

    def _resume(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.exists():
            return
        saved = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(saved["optimizers"][name])
        self.step, self.spent, self.seconds = saved["step"], saved["spent"], saved["seconds"]

    def _descend(self, phase: Phase, batch: Batch) -> Losses:
        """One Adam step of a phase, whose cost is counted the first time and remembered."""
        for name, parameters in self.parameters.items():
            for parameter in parameters:
                parameter.requires_grad_(name == phase.group)
        losses: Losses = {}

        def gradients() -> None:
            losses.update(phase.loss(batch))
            self.optimizers[phase.group].zero_grad(set_to_none=True)
            losses["loss"].backward()

        kind = (phase.group, phase.loss.__qualname__)
        if kind in self.costs:
            gradients()
        else:
            self.costs[kind] = flops(gradients)
        if not math.isfinite(losses["loss"].item()):
            raise UneError(
                f"{self.run.variant}: the loss of its {phase.group} is {losses['loss'].item()} at step"
                f" {self.step:,}; lower its weights, or try another --seed"
            )
        average_gradients(self.parameters[phase.group])
        self.optimizers[phase.group].step()
        self.spent += self.costs[kind]
        return {name: value.detach() for name, value in losses.items()}

    def _vae_step(self) -> int:
        """Operations of one step of a plain VAE at this scale."""
        from une_ray.studies.disentanglement.models.vae import VAE

        with torch.random.fork_rng(devices=[]):
            vae = VAE(self.run.at.build(self.pictures.channels)).to(self.device)
        return flops(lambda: vae.loss(self.batch(0))["loss"].backward())


def train(
    run: Run,
    pictures: Pictures,
    folder: Path,
    device: str = "cpu",
    finish: Callable[[Training], None] | None = None,
) -> Path:
    """Train one model, or go on with it; a finished one is left alone. Gives the folder, which the caller
    holds (`files.alone`) where others might train in it.

    `finish` is called with the trained model before its weights are written, which say that all is done.
    """
    if is_finished(folder):
        return folder
    if rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
        if not has_config(folder):
            config = run.config(run.at.build(pictures.channels).architecture)
            with whole(folder / CONFIG) as temporary:
                temporary.write_text(json.dumps(config, indent=1) + "\n")
    training = Training(run, pictures, folder, device)
    if training.model.phases(0.0):
        _spend(training)
    if rank() == 0:
        training.model.eval().requires_grad_(False)
        if finish is not None:
            finish(training)
        _write(training)
    return folder


def _spend(training: Training) -> None:
    """Steps until the compute is spent, with progress, losses and checkpoints."""
    curve = training.folder / CURVE
    _forget_after(curve, training.step)
    bar = tqdm(
        total=training.budget // MEGA,
        initial=min(training.spent, training.budget) // MEGA,
        desc=training.run.variant,
        mininterval=2,
        disable=rank() > 0,
        bar_format="{desc}: {percentage:.1f}%|{bar}| {elapsed}<{remaining}{postfix}",
    )
    while training.progress < 1:
        step = training.step
        losses = training.advance()
        bar.update(min(training.spent, training.budget) // MEGA - bar.n)
        if rank() == 0 and (step % STEPS_PER_LINE == 0 or training.progress >= 1):
            values = _rounded(losses)
            bar.set_postfix(step=step, **{name: f"{value:.3g}" for name, value in values.items()})
            with curve.open("a") as lines:
                lines.write(json.dumps({"step": step, "teraflop": training.spent / 1e12, **values}) + "\n")
        if rank() == 0 and time.monotonic() - training.saved_at > CHECKPOINT_SECONDS:
            training.save()
    bar.close()
    if rank() == 0:
        training.save()


def _rounded(losses: dict[str, Losses]) -> dict[str, float]:
    """`group/part` → value; a group with one part by its own name."""
    return {
        group if name == "loss" else f"{group}/{name}": round(value.item(), 5)
        for group, parts in losses.items()
        for name, value in parts.items()
    }


def _forget_after(curve: Path, step: int) -> None:
    """Leave out of the curve what came after the checkpoint, and is done again."""
    if curve.exists():
        lines = curve.read_text().splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] < step]
        with whole(curve) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept))


def _write(training: Training) -> None:
    """The finished model's facts and weights, the weights last."""
    from safetensors.torch import save_file

    from une_ray.training.loop import machine

    facts: dict[str, Any] = {
        "steps": training.step,
        "teraflop": training.spent * workers() / 1e12,
        "parameters": sum(p.numel() for p in training.model.parameters()),
        "seconds": round(training.trained_for(), 1),
        "machine": machine(training.device).replace(", bf16 autocast", ""),
        "workers": workers(),
    }
    with (training.folder / "training.jsonl").open("w") as file:
        file.write(json.dumps(facts) + "\n")
    weights = {name: tensor.contiguous().cpu() for name, tensor in training.model.state_dict().items()}
    with whole(training.folder / WEIGHTS) as temporary:
        save_file(weights, temporary)
    (training.folder / CHECKPOINT).unlink(missing_ok=True)
