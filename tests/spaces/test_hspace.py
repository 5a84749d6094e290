"""The middle block of prompts and pictures, against diffusers' own modules called by hand."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler
from diffusers.schedulers import scheduling_lcm

from une_ray.errors import UneError
from une_ray.models.generators import load_generator
from une_ray.models.hspace import middle_block, middle_of
from une_ray.run.read import read_captions
from une_ray.spaces.drawing import drawing_of, mean_middle_block
from une_ray.spaces.leak import fresh_noise
from une_ray.spaces.space import Space

PROMPTS = ["a man", "a woman with a hat", "a man"]


def space(zoo, name: str) -> Space:
    return Space.parse(f"sd=stable-diffusion:{zoo}/sd/{name}").with_dtype("float32").pinned()[0]


@torch.no_grad()
def by_hand(zoo, prompt: str, seed: int) -> np.ndarray:
    """(c,) of one prompt and seed: diffusers' scheduler and a hook of our own, one call at a time."""
    generator = load_generator(space(zoo, "hspace").model)
    scheduler = DDIMScheduler.from_pretrained(f"{zoo}/sd", subfolder="scheduler")
    scheduler.set_timesteps(8)
    shape = generator.latent_shape
    x = torch.from_numpy(fresh_noise(f"hspace/seed {seed}", int(np.prod(shape)))).view(1, *shape)
    states, seen = generator.prompt_states([prompt]), []
    handle = generator.unet.mid_block.register_forward_hook(lambda m, i, output: seen.append(output))
    for timestep in scheduler.timesteps:
        output = generator.unet(x, timestep, encoder_hidden_states=states).sample
        x = scheduler.step(output, timestep, x).prev_sample
    handle.remove()
    return torch.stack(seen).mean((0, 1, 3, 4)).numpy()


def test_prompts_are_the_middle_blocks_mean_over_shared_seeds_and_steps(zoo):
    chosen = space(zoo, "hspace3")
    table, besides = read_captions(chosen.load(), 2, list("abc"), PROMPTS)
    z = np.array(table["z"].to_pylist(), np.float32)
    by_seed = np.stack([row["z"] for row in besides.seeds]).reshape(3, 3, -1)
    assert np.allclose(z, by_seed.mean(1), atol=2e-3, rtol=2e-3)
    assert np.allclose(by_seed[1, 2], by_hand(zoo, PROMPTS[1], 2), atol=1e-4)
    # The same prompt beside others is the same, and another prompt is not.
    assert np.allclose(z[0], z[2], atol=1e-3) and not np.allclose(z[0], z[1], atol=1e-3)
    assert [(row["image_id"], row["seed"]) for row in besides.seeds][:4] == [
        ("a", 0),
        ("a", 1),
        ("a", 2),
        ("b", 0),
    ]


def scheduled(zoo, folder, **scheduler):
    """A copy of the zoo's generator under another scheduler."""
    shutil.copytree(zoo / "sd", folder)
    config = folder / "scheduler/scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | scheduler))
    return folder


@torch.no_grad()
def test_a_latent_consistency_model_draws_over_its_own_four_steps(zoo, tmp_path, monkeypatch):
    folder = scheduled(zoo, tmp_path / "lcm", _class_name="LCMScheduler", original_inference_steps=40)
    chosen, fingerprint = Space.parse(f"lcm=stable-diffusion:{folder}/hspace2").with_dtype("float32").pinned()
    assert (fingerprint["steps"], fingerprint["sampler"]) == (4, "consistency")
    step = Space.from_fingerprint("lcm", fingerprint).load()
    found = step([PROMPTS[1]], ["a"])["seeds"][0, 1]

    generator = load_generator(chosen.model)
    shape = generator.latent_shape

    def noise(key: str) -> torch.Tensor:
        return torch.from_numpy(fresh_noise(key, int(np.prod(shape)))).view(1, *shape)

    again = iter([noise(f"hspace/seed 1/step {place}") for place in (1, 2, 3)])
    monkeypatch.setattr(scheduling_lcm, "randn_tensor", lambda *_, **__: next(again))
    scheduler = LCMScheduler.from_pretrained(folder, subfolder="scheduler")
    scheduler.set_timesteps(4)
    x, states, seen = noise("hspace/seed 1"), generator.prompt_states([PROMPTS[1]]), []
    with middle_block(generator.unet, seen.append):
        for timestep in scheduler.timesteps:
            output = generator.unet(x, timestep, encoder_hidden_states=states).sample
            x = scheduler.step(output, timestep, x).prev_sample
    assert np.allclose(found, torch.stack(seen).mean((0, 1, 3, 4)).numpy(), atol=1e-4)


