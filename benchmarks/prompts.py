"""h-space of prompts: prompts × seeds a second beside a bare loop, and beside diffusers' pipeline per prompt.

    python benchmarks/prompts.py                                  # mini-sd-a/hspace8, 32 prompts, 5 repeats
    python benchmarks/prompts.py --space sd15/hspace --prompts 8  # on a GPU

All in one process and interleaved, the median of each ratio: what a worker of `une build` does with a shard
of prompts (their rows and every seed's included); a bare loop over the same network in the same batches; and
diffusers' own pipeline under the same scheduler, steps and noise, called once per prompt and seed, and once
per prompt with all its seeds in one batch. Beside each stands the share of its time that it spends in the
U-Net, and below what a row of the U-Net costs by the size of its batch: together what batching could win.
Seconds are the processor's where there is no GPU, so that other jobs beside it don't count.
`--build` also times a whole `une build` past start-up.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from pipeline import piped  # benchmarks/pipeline.py

from une_ray.corpora.avatar_concepts import CONCEPTS
from une_ray.models.loading import memory_format
from une_ray.models.resolve import location
from une_ray.run.read import read_captions
from une_ray.spaces.drawing import STEPS
from une_ray.spaces.hspace import ReadPrompts
from une_ray.spaces.space import Space

# Of the largest number. The pipeline's own state is float16 where the U-Net is; une_ray's is float32.
APART = {"float32": 2e-3, "float16": 5e-2}


class Bare:
    """The middle block's mean of every prompt and seed, with diffusers' parts and no code of une_ray's."""

    def __init__(self, pipe: StableDiffusionPipeline, noise: torch.Tensor, batch_size: int) -> None:
        self.pipe, self.noise, self.batch_size = pipe, noise, batch_size
        self.layout = memory_format(pipe.device)
        self.seen: list[torch.Tensor] = []
        pipe.unet.mid_block.register_forward_hook(lambda m, i, h: self.seen.append(h.float().mean((2, 3))))

    @torch.no_grad()
    def loop(self, prompts: list[str]) -> torch.Tensor:
        """(prompts, seeds, c), prompts and seeds in batches of `batch_size`."""
        pipe, seeds = self.pipe, len(self.noise)
        ids = pipe.tokenizer(prompts, padding="max_length", truncation=True, return_tensors="pt").input_ids
        states = pipe.text_encoder(ids.to(pipe.device)).last_hidden_state.to(pipe.unet.dtype)
        pairs = torch.cartesian_prod(torch.arange(len(prompts)), torch.arange(seeds))
        found = []
        for part in pairs.split(self.batch_size):
            x, text = self.noise[part[:, 1]].to(memory_format=self.layout), states[part[:, 0]]
            self.seen.clear()
            for timestep in pipe.scheduler.timesteps:
                rounded = x.to(pipe.unet.dtype)
                output = pipe.unet(rounded, timestep, encoder_hidden_states=text, return_dict=False)[0]
                x = pipe.scheduler.step(output.float(), timestep, x, return_dict=False)[0]
            found.append(torch.stack(self.seen).mean(0))
        return torch.cat(found).view(len(prompts), seeds, -1)

    def per_prompt(self, prompts: list[str], together: bool) -> torch.Tensor:
        """The same by the pipeline, a call per prompt and seed, or with `together` one per prompt."""
        found = []
        for prompt in prompts:
            for noise in self.noise.split(len(self.noise) if together else 1):
                self.seen.clear()
                self.pipe(
                    prompt,
                    num_images_per_prompt=len(noise),
                    latents=noise.to(self.pipe.unet.dtype),
                    guidance_scale=1.0,
                    num_inference_steps=STEPS,
                    output_type="latent",
                )
                found.append(torch.stack(self.seen).mean(0))
        return torch.cat(found).view(len(prompts), len(self.noise), -1)


def pipeline_of(space: Space, device: str) -> StableDiffusionPipeline:
    """The same weights under DDIM at eight steps."""
    dtype = getattr(torch, space.model.dtype)
    pipe = StableDiffusionPipeline.from_pretrained(location(space.model), torch_dtype=dtype)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    pipe.scheduler.set_timesteps(STEPS)
    pipe.set_progress_bar_config(disable=True)
    pipe.unet.to(memory_format=memory_format(device))
    return pipe.to(device)


