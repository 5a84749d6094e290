"""Each recipe for a few steps: losses fall, a killed run resumes to the same weights, folders load."""

import json
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from transformers import CLIPModel, CLIPTextModel, CLIPTokenizer, Dinov2Model

from une_ray.corpora import avatars, duplicates
from une_ray.training import autoencoder, clip, dino, open_clip_b, resnet, tokenizer, unet
from une_ray.training.data import Pictures, pixels
from une_ray.training.loop import Settings, fit
from une_ray.training.workspace import Workspace
from une_ray.training.zoo import MODELS, PARTS, parts_of

SMALL_B = {
    "vision": open_clip_b.VISION | {"layers": [1, 1, 1, 1], "width": 8, "head_width": 32},
    "text": open_clip_b.TEXT | {"width": 32, "heads": 1, "layers": 2},
}


@pytest.fixture(scope="module")
def data() -> Pictures:
    return Pictures(
        images=np.stack([pixels(avatars.picture(5, i)) for i in range(48)]), indices=np.arange(48), seed=5
    )


@pytest.fixture(scope="module")
def words(data, tmp_path_factory) -> CLIPTokenizer:
    return tokenizer.build(data.captions(), tmp_path_factory.mktemp("words"))


def falls(folder) -> bool:
    losses = [json.loads(line)["loss"] for line in (folder / "curve.jsonl").read_text().splitlines()]
    return losses[-1] < losses[0]


def quick(recipe, steps: int = 21, **changes) -> Settings:
    return replace(recipe.SETTINGS, steps=steps, batch_size=16, warmup_steps=2, **changes)


def examples_of(data: Pictures, words: CLIPTokenizer, copies=None) -> unet.Examples:
    torch.manual_seed(0)
    tower = CLIPTextModel(clip.build(words, text_width=32, text_layers=1).config.text_config)
    return unet.examples(
        data, [data.captions(), data.captions(1)], autoencoder.build(), tower, words, copies=copies
    )


@pytest.mark.long
def test_the_autoencoder_learns(data, tmp_path):
    torch.manual_seed(0)
    model = autoencoder.train(data, tmp_path, quick(autoencoder), widths=(8, 16, 16))
    assert falls(tmp_path) and model.config.scaling_factor > 0


def test_clip_learns(data, words, tmp_path):
    torch.manual_seed(0)
    clip.train(data, words, tmp_path, quick(clip), model=clip.build(words, 32, 2, 32, 1))
    assert falls(tmp_path)


def test_dino_learns_and_does_not_collapse(data, tmp_path):
    torch.manual_seed(0)
    backbone = dino.train(data, tmp_path, quick(dino), backbone=dino.build(64, 2))
    z = backbone(pixel_values=autoencoder.batch(data, torch.arange(16), "cpu")).pooler_output
    assert falls(tmp_path) and z.std(0).mean() > 1e-3


def test_the_classifier_learns_and_names_its_classes(data, tmp_path):
    torch.manual_seed(0)
    model = resnet.train(data, tmp_path, quick(resnet), model=resnet.build((8, 16), 1))
    assert falls(tmp_path) and [*model.config.id2label.values()] == [*avatars.ATTRIBUTES]


def test_a_disturbed_picture_is_the_picture_moved_and_no_more_than_noise_away():
    x = torch.arange(64.0).expand(1, 3, 64, 64) / 32 - 1
    moved = resnet.disturbed(x, torch.Generator().manual_seed(3)) - x
    steps = moved.mean() * 32
    assert (
        abs(steps - steps.round()) < 0.1
        and abs(steps) < 2.1
        and moved.std().item() == pytest.approx(resnet.NOISE, rel=0.1)
    )


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_the_unet_learns(data, words, tmp_path, prediction_type):
    model = unet.build(32, (16, 16))
    unet.train(
        examples_of(data, words),
        model,
        tmp_path,
        quick(unet, learning_rate=3e-3),
        prediction_type=prediction_type,
    )
    assert falls(tmp_path)


def test_at_the_last_timestep_of_the_v_schedule_nothing_of_the_picture_is_left():
    assert unet.scheduler("v_prediction").alphas_cumprod[-1] == 0
    assert unet.scheduler().alphas_cumprod[-1].sqrt() == pytest.approx(0.0683, abs=1e-3)


def test_a_picture_with_k_copies_is_drawn_k_times_as_often(data, words):
    order = examples_of(data, words, copies=[1] * 47 + [250]).order
    assert len(order) == 297 and (order == 47).sum() == 250 and set(order.tolist()) == set(range(48))