@torch.no_grad()
def test_what_comes_behind_the_last_steps_middle_block_is_not_computed(zoo):
    generator = load_generator(space(zoo, "hspace2").model)
    drawing, calls = drawing_of(space(zoo, "hspace2").model, "leading"), Counter()
    for part in ("mid_block", "conv_out"):
        getattr(generator.unet, part).register_forward_hook(lambda m, i, o, part=part: calls.update([part]))
    noise = drawing.noise(1, generator.latent_shape)
    mean_middle_block(generator, generator.prompt_states([PROMPTS[1]]), noise, drawing)
    assert calls == {"mid_block": 8, "conv_out": 7}


def test_another_few_step_scheduler_is_refused_by_name(zoo, tmp_path):
    folder = scheduled(zoo, tmp_path / "tcd", _class_name="TCDScheduler")
    with pytest.raises(UneError, match="few-step scheduler is a TCDScheduler.*by DDIM or by an LCMScheduler"):
        Space.parse(f"tcd=stable-diffusion:{folder}/hspace").pinned()


def test_pictures_are_noised_by_their_ids_and_read_in_one_call(zoo):
    chosen = space(zoo, "hspace@500")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    step = chosen.load()
    z = step(pictures, ["a", "b"])["z"]
    assert np.allclose(z[1], step(pictures[1:], ["b"])["z"][0], atol=1e-5)
    assert not np.allclose(z[1], step(pictures[1:], ["c"])["z"][0], atol=1e-4)

    generator = load_generator(chosen.model)
    states, seen = generator.prompt_states([""]), []
    x = torch.randn(1, *generator.latent_shape)
    with torch.no_grad(), middle_block(generator.unet, seen.append):
        generator.unet(x, 500, encoder_hidden_states=states)
    with torch.no_grad():
        assert torch.equal(middle_of(generator.unet, x, 500, states), seen[0])
    flat = space(zoo, "hspace@500-flat").load()(pictures, ["a", "b"])["z"]
    places = seen[0].shape[2] * seen[0].shape[3]
    assert flat.shape == (2, z.shape[1] * places)
    assert np.allclose(flat.reshape(2, z.shape[1], places).mean(2), z, atol=1e-5)


def test_names_and_fingerprints_say_seeds_timestep_and_places():
    for text, facts in {
        "mini-sd-a/hspace": {"seeds": 16, "steps": 8, "flat": False},
        "mini-sd-a/hspace64-flat": {"seeds": 64, "flat": True},
        "mini-sd-a/hspace@500": {"timestep": 500, "flat": False},
    }.items():
        parsed, fingerprint = Space.parse(text).pinned()
        assert {key: fingerprint[key] for key in facts} == facts
        again = Space.from_fingerprint(text, fingerprint)
        assert (again.kind, again.seeds, again.timestep, again.flat) == (
            parsed.kind,
            parsed.seeds,
            parsed.timestep,
            parsed.flat,
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mini-sd-a/hspace0", "at least one seed"),
        ("mini-sd-a/hspace@500-flt", "the space is mini-sd-a/hspace@500"),
        ("mini-sd-a/hspace5@500", "takes no steps"),
        ("mini-dino/hspace", "is an encoder"),
        ("mini-sd-a/hspac", "nearest first: hspace"),
    ],
)
def test_what_is_no_name_of_an_h_space_says_what_would_be(text, message):
    with pytest.raises(UneError, match=message):
        Space.parse(text)


def test_a_timestep_beyond_the_schedule_and_a_model_without_a_middle_block_are_refused(zoo, tmp_path):
    with pytest.raises(UneError, match="go from 0 to 999"):
        Space.parse("mini-sd-a/hspace@1000").pinned()
    shutil.copytree(zoo / "sd", tmp_path / "sd")
    config = tmp_path / "sd/unet/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"mid_block_type": None}))
    with pytest.raises(UneError, match="no middle block"):
        Space.parse(f"x=stable-diffusion:{tmp_path}/sd/hspace").pinned()
