"""Edits that move no latent, against the space `hspace-flat` and a middle block that is changed by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from une_ray.registry import SPACE_KINDS
from une_ray.spaces.ddim import Invert
from une_ray.spaces.space import Space
from une_ray.studies.edits.registries import STEERINGS
from une_ray.studies.edits.steerings.hspace import prompt_direction
from une_ray.studies.edits.steerings.hspace_random import drawn_as_long
from une_ray.studies.edits.tasks import EditFacts

PROMPT, IDS = "a man with a hat", ["a", "b", "c"]


@pytest.fixture(scope="module")
def generator(tiny_spaces) -> Invert:
    return Invert(Space.parse(tiny_spaces[0]).with_dtype("float32").pinned()[0])


@pytest.fixture(scope="module")
def noise(generator) -> torch.Tensor:
    return torch.randn(3, *generator.generator.latent_shape, generator=torch.Generator().manual_seed(0))


def test_the_direction_is_that_of_the_space_of_prompts(generator):
    kind, seeds = SPACE_KINDS.find("hspace"), STEERINGS.find("hspace").facts["seeds"]
    flat = replace(generator.space, kind="hspace", steps=8, seeds=seeds, flat=True)
    told, untold = kind.load(flat, "cpu")([PROMPT, ""], ["0", "1"])["z"]
    assert np.allclose(prompt_direction(generator, PROMPT).flatten().numpy(), told - untold, atol=1e-5)
    assert np.abs(told - untold).max() > 1e-3


@pytest.mark.parametrize("name", STEERINGS.names())
@torch.no_grad()
def test_at_no_dose_every_steering_is_the_round_trip_and_at_some_it_is_not(generator, noise, name):
    lead = STEERINGS.find(name).towards(generator, PROMPT)
    alphas = torch.tensor([0.0, 3.0, 0.0])
    pictures, plain = lead(noise, alphas, IDS), generator.image(noise)
    assert torch.allclose(pictures[[0, 2]], plain[[0, 2]], atol=1e-5)
    assert not torch.allclose(pictures[1], plain[1], atol=1e-3)
    assert torch.equal(generator.image(noise), plain), "the model is left as it was"


@torch.no_grad()
def test_in_h_space_every_step_goes_on_from_a_middle_block_that_is_moved(generator, noise):
    unet, direction = generator.generator.unet, prompt_direction(generator, PROMPT)
    pictures = STEERINGS.find("hspace").towards(generator, PROMPT)(noise, torch.tensor([-2.0, 0.5, 4.0]), IDS)
    plain, calls = unet.mid_block.forward, []

    def moved(*inputs, **words):
        calls.append(len(calls))
        return plain(*inputs, **words) + 4.0 * direction

    unet.mid_block.forward = moved
    try:
        by_hand = generator.image(noise[2:])
    finally:
        unet.mid_block.forward = plain
    assert len(calls) == len(generator.timesteps) - 1
    assert torch.allclose(pictures[2:], by_hand, atol=1e-4)


@torch.no_grad()
def test_random_directions_are_as_long_and_an_images_own_whatever_else_is_edited(generator, noise):
    direction, lead = (
        prompt_direction(generator, PROMPT),
        STEERINGS.find("hspace-random").towards(generator, PROMPT),
    )
    drawn = drawn_as_long(direction, IDS)
    assert torch.allclose(drawn.flatten(1).norm(dim=1), direction.norm().expand(3))
    assert torch.equal(drawn[1:2], drawn_as_long(direction, IDS[1:2]))
    assert (drawn[0] * drawn[1]).sum().abs() < 0.5 * direction.norm() ** 2
    together, alone = lead(noise, torch.ones(3), IDS), lead(noise[1:2], torch.ones(1), IDS[1:2])
    assert torch.allclose(together[1:2], alone, atol=1e-4)
    assert not torch.allclose(lead(noise[1:2], torch.ones(1), IDS[:1]), alone, atol=1e-3)


def test_facts_of_a_steering_are_part_of_what_decides_an_edit_and_none_are_what_they_were():
    shared = {
        "space": "sd",
        "fingerprint": "0",
        "attribute": "Smiling",
        "method": "ridge",
        "inner_product": "plain",
        "alphas": (0.0, 1.0),
        "train": 3,
        "judges": {},
        "prompt": PROMPT,
    }
    plain = EditFacts(**shared, direction="prompt", steering=STEERINGS.find("prompt").facts)
    assert "steering" not in plain.to_row()
    facts = EditFacts(**shared, direction="hspace", steering=STEERINGS.find("hspace").facts)
    assert EditFacts.from_row(json.loads(json.dumps(facts.to_row()))) == facts
    assert facts.config != replace(facts, steering={"seeds": 2, "steps": 8}).config