def clock() -> float:
    """Seconds: of the wall with a GPU, which is waited for, else of this process' processor."""
    return time.monotonic() if torch.cuda.is_available() else time.process_time()


class Watch:
    """Seconds that are spent in a network's calls, the GPU's own included."""

    def __init__(self, network: torch.nn.Module) -> None:
        self.seconds, self.forward = 0.0, network.forward
        network.forward = self

    def __call__(self, *inputs: object, **more: object) -> object:
        wait()
        started = clock()
        try:
            return self.forward(*inputs, **more)
        finally:
            wait()
            self.seconds += clock() - started


def wait() -> None:
    """Until the GPU is done, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@torch.no_grad()
def row_seconds(step: ReadPrompts, batch_size: int) -> float:
    """What a row of the U-Net costs in a batch of that size, the least of three calls."""
    generator = step.generator
    denoiser = generator.denoiser(generator.prompt_states(["a person"]))
    x = torch.randn(batch_size, *generator.latent_shape, device=generator.device)

    def call() -> None:
        denoiser(x, 500)
        wait()

    call()
    return min(seconds(call) for _ in range(3)) / batch_size


def seconds(work: Callable[[], object]) -> float:
    started = clock()
    work()
    return clock() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", default="mini-sd-a/hspace8")
    parser.add_argument("--prompts", type=int, default=32, help=f"up to {len(CONCEPTS)}")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--build", action="store_true", help="time une build as well")
    args = parser.parse_args()
    space, prompts = Space.parse(args.space).pinned()[0], list(CONCEPTS)[: args.prompts]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    step, ids = space.load(device), [f"prompt-{row:06d}" for row in range(len(prompts))]
    assert isinstance(step, ReadPrompts)
    bare = Bare(pipeline_of(space, device), step.noise[:, 0], space.model.batch_size)
    ways: dict[str, Callable[[], object]] = {
        "une_ray": lambda: read_captions(step, space.model.batch_size, ids, prompts),
        "a bare loop": lambda: bare.loop(prompts),
        "the pipeline per prompt and seed": lambda: bare.per_prompt(prompts, False),
        "the pipeline per prompt": lambda: bare.per_prompt(prompts, True),
    }
    same = torch.from_numpy(step(prompts[:2], ids[:2])["seeds"]).to(device)
    for found in (bare.loop(prompts[:2]), bare.per_prompt(prompts[:2], True)):
        apart = ((found - same).abs().max() / same.abs().max()).item()
        assert apart <= APART[space.model.dtype], f"not the same numbers: {apart:.1%} of the largest apart"
    rates: dict[str, list[float]] = {name: [] for name in ways}
    shares: dict[str, list[float]] = {name: [] for name in ways}
    pairs, watches = len(prompts) * len(step.noise), [Watch(step.generator.unet), Watch(bare.pipe.unet)]
    for repeat in range(args.repeats):
        for name, work in ways.items():
            before = sum(watch.seconds for watch in watches)
            took = seconds(work)
            rates[name].append(pairs / took)
            shares[name].append((sum(watch.seconds for watch in watches) - before) / took)
        shown = ", ".join(f"{name} {rate[-1]:.1f}" for name, rate in rates.items())
        print(f"repeat {repeat + 1}: prompts × seeds a second: {shown}", flush=True)
    for name in [*ways][1:]:
        ratios = [ours / theirs for ours, theirs in zip(rates["une_ray"], rates[name])]
        print(f"une_ray beside {name}: median ratio {statistics.median(ratios):.2f}", flush=True)
    for name, share in shares.items():
        print(f"{name}: {statistics.median(share):.3f} of its time in the U-Net")
    for batch_size in (1, 8, 32, 128):
        print(f"a row of the U-Net in a batch of {batch_size}: {1000 * row_seconds(step, batch_size):.2f} ms")
    if args.build:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "prompts.txt").write_text("\n".join(prompts) + "\n")
            rate = piped(args.space, f"prompts:{folder}/prompts.txt", 4) * len(step.noise)
        beside = statistics.median(rates["a bare loop"])
        print(f"une build past start-up: {rate:.1f}, {rate / beside:.2f} of the bare loop's median")


if __name__ == "__main__":
    main()
