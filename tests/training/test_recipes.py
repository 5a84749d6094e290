"""Each recipe for a handful of steps: losses fall, a killed run resumes to the same weights, folders load in their libraries."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer, Dinov2Model

from une_ray.corpora import avatars
from une_ray.training import autoencoder, clip, dino, tokenizer, unet
from une_ray.training.data import Pictures, pixels
from une_ray.training.loop import Settings, fit


@pytest.fixture(scope="module")
def data() -> Pictures:
    return Pictures(np.stack([pixels(avatars.picture(5, i)) for i in range(48)]), np.arange(48), 5)


@pytest.fixture(scope="module")
def words(data, tmp_path_factory) -> CLIPTokenizer:
    return tokenizer.build(data.captions(), tmp_path_factory.mktemp("words"))


def falls(folder) -> bool:
    losses = [json.loads(line)["loss"] for line in (folder / "curve.jsonl").read_text().splitlines()]
    return losses[-1] < losses[0]


def quick(recipe, steps: int = 21, **changes) -> Settings:
    return replace(recipe.SETTINGS, steps=steps, batch_size=16, warmup_steps=2, **changes)


def test_the_autoencoder_learns(data, tmp_path):
    torch.manual_seed(0)
    model = autoencoder.train(data, tmp_path, quick(autoencoder))
    assert falls(tmp_path) and model.config.scaling_factor > 0


def test_clip_learns(data, words, tmp_path):
    torch.manual_seed(0)
    clip.train(data, words, tmp_path, quick(clip))
    assert falls(tmp_path)


def test_dino_learns_and_does_not_collapse(data, tmp_path):
    torch.manual_seed(0)
    backbone = dino.train(data, tmp_path, quick(dino))
    z = backbone(pixel_values=autoencoder.batch(data, torch.arange(16), "cpu")).pooler_output
    assert falls(tmp_path) and z.std(0).mean() > 1e-3


def test_the_unet_learns(data, words, tmp_path):
    torch.manual_seed(0)
    tower = CLIPTextModel(clip.build(words, text_width=32, text_layers=1).config.text_config)
    unet.train(data, autoencoder.build(), tower, words, tmp_path, quick(unet, learning_rate=3e-3))
    assert falls(tmp_path)


def test_a_killed_run_resumes_to_the_weights_of_one_that_was_not(tmp_path):
    settings = Settings(steps=12, batch_size=4, learning_rate=0.1, warmup_steps=2, checkpoint_seconds=0.0)

    def run(folder, stop_at=None):
        def losses(module, generator, step):
            if step == stop_at:
                raise KeyboardInterrupt
            x = torch.randn(4, 3, generator=generator)
            return {"loss": (module(x) - x.sum(1, keepdim=True)).square().mean()}

        torch.manual_seed(0)
        return fit(torch.nn.Linear(3, 1), losses, settings, tmp_path / folder)

    whole = run("whole")
    with pytest.raises(KeyboardInterrupt):
        run("killed", stop_at=7)
    resumed = run("killed")
    assert torch.equal(whole.weight, resumed.weight)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    settings = Settings(steps=2, batch_size=1, learning_rate=0.1)
    with pytest.raises(FloatingPointError, match="loss is nan at step 0"):
        fit(torch.nn.Linear(1, 1), lambda module, g, s: {"loss": module(torch.ones(1)) * float("nan")}, settings, tmp_path)


def test_the_tokenizer_has_clips_padding_semantics(words):
    assert words.convert_tokens_to_ids("!") == 0
    assert words.bos_token_id == len(words) - 2 and words.eos_token_id == len(words) - 1 == words.pad_token_id
    ids = words("a man", padding="max_length").input_ids
    assert len(ids) == 77 and ids[0] == words.bos_token_id and set(ids[ids.index(words.eos_token_id) :]) == {words.eos_token_id}


def test_any_text_is_encoded_and_comes_back(words):
    assert words.decode(words("zebra ünïcode").input_ids, skip_special_tokens=True) == "zebra ünïcode"


def test_the_packaged_folders_load_in_their_own_libraries(zoo):
    pipeline = StableDiffusionPipeline.from_pretrained(zoo / "sd", torch_dtype=torch.float32)
    image = pipeline("a man with glasses", num_inference_steps=2, output_type="np").images
    assert image.shape == (1, 64, 64, 3)
    assert CLIPModel.from_pretrained(zoo / "mini-clip").config.projection_dim == 128
    assert Dinov2Model.from_pretrained(zoo / "mini-dino").config.patch_size == 8
