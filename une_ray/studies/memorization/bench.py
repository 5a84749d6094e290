"""Methods against memorisation on prompts of known dose: the tasks of the study, and the worker that turns each into rows.

Every picture starts from noise drawn by its prompt and seed alone, so that methods are compared on the same noise, and every method is
held against the plain sampling. All similarities are of one metric, `copy_metric`.
"""

from __future__ import annotations

import hashlib
import io
import json
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from functools import lru_cache

import torch

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.lake import results
from une_ray.lake.layout import Lake
from une_ray.models.adhoc import text_towers
from une_ray.models.generators import Generator, load_generator
from une_ray.models.resolve import pin
from une_ray.models.spec import ModelSpec
from une_ray.models.table import find_model
from une_ray.studies.memorization.attention import class_masses
from une_ray.studies.memorization.copy_metric import DEFAULT, find_metric, metric_facts, to_image
from une_ray.studies.memorization.detectors import DETECTORS
from une_ray.studies.memorization.detectors.sharpness import sharpness
from une_ray.studies.memorization.measures import Alignment, Realness, copies, diversities
from une_ray.studies.memorization.methods import Sampling, check, latents
from une_ray.studies.memorization.prompts import Prompt
from une_ray.studies.memorization.token_rows import CLASSES, encode
from une_ray.studies.memorization.towers import check_towers
from une_ray.studies.memorization.trace import trace

WORKER = f"{__name__}:Bench"
PLAIN = "none"
BLOCK = 4  # prompts per task: with ten seeds half a minute's work of one core at 64 pixels
ENCODER = "mini-dino"  # in whose space distances to real pictures are

Method = tuple[str, dict]
"""A method's name and its settings."""


def tasks(
    model: str,
    methods: Sequence[Method],
    prompts: Sequence[Prompt],
    seeds: int = 10,
    steps: int = 50,
    guidance_scale: float = 7.5,
    judge: str = "mini-clip-b",
    copy_metric: str = DEFAULT,
) -> list[dict]:
    """One task per block of prompts and method, each of all seeds; a block's methods stand side by side.

    Raises UneError for an unknown model, method, setting or copy metric, and for a model that does not generate or not by one CLIP text tower.
    """
    spec, fingerprint = generator(model)
    for method, settings in methods:
        check(method, settings)
    common = {
        "model": spec.id,
        "revision": spec.revision,
        "weights": fingerprint,
        "judge": judge,
        "judge_weights": pin(find_model(judge))[1],
        "encoder": ENCODER,
        "encoder_weights": pin(find_model(ENCODER))[1],
        "steps": steps,
        "spacing": spec.spacing,
        "guidance_scale": guidance_scale,
        "seeds": list(range(seeds)),
        **metric_facts(copy_metric),
    }
    blocks = [[_plain(prompt) for prompt in prompts[i : i + BLOCK]] for i in range(0, len(prompts), BLOCK)]
    return [
        common | {"prompts": block, "method": name, "settings": settings}
        for block in blocks
        for name, settings in methods
    ]


def generator(model: str) -> tuple[ModelSpec, str]:
    """The spec, its revision fixed, and a hash of its weights, of an id of `une models`, a diffusers id OWNER/NAME, or KIND:SOURCE.

    Raises UneError for what does not generate, or is told what to by more than one CLIP text tower.
    """
    spec = find_model(f"stable-diffusion:{model}" if "/" in model and ":" not in model else model)
    if not spec.is_generator:
        raise UneError(f"{model} is an encoder: it makes no pictures; name a generator, as mini-sd-dup")
    check_towers(model, text_towers(spec))
    return pin(spec)


def noise(prompt: str, seed: int, shape: Sequence[int]) -> torch.Tensor:
    """x_T of `shape` for one picture, float32, by prompt and seed alone: no batch, order or machine changes it."""
    digest = hashlib.sha256(f"{seed}/{prompt}".encode()).digest()
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    )


