"""Methods against memorisation on prompts of known dose: the tasks of the study, and the worker that turns
each into rows.

Every picture starts from noise drawn by its prompt and seed alone, so that methods are compared on the same
noise, and every method is held against the plain sampling. All similarities are of one metric, `copy_metric`.
"""

from __future__ import annotations

import hashlib
import io
import json
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import torch

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.models.adhoc import text_towers
from une_ray.models.generators import Generator, load_generator
from une_ray.models.resolve import as_pinned, pin
from une_ray.models.spec import ModelSpec
from une_ray.models.table import find_model
from une_ray.pictures.tensors import to_image
from une_ray.registry import DETECTORS, MITIGATIONS
from une_ray.run.placement import Demand
from une_ray.studies.memorization.attention import class_masses
from une_ray.studies.memorization.copy_metric import find_metric, metric_facts
from une_ray.studies.memorization.defaults import COPY_METRIC, PLAIN
from une_ray.studies.memorization.measures import Alignment, Realness, copies, diversities
from une_ray.studies.memorization.prompts import Prompt
from une_ray.studies.memorization.sampling import Sampling
from une_ray.studies.memorization.task import MemorizationTask, MethodChoice
from une_ray.studies.memorization.token_rows import CLASSES
from une_ray.studies.memorization.towers import check_towers
from une_ray.studies.memorization.trace import trace

BLOCK = 4  # prompts per task: with ten seeds half a minute's work of one core at 64 pixels
ENCODER = "mini-dino"  # in whose space distances to real pictures are
PLAIN_CHOICE = MethodChoice(name=PLAIN, settings={})

Row = dict[str, Any]
"""Some columns of one picture."""


def tasks(
    model: str,
    methods: Sequence[MethodChoice],
    prompts: Sequence[Prompt],
    seeds: int = 10,
    steps: int = 50,
    guidance_scale: float = 7.5,
    judge: str = "mini-clip-b",
    copy_metric: str = COPY_METRIC,
) -> list[MemorizationTask]:
    """One task per block of prompts and method, each of all seeds; a block's methods stand side by side.

    Raises UneError for an unknown model, method, setting or copy metric, and for a model that does not
    generate or not by one CLIP text tower.
    """
    spec, fingerprint = generator(model)
    for method in methods:
        MITIGATIONS.find(method.name).check(method.name, method.settings)
    blocks = [tuple(prompts[i : i + BLOCK]) for i in range(0, len(prompts), BLOCK)]
    judge_weights, encoder_weights = (pin(find_model(name))[1] for name in (judge, ENCODER))
    return [
        MemorizationTask(
            model=spec.id,
            revision=spec.revision,
            weights=fingerprint,
            judge=judge,
            judge_weights=judge_weights,
            encoder=ENCODER,
            encoder_weights=encoder_weights,
            steps=steps,
            spacing=spec.spacing,
            guidance_scale=guidance_scale,
            seeds=tuple(range(seeds)),
            prompts=block,
            method=method,
            **metric_facts(copy_metric),
        )
        for block in blocks
        for method in methods
    ]


def generator(model: str) -> tuple[ModelSpec, str]:
    """The spec, its revision fixed, and a hash of its weights, of an id of `une models`, a diffusers id
    OWNER/NAME, or KIND:SOURCE.

    Raises UneError for what does not generate, or is told what to by more than one CLIP text tower.
    """
    spec = find_model(f"stable-diffusion:{model}" if "/" in model and ":" not in model else model)
    if not spec.is_generator:
        raise UneError(f"{model} is an encoder: it makes no pictures; name a generator, as mini-sd-dup")
    check_towers(model, text_towers(spec))
    return pin(spec)


def noise(prompt: str, seed: int, shape: Sequence[int]) -> torch.Tensor:
    """x_T of `shape` for one picture, float32, by prompt and seed alone: no batch, order or machine changes
    it."""
    digest = hashlib.sha256(f"{seed}/{prompt}".encode()).digest()
    drawn_from = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return torch.randn(*shape, generator=drawn_from)


@dataclass(frozen=True, eq=False, kw_only=True)
class Made:
    """A task's `pictures` (n, 3, h, w) in [-1, 1] on the CPU, in the order of its rows: prompt by prompt,
    seed by seed.

    `seconds` are per picture; `peak_bytes` is the GPU's memory meanwhile, or this process' so far.
    """

    pictures: torch.Tensor
    seconds: float
    peak_bytes: int