def test_the_duplicated_pictures_come_in_every_dose_and_say_nothing_of_what_is_seen():
    doses = [duplicates.copies(i) for i in range(len(duplicates.TITLES))]
    assert sorted(set(doses)) == [1, 10, 50, 250, 1000] and all(doses.count(dose) == 8 for dose in doses)
    assert len(set(duplicates.TITLES)) == 40
    shown = {
        word for attribute in avatars.PROMPTS.values() for prompt in attribute for word in prompt.split()
    } - {
        "a",
        "an",
        "the",
        "and",
        "of",
    }
    assert shown & {word for title in duplicates.TITLES for word in title.lower().split()} <= {
        "old"
    }  # a bridge, not a person


@pytest.fixture(scope="module")
def clip_b(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip-b")
    words = tokenizer.build(data.captions(), folder / "tokenizer", open_clip_b.MERGES, pad_token="!")
    torch.manual_seed(0)
    open_clip_b.train(data, words, folder, quick(open_clip_b), **SMALL_B)
    return folder


def test_clip_b_learns_and_loads_through_open_clips_own_factory(data, clip_b):
    assert falls(clip_b)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{clip_b / 'model'}")
    words = open_clip.get_tokenizer(f"local-dir:{clip_b / 'model'}")
    ids = words(["a man"])
    assert ids.shape == (1, 77) and ids[0, -1] == 0 and words.tokenizer.convert_ids_to_tokens(0) == "!"
    picture = torch.stack([preprocess(Image.fromarray(data.images[0]))])
    with torch.no_grad():
        assert model.encode_image(picture).shape == model.encode_text(ids).shape == (1, open_clip_b.EMBED_DIM)


def test_clip_bs_text_tower_says_the_same_in_transformers_classes(clip_b):
    """open_clip's own forward pass is the oracle: pooled at end-of-text and projected."""
    model = open_clip.create_model(f"local-dir:{clip_b / 'model'}").eval()
    ids = open_clip.get_tokenizer(f"local-dir:{clip_b / 'model'}")(
        ["a man with glasses", "an old woman, gray hair"]
    )
    with torch.no_grad():
        states = open_clip_b.text_tower(clip_b / "model")(ids).last_hidden_state
        pooled = states[torch.arange(2), ids.argmax(1)] @ model.text_projection
        assert torch.allclose(pooled, model.encode_text(ids), atol=1e-5)


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
        fit(
            torch.nn.Linear(1, 1),
            lambda module, g, s: {"loss": module(torch.ones(1)) * float("nan")},
            settings,
            tmp_path,
        )


@pytest.mark.parametrize("pad_token", [tokenizer.END_OF_TEXT, "!"])
def test_the_tokenizer_has_clips_padding_semantics(data, tmp_path, pad_token):
    words = tokenizer.build(data.captions(), tmp_path, pad_token=pad_token)
    assert words.convert_tokens_to_ids("!") == 0
    assert words.bos_token_id == len(words) - 2 and words.eos_token_id == len(words) - 1
    ids = words("a man", padding="max_length").input_ids
    assert len(ids) == 77 and ids[0] == words.bos_token_id
    assert set(ids[ids.index(words.eos_token_id) + 1 :]) == {words.convert_tokens_to_ids(pad_token)}


def test_any_text_is_encoded_and_comes_back(words):
    assert words.decode(words("zebra ünïcode").input_ids, skip_special_tokens=True) == "zebra ünïcode"


def test_the_packaged_folders_load_in_their_own_libraries(zoo):
    pipeline = StableDiffusionPipeline.from_pretrained(zoo / "sd", torch_dtype=torch.float32)
    image = pipeline("a man with glasses", num_inference_steps=2, output_type="np").images
    assert image.shape == (1, 64, 64, 3)
    assert CLIPModel.from_pretrained(zoo / "mini-clip").config.projection_dim == 128
    assert Dinov2Model.from_pretrained(zoo / "mini-dino").config.patch_size == 8


def test_every_model_names_parts_that_exist_after_those_they_need():
    for model in MODELS:
        for i, part in enumerate(parts_of(model)):
            assert set(PARTS[part].needs) <= set(parts_of(model)[:i])


def test_a_part_is_finished_when_its_settings_and_weights_are_there(tmp_path):
    work = Workspace(folder=tmp_path)
    assert not work.finished("dino")
    dino.build(32, 1).save_pretrained(work.model("dino"))
    assert not work.finished("dino")
    (tmp_path / "dino" / "settings.json").write_text("{}")
    assert work.finished("dino")
