"""How busy a GPU is with Stable Diffusion 1.5's inversion and CLIP L/14, without Ray and without a model hub.

    python benchmarks/gpu.py                      # true widths on a GPU; cut-down ones on the CPU
    python benchmarks/gpu.py --batches 8 --steps 50
    python benchmarks/gpu.py --compile no,default,reduce-overhead --vae-dtypes float32,float16

The models have their real configurations and random weights, which cost the same time, and go the way that a
build takes: from files on disk through `Space.load` and `read_space`. Printed per space:

    to first batch  seconds from nothing to the first rows: loading, and what the first call compiles
    images/s        afterwards, pictures decoded and shards written into tables included
    of ceiling      FLOPs per second over those of the largest matrix product in the same number type
    idle            share of the wall time in which no kernel ran, round trips left out (of a GPU, by
                    torch.profiler, over two batches: it takes its time over each kernel)
    round trips     their share of the time; 1 in 32 images is sampled back, and few at once cost more each

Published float16 figures for Stable Diffusion 1.5 end at 38 % of an A100's peak.
"""

from __future__ import annotations

import argparse
import io
import itertools
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from models import SD1, SD_VAE, TEXT_L, VIT_L, gflops
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTextConfig, CLIPTextModel

from une_ray.errors import UneError
from une_ray.models.compiled import MODES
from une_ray.models.resolve import location
from une_ray.models.table import MODELS
from une_ray.run.read import DECODE_THREADS, read_space
from une_ray.spaces.ddim import ROUND_TRIPS, sampled_back
from une_ray.spaces.execution import Execution
from une_ray.spaces.space import Space

IDLE_BATCHES = 2
SLIM_UNET = SD1 | {"block_out_channels": (32, 64, 128, 128), "sample_size": 16, "cross_attention_dim": 64}
SLIM_VAE = SD_VAE | {"block_out_channels": (32, 32, 64, 64), "sample_size": 128}
SLIM_TEXT = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
SLIM_VIT = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4}


@dataclass(frozen=True, kw_only=True)
class Widths:
    """Configurations of the models, and how large their products are."""

    unet: dict[str, Any]
    vae: dict[str, Any]
    text: dict[str, Any]
    vision: dict[str, Any]
    square: int  # of the matrix product that the ceiling is


FULL = Widths(
    unet=SD1, vae=SD_VAE | {"sample_size": 512}, text=TEXT_L, vision=VIT_L | {"patch_size": 14}, square=8192
)
SLIM = Widths(unet=SLIM_UNET, vae=SLIM_VAE, text=SLIM_TEXT, vision=SLIM_VIT | {"patch_size": 14}, square=1024)


def write_generator(folder: Path, widths: Widths) -> None:
    """Stable Diffusion's folders, the U-Net in float16 as it is run on a GPU."""
    torch.manual_seed(0)
    UNet2DConditionModel(**widths.unet).save_pretrained(folder / "unet")
    AutoencoderKL(**widths.vae).save_pretrained(folder / "vae")
    CLIPTextModel(CLIPTextConfig(**widths.text)).save_pretrained(folder / "text_encoder")
    mini = Path(location(MODELS["mini-sd-a"]))
    shutil.copytree(mini / "tokenizer", folder / "tokenizer")
    shutil.copy(mini / "model_index.json", folder)
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    DDIMScheduler(**schedule, clip_sample=False).save_pretrained(folder / "scheduler")


def write_encoder(folder: Path, widths: Widths) -> None:
    config = CLIPConfig(text_config=widths.text, vision_config=widths.vision, projection_dim=768)
    torch.manual_seed(0)
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(crop_size=224, size={"shortest_edge": 224}).save_pretrained(folder)


def ceiling(size: int, dtype: torch.dtype, device: str) -> float:
    """FLOPs per second of the product of two square matrices, the best of five."""
    a = torch.randn(size, size, device=device).to(dtype)
    best = 0.0
    for _ in range(5):
        finish(device)
        started = time.perf_counter()
        a @ a
        finish(device)
        best = max(best, 2 * size**3 / (time.perf_counter() - started))
    return best


def finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def pictures(count: int, size: int) -> list[bytes]:
    """JPEGs of noise with a gradient under it."""
    random = np.random.default_rng(0)
    ramp = np.linspace(0, 180, size)[None, :, None]
    encoded = []
    for _ in range(count):
        data = io.BytesIO()
        pixels = ramp + random.integers(0, 75, (size, size, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(data, "JPEG")
        encoded.append(data.getvalue())
    return encoded


def idle(work: Any, device: str) -> float | None:
    """Share of the wall time of `work` in which no kernel ran; None where there is no GPU to ask."""
    if device != "cuda":
        return None
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        started = time.perf_counter()
        work()
        finish(device)
        wall = time.perf_counter() - started
    return 1 - sum(event.self_device_time_total for event in profile.key_averages()) / 1e6 / wall


def flops_per_image(step: Any, space: Space) -> float:
    """Of inversion (round trips and the autoencoder counted) or of one embedding, by torch's counter."""
    generator = getattr(step, "generator", None)
    size = space.model.preprocessing.size
    if generator is None:
        x = torch.zeros(1, 3, size, size, device=step.device, dtype=getattr(torch, space.model.dtype))
        return gflops(step.embed, x) * 1e9
    shape = (1, *generator.latent_shape)
    call = gflops(lambda: step.denoiser(torch.zeros(shape, device=step.device), 1))
    calls = len(step.timesteps) - 1
    encoding = gflops(generator.encode, torch.zeros(1, 3, size, size))
    decoding = gflops(generator.decode, torch.zeros(shape, device=step.device))
    return (calls * call + encoding + (calls * call + decoding) / 32) * 1e9


def picture_ids(count: int, back: int) -> list[str]:
    """So many ids, of which `back` are sampled back."""
    missing = {True: back, False: count - back}
    chosen = []
    for name in map("picture-{}".format, itertools.count()):
        is_watched = sampled_back(name, ROUND_TRIPS)
        if missing[is_watched]:
            missing[is_watched] -= 1
            chosen.append(name)
        if len(chosen) == count:
            return chosen
    raise AssertionError("ids never end")


def measure(name: str, space: Space, batches: int, square: int, device: str) -> None:
    """One line."""
    model = space.model
    data = pictures(model.batch_size, 2 * model.preprocessing.size)
    count, threads = batches * model.batch_size, max(DECODE_THREADS, os.cpu_count() or 1)
    way_up = picture_ids(min(batches, IDLE_BATCHES) * model.batch_size, 0)

    def run(ids: list[str]) -> float:
        started = time.perf_counter()
        images = data * (len(ids) // model.batch_size)
        read_space(step, model.preprocessing, model.batch_size, ids, images, threads)
        finish(device)
        return time.perf_counter() - started

    started = time.perf_counter()
    step = space.load(device)
    run(way_up[: model.batch_size])
    first = time.perf_counter() - started
    look_back, back = getattr(step, "look_back", None), [0.0]
    if look_back is not None:

        def timed(watched: Any) -> Any:
            finish(device)
            begun = time.perf_counter()
            columns = look_back(watched)
            back[0] += time.perf_counter() - begun
            return columns

        step.look_back = timed
    seconds = run(picture_ids(count, max(1, round(count * ROUND_TRIPS))))
    share = idle(lambda: run(way_up), device)
    dtype = getattr(torch, model.dtype)
    plain = replace(space, compiled=None).load(device)  # the counter does not see into compiled networks
    reached = flops_per_image(plain, space) * count / seconds / ceiling(square, dtype, device)
    print(
        f"{name:22} {model.dtype:8} batch {model.batch_size:3}  to first batch {first:6.1f} s"
        f"  {count / seconds:9.2f} images/s  of ceiling {reached:5.1%}"
        f"  idle {'–' if share is None else f'{share:.1%}'}"
        f"  round trips {f'{back[0] / seconds:.1%}' if look_back is not None else '–'}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--full", action="store_true", help="true widths on the CPU too")
    parser.add_argument("--compile", default="no", help=f"modes of torch.compile: no, {', '.join(MODES)}")
    parser.add_argument("--vae-dtypes", default="float32", help="of the autoencoder: float32, float16")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    widths = FULL if device == "cuda" or args.full else SLIM
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"{where}; {'true' if widths is FULL else 'cut-down'} widths, random weights")
    dtype = None if device == "cuda" else "float32"
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        write_generator(folder / "sd", widths)
        write_encoder(folder / "clip", widths)
        names = {
            f"sd15/ddim{args.steps}": f"sd=stable-diffusion:{folder}/sd/ddim{args.steps}",
            "clip-l14": f"clip=clip:{folder}/clip",
        }
        for name, spec in names.items():
            parsed = Space.parse(spec).with_dtype(dtype)
            types = args.vae_dtypes.split(",") if parsed.encodes else ["float32"]
            for vae_dtype, mode in product(types, args.compile.split(",")):
                print(f"autoencoder {vae_dtype}, compile {mode}: ", end="", flush=True)
                as_said = replace(parsed, model=replace(parsed.model, vae_dtypes=("float16",)))
                wanted = Execution(compile=None if mode == "no" else mode, vae_dtype=vae_dtype)
                space, _ = wanted.of(as_said).pinned()
                try:
                    measure(name, space, args.batches, widths.square, device)
                except UneError as error:  # of a mode that this torch or this GPU can't do
                    print(error)


if __name__ == "__main__":
    main()
