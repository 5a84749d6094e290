import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from transformers import CLIPTextModelWithProjection

from tests.helpers.prompts import PROMPTS
from une_ray.errors import UneError
from une_ray.studies.memorization.mitigate import mitigate
from une_ray.studies.memorization.token_rows import ABLATIONS, MITIGATIONS


def pictures(pipe, **prompt) -> np.ndarray:
    seeds = [torch.Generator().manual_seed(i) for i in range(2)]
    return pipe(**prompt, generator=seeds, num_inference_steps=2, output_type="np").images


def test_no_mitigation_is_the_plain_pipeline(pipe):
    assert np.allclose(
        pictures(pipe, **mitigate(pipe, "none", PROMPTS[:2])), pictures(pipe, prompt=PROMPTS[:2]), atol=1e-5
    )


@pytest.mark.parametrize("method", [name for name in MITIGATIONS | ABLATIONS if name != "none"])
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