class Bench:
    """One actor: a generator and its judges in memory. `une_ray.run.tasks` calls it with a task of `tasks`."""

    def __init__(self, lake_url: str, options: dict, device: str) -> None:
        self.lake, self.device = Lake(lake_url), device
        self.generator = lru_cache(maxsize=1)(self._generator)
        self.alignment = lru_cache(maxsize=1)(lambda judge: Alignment.load(pin(find_model(judge))[0], device))
        self.plain = (
            "",
            torch.empty(0),
        )  # the last block and its plain pictures: a block's methods follow each other

    def __call__(self, task: dict) -> list[dict]:
        """A row per prompt × seed of the schema MEMORIZATION; the first seed's pictures are in the lake before the rows are."""
        prompts = [Prompt(**facts) for facts in task["prompts"]]
        self.generator(task["model"], task["revision"])  # loading is none of a picture's seconds
        pictures, costs = self._measured(task)
        metric = find_metric(task.get("copy_metric", DEFAULT), self.device)
        seen, originals = (metric.describe(made) for made in (pictures, self._originals(task, pictures)))
        facts = [
            {
                "model": task["model"],
                "weights": task["weights"],
                "method": task["method"],
                "settings": json.dumps(task["settings"], sort_keys=True),
                "steps": task["steps"],
                "guidance_scale": task["guidance_scale"],
                "prompt": prompt.text,
                "kind": prompt.kind,
                "dose": prompt.dose,
                "seed": seed,
            }
            | costs
            for prompt in prompts
            for seed in task["seeds"]
        ]
        columns = [
            copies(prompts, pictures, metric),
            diversities(seen, len(task["seeds"]), metric),
            self.alignment(task["judge"])(prompts, pictures),
            Realness.load(task["encoder"], self.device)(prompts, pictures),
            [{"similarity_unmitigated": value} for value in metric.compare(seen, originals).tolist()],
            list(self._seen(task)) if task["method"] == PLAIN else [{} for _ in facts],
            list(self._kept(task, pictures)),
        ]
        return [
            {key: value for part in row for key, value in part.items()}
            for row in zip(facts, *columns, strict=True)
        ]

    def _generator(self, model: str, revision: str | None) -> tuple[Generator, int]:
        spec = replace(find_model(model), revision=revision)
        return load_generator(spec, self.device), spec.batch_size

    def _samplings(self, task: dict) -> Iterator[Sampling]:
        """The task's pictures in batches, in the order of its rows."""
        generator, size = self.generator(task["model"], task["revision"])
        pairs = [(prompt["text"], seed) for prompt in task["prompts"] for seed in task["seeds"]]
        nodes = timesteps(task["steps"], task["spacing"])
        for batch in (pairs[i : i + size] for i in range(0, len(pairs), size)):
            x_T = torch.stack([noise(prompt, seed, generator.latent_shape) for prompt, seed in batch]).to(
                self.device
            )
            yield Sampling(generator, [prompt for prompt, _ in batch], x_T, nodes, task["guidance_scale"])

    def _pictures(self, task: dict) -> torch.Tensor:
        """(n, 3, h, w) in [-1, 1], on the CPU."""
        made = [
            s.generator.decode(latents(s, task["method"], task["settings"])) for s in self._samplings(task)
        ]
        return torch.cat(made).cpu()

    def _originals(self, task: dict, pictures: torch.Tensor) -> torch.Tensor:
        """The plain pictures of the task's prompts and seeds, made once a block; `pictures` where the task is plain itself."""
        block = json.dumps(plain := task | {"method": PLAIN, "settings": {}}, sort_keys=True)
        if task == plain:
            self.plain = block, pictures
        elif self.plain[0] != block:
            self.plain = block, self._pictures(plain)
        return self.plain[1]

    def _measured(self, task: dict) -> tuple[torch.Tensor, dict]:
        """The pictures, and per picture the seconds they took; the peak is that of the GPU meanwhile, or of this process so far."""
        gpu = self.device == "cuda"
        if gpu:
            torch.cuda.reset_peak_memory_stats()
        begin = time.monotonic()
        pictures = self._pictures(task)
        seconds = (time.monotonic() - begin) / len(pictures)
        peak = (
            torch.cuda.max_memory_allocated()
            if gpu
            else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        )
        return pictures, {"seconds": seconds, "peak_bytes": peak}

    def _kept(self, task: dict, pictures: torch.Tensor) -> Iterator[dict]:
        """Write every prompt's picture of the first seed into the lake; its name there."""
        config, seeds = results.config_hash(task), len(task["seeds"])
        for i, picture in enumerate(pictures):
            name = None
            if i % seeds == 0:
                name, data = f"memorization/{config}/{i // seeds}-{task['seeds'][0]}.png", io.BytesIO()
                to_image(picture).save(data, "PNG")
                self.lake.store.commit(name, data.getvalue())
            yield {"picture": name}

    def _seen(self, task: dict) -> Iterator[dict]:
        """What the detectors say of every picture, and by step the cross-attention on each class of tokens, averaged over layers."""
        for sampling in self._samplings(task):
            rows = encode(sampling.generator, list(sampling.prompts))
            watched = trace(
                sampling.generator, rows, sampling.x_T, sampling.timesteps, sampling.guidance_scale
            )
            scores = {name: detector(watched).tolist() for name, detector in DETECTORS.items()}
            scores["sail"] = sharpness(
                sampling.generator, rows.embeddings, sampling.x_T, sampling.timesteps[-1]
            ).tolist()
            masses = class_masses(watched.token_weights, watched.classes).mean(1).permute(1, 2, 0).tolist()
            for i, mass in enumerate(masses):
                yield {
                    "detectors": [(name, values[i]) for name, values in scores.items()],
                    "attention": [*zip(CLASSES, mass, strict=True)],
                }


def _plain(prompt: Prompt) -> dict:
    """As JSON gives it back."""
    return json.loads(json.dumps(asdict(prompt)))
