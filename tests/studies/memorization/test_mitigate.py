import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from transformers import CLIPTextModelWithProjection

from tests.helpers.prompts import PROMPTS
from une_ray.errors import UneError
from une_ray.registry import MITIGATIONS
from une_ray.studies.memorization.methods import RowMethod
from une_ray.studies.memorization.mitigate import mitigate

ROW_METHODS = [name for name, method in MITIGATIONS.items() if isinstance(method, RowMethod)]
ROOT = Path(__file__).resolve().parents[3]


def pictures(pipe, **prompt) -> np.ndarray:
    seeds = [torch.Generator().manual_seed(i) for i in range(2)]
    return pipe(**prompt, generator=seeds, num_inference_steps=2, output_type="np").images


def test_no_mitigation_is_the_plain_pipeline(pipe):
    assert np.allclose(
        pictures(pipe, **mitigate(pipe, "none", PROMPTS[:2])), pictures(pipe, prompt=PROMPTS[:2]), atol=1e-5
    )


@pytest.mark.parametrize("method", [name for name in ROW_METHODS if name != "none"])
def test_a_mitigation_changes_the_picture(pipe, method):
    plain, mitigated = (
        pictures(pipe, prompt=PROMPTS[:2]),
        pictures(pipe, **mitigate(pipe, method, PROMPTS[:2])),
    )
    assert mitigated.shape == plain.shape and not np.allclose(mitigated[0], plain[0], atol=1e-5)


def test_the_unconditional_branch_keeps_the_pipelines_own_pads(pipe, exclaiming_pipe):
    for model in (pipe, exclaiming_pipe):
        _, negative = model.encode_prompt(PROMPTS, "cpu", 1, True)
        assert torch.allclose(
            mitigate(model, "pad-swap", PROMPTS)["negative_prompt_embeds"], negative, atol=1e-6
        )


def test_one_prompt_may_be_a_string(pipe):
    assert mitigate(pipe, "zero-pads", "a man", fraction=0.4)["prompt_embeds"].shape == (
        1,
        77,
        pipe.unet.config.cross_attention_dim,
    )


def test_the_pipeline_is_left_as_it_was(pipe):
    pad = pipe.tokenizer.pad_token_id
    mitigate(pipe, "pad-swap", PROMPTS)
    assert pipe.tokenizer.pad_token_id == pad


def test_two_towers_are_refused_by_name(pipe):
    second = CLIPTextModelWithProjection(pipe.text_encoder.config)
    xl = StableDiffusionXLPipeline(
        vae=pipe.vae,
        unet=pipe.unet,
        scheduler=pipe.scheduler,
        tokenizer=pipe.tokenizer,
        tokenizer_2=pipe.tokenizer,
        text_encoder=pipe.text_encoder,
        text_encoder_2=second,
        add_watermarker=False,
    )
    with pytest.raises(
        UneError, match="text_encoder: CLIPTextModel, text_encoder_2: CLIPTextModelWithProjection"
    ):
        mitigate(xl, "pad-swap", PROMPTS)


def test_no_tower_and_no_prompt_are_refused(pipe):
    with pytest.raises(UneError, match="no prompts"):
        mitigate(pipe, "pad-swap", [])
    bare = type(pipe)(**pipe.components | {"text_encoder": None}, requires_safety_checker=False)
    with pytest.raises(UneError, match="text towers: none"):
        mitigate(bare, "pad-swap", PROMPTS)


def test_every_setting_of_the_rows_is_taken_and_checked_and_those_of_the_sampling_are_refused(pipe):
    twin = mitigate(pipe, "ablation-h", "a man", padding="exclamation")["prompt_embeds"]
    assert not torch.allclose(twin, mitigate(pipe, "pad-swap-keeping-eot", "a man")["prompt_embeds"])
    for settings, message in (
        ({"fraction": 7}, "fraction of zero-pads is 7; it is between 0 and 1"),
        ({"end": "frist"}, "known, nearest first: first"),
        ({"by": "removal"}, "unknown setting of zero-pads 'by'"),
        ({"window_from": 500}, "unknown setting of zero-pads 'window_from'"),
    ):
        with pytest.raises(UneError, match=message):
            mitigate(pipe, "zero-pads", "a man", **settings)


def test_a_method_that_samples_in_its_own_way_is_refused_with_those_that_do_not(pipe):
    with pytest.raises(
        UneError, match="wen samples in its own way, .* those that can: ablation-a, .*zero-pads"
    ):
        mitigate(pipe, "wen", "a man")
    with pytest.raises(UneError, match="nearest first: pad-swap"):
        mitigate(pipe, "pad-swop", "a man")


def test_a_pipeline_of_two_float_types_is_refused_with_the_remedy(pipe):
    tower = type(pipe.text_encoder)(pipe.text_encoder.config).half()
    mixed = type(pipe)(**pipe.components | {"text_encoder": tower}, requires_safety_checker=False)
    with pytest.raises(
        UneError, match=r"tower is torch.float16 and its U-Net torch.float32, .*torch_dtype=torch"
    ):
        mitigate(mixed, "pad-swap", PROMPTS)


def test_the_documented_example_runs_as_typed(monkeypatch, tmp_path):
    """On the packaged mini-sd-dup, with two steps instead of fifty."""
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
    blocks = [
        block
        for page in pages
        for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        if "mitigate(" in block
    ]
    call, made = StableDiffusionPipeline.__call__, []

    def quickly(self, **prompt):
        made.append(call(self, **prompt, num_inference_steps=2))
        return made[-1]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(StableDiffusionPipeline, "__call__", quickly)
    for block in blocks:
        exec(compile(block, "docs", "exec"), {})
    assert blocks and {picture.size for result in made for picture in result.images} == {(64, 64)}
