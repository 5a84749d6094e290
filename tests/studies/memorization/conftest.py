"""A tiny random generator, the pipeline of the same folder, and the pipeline as Stable Diffusion 2.x pads
it."""

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from transformers import CLIPTokenizer

from tests.helpers.prompts import PROMPTS
from une_ray.lake import results
from une_ray.models.generators import Generator
from une_ray.run import tasks
from une_ray.studies.memorization.bench import Bench
from une_ray.studies.memorization.token_rows import encode


@pytest.fixture(scope="session")
def pipe(zoo) -> StableDiffusionPipeline:
    pipeline = StableDiffusionPipeline.from_pretrained(
        zoo / "sd", safety_checker=None, torch_dtype=torch.float32
    )
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    for part in (pipeline.unet, pipeline.text_encoder, pipeline.vae):
        part.requires_grad_(False)
    for name, weight in pipeline.unet.named_parameters():
        if "attn2.to_q" in name or "attn2.to_k" in name:
            weight.mul_(
                8
            )  # at their initial scale all attention is flat, and nothing that acts on it could be seen
    return pipeline


@pytest.fixture(scope="session")
def exclaiming_pipe(pipe, zoo) -> StableDiffusionPipeline:
    """Pads are "!", id 0."""
    tokenizer = CLIPTokenizer.from_pretrained(zoo / "sd" / "tokenizer", pad_token="!")
    return StableDiffusionPipeline(
        **pipe.components | {"tokenizer": tokenizer}, requires_safety_checker=False
    )


@pytest.fixture(scope="session")
def generator(pipe) -> Generator:
    return Generator(
        vae=pipe.vae,
        unet=pipe.unet,
        text_encoder=pipe.text_encoder,
        tokenizer=pipe.tokenizer,
        alphas_cumprod=pipe.scheduler.alphas_cumprod,
        prediction_type="epsilon",
    )


@pytest.fixture(scope="session")
def rows(generator):
    return encode(generator, PROMPTS)


@pytest.fixture
def noise(generator) -> torch.Tensor:
    """(4, c, h, w): one image for each of PROMPTS."""
    return torch.randn(len(PROMPTS), *generator.latent_shape, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def in_this_process(tmp_path, monkeypatch) -> str:
    """The folder of a lake that memorisation's tasks are done for here, without Ray."""
    folder = str(tmp_path / "lake")
    worker = Bench(folder, {}, "cpu")

    def run(lake, table, todo, *_, **options):
        for task in todo:
            results.commit(lake, table, task.to_row(), worker(task.to_row()))
            yield task.config

    monkeypatch.setattr(tasks, "run", run)
    return folder