class Bench:
    """One actor: a generator and its judges in memory."""

    demand: ClassVar[Demand] = Demand(gpus=1.0, per_core=True)

    def __init__(self, lake_url: str, options: object, device: str) -> None:
        self.lake, self.device = Lake(lake_url), device
        self.generator = lru_cache(maxsize=1)(self._generator)
        self.alignment = lru_cache(maxsize=1)(lambda judge: Alignment.load(pin(find_model(judge))[0], device))
        self.plain: tuple[str, torch.Tensor] | None = (
            None  # the last block's, since its methods follow each other
        )

    def __call__(self, task: Mapping[str, Any]) -> list[Row]:
        """A row per prompt × seed of the table `memorization`; the first seed's pictures are in the lake
        before the rows are."""
        record = MemorizationTask.from_row(task)
        made = self.make(record)
        names = [{"picture": name} for name in self.save(record, made)]
        return joined(self.measure(record, made), self.compare(record, made), names)

    def make(self, task: MemorizationTask) -> Made:
        """The pictures, and what they cost."""
        self.generator(task.model, task.weights)  # loading is none of a picture's seconds
        on_gpu = self.device == "cuda"
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        begin = time.monotonic()
        pictures = self._pictures(task)
        seconds = (time.monotonic() - begin) / len(pictures)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if on_gpu:
            peak = torch.cuda.max_memory_allocated()
        return Made(pictures=pictures, seconds=seconds, peak_bytes=peak)

    def measure(self, task: MemorizationTask, made: Made) -> list[Row]:
        """Per picture the task's facts, its costs, and what the judges say of it and its prompt's other
        seeds."""
        metric = find_metric(task.copy_metric, self.device)
        descriptors, size = metric.describe(made.pictures), made.pictures.shape[-1]
        costs = {"seconds": made.seconds, "peak_bytes": made.peak_bytes}
        return joined(
            [_facts(task, prompt, seed) | costs for prompt in task.prompts for seed in task.seeds],
            copies(task.prompts, descriptors, size, metric),
            diversities(descriptors, len(task.seeds), metric),
            self.alignment(task.judge)(task.prompts, made.pictures),
            Realness.load(task.encoder, self.device)(task.prompts, made.pictures),
        )

    def compare(self, task: MemorizationTask, made: Made) -> list[Row]:
        """What takes more sampling: per picture its similarity to the plain one, and of plain ones what the
        detectors say."""
        metric = find_metric(task.copy_metric, self.device)
        originals = metric.describe(self._originals(task, made.pictures))
        similarities = metric.compare(metric.describe(made.pictures), originals).tolist()
        rows = [{"similarity_unmitigated": value} for value in similarities]
        return joined(rows, self._watched(task)) if task.method.name == PLAIN else rows

    def save(self, task: MemorizationTask, made: Made) -> list[str | None]:
        """Write every prompt's picture of the first seed into the lake; per picture its name there."""
        names: list[str | None] = []
        for i, picture in enumerate(made.pictures):
            prompt, seed = divmod(i, len(task.seeds))
            name = None
            if seed == 0:
                name, data = f"memorization/{task.config}/{prompt}-{task.seeds[0]}.png", io.BytesIO()
                to_image(picture).save(data, "PNG")
                self.lake.store.commit(name, data.getvalue())
            names.append(name)
        return names

    def _generator(self, model: str, weights: str) -> tuple[Generator, int]:
        spec = as_pinned(find_model(model), weights)
        return load_generator(spec, self.device), spec.batch_size

    def _samplings(self, task: MemorizationTask) -> Iterator[Sampling]:
        """The task's pictures in batches, in the order of its rows."""
        generator, size = self.generator(task.model, task.weights)
        pairs = [(prompt.text, seed) for prompt in task.prompts for seed in task.seeds]
        for batch in (pairs[i : i + size] for i in range(0, len(pairs), size)):
            drawn = [noise(prompt, seed, generator.latent_shape) for prompt, seed in batch]
            yield Sampling(
                generator=generator,
                prompts=[prompt for prompt, _ in batch],
                x_T=torch.stack(drawn).to(self.device),
                timesteps=timesteps(task.steps, task.spacing),
                guidance_scale=task.guidance_scale,
            )

    def _pictures(self, task: MemorizationTask) -> torch.Tensor:
        """(n, 3, h, w) in [-1, 1], on the CPU."""
        method = MITIGATIONS.find(task.method.name)
        latents = ((s.generator, method.latents(s, task.method.settings)) for s in self._samplings(task))
        return torch.cat([generator.decode(z) for generator, z in latents]).cpu()

    def _originals(self, task: MemorizationTask, pictures: torch.Tensor) -> torch.Tensor:
        """The plain pictures of the task's prompts and seeds, made once a block; `pictures` where the task is
        plain itself."""
        if task.method == PLAIN_CHOICE:
            self.plain = task.config, pictures
            return pictures
        plain = replace(task, method=PLAIN_CHOICE)
        config, originals = self.plain or ("", pictures)
        if config != plain.config:
            originals = self._pictures(plain)
            self.plain = plain.config, originals
        return originals

    def _watched(self, task: MemorizationTask) -> list[Row]:
        """What the detectors say of every picture, and by step the cross-attention on each class of tokens,
        averaged over layers."""
        rows = []
        for s in self._samplings(task):
            watched = trace(s.generator, s.encode(), s.x_T, s.timesteps, s.guidance_scale)
            scores = {name: detector(watched).tolist() for name, detector in DETECTORS.items()}
            masses = class_masses(watched.token_weights, watched.classes).mean(1).permute(1, 2, 0).tolist()
            for i, mass in enumerate(masses):
                detectors = [(name, values[i]) for name, values in scores.items()]
                rows.append({"detectors": detectors, "attention": [*zip(CLASSES, mass, strict=True)]})
        return rows


def joined(*parts: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows of the columns of all parts, which have a row per picture each."""
    return [
        {name: value for columns in row for name, value in columns.items()}
        for row in zip(*parts, strict=True)
    ]


def _facts(task: MemorizationTask, prompt: Prompt, seed: int) -> Row:
    return {
        "model": task.model,
        "weights": task.weights,
        "method": task.method.name,
        "settings": json.dumps(dict(task.method.settings), sort_keys=True),
        "steps": task.steps,
        "guidance_scale": task.guidance_scale,
        "prompt": prompt.text,
        "kind": prompt.kind,
        "dose": prompt.dose,
        "seed": seed,
    }
