"""How a space is named, and what its fingerprint says."""

from dataclasses import replace

import pytest

from une_ray.errors import UneError
from une_ray.models.table import MODELS
from une_ray.spaces.names import example, kinds_of
from une_ray.spaces.space import Space


def fingerprint(text: str) -> dict:
    return Space.parse(text).pinned()[1]


@pytest.mark.parametrize(
    ("text", "kind", "steps", "spacing"),
    [
        ("mini-sd-a/ddim50", "ddim", 50, "leading"),
        ("mini-sd-a/leak20-trailing", "leak", 20, "trailing"),
        ("mini-sd-a/latents", "latents", None, None),
        ("x=stable-diffusion:/models/mine/leak50", "leak", 50, "leading"),
        ("x=stable-diffusion:/models/mine/latents", "latents", None, None),
    ],
)
def test_a_generator_is_named_with_the_kind_of_space(text, kind, steps, spacing):
    space = Space.parse(text)
    assert (space.kind, space.steps, space.spacing) == (kind, steps, spacing)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mini-dino/latents", "mini-dino is an encoder: its space is just 'mini-dino', without 'latents'"),
        ("pixels-16/ddim50", "is an encoder"),
        ("mini-sd-a/leak", "names no number of steps.*as in mini-sd-a/leak50"),
        ("mini-sd-a/ddim", "as in mini-sd-a/ddim50"),
        ("mini-sd-a/leek50", "unknown space kind 'leek50'; known, nearest first: leak50"),
        ("mini-sd-a/latent", "nearest first: latents"),
        ("mini-sd-a/latents50", "the space is mini-sd-a/latents"),
        ("mini-sd-a/leak50-trailling", "nearest first: trailing"),
        ("mini-sd-a/leak1", "between 2 and 1000"),
        ("random-mini-sd-a/latents", "runs no U-Net"),
        ("random-mini-sd-a/leak50", "leave 'random-' away"),
        ("random-mini-sd-a", "does not say how to invert"),
    ],
)
def test_a_space_that_is_none_says_what_would_be(text, message):
    with pytest.raises(UneError, match=message):
        Space.parse(text)


def test_a_model_may_have_a_spacing_of_its_own_and_the_fingerprint_names_it(monkeypatch):
    monkeypatch.setitem(MODELS, "mini-sd-z", replace(MODELS["mini-sd-a"], id="mini-sd-z", spacing="trailing"))
    assert (
        fingerprint("mini-sd-z/ddim50")["spacing"] == fingerprint("mini-sd-z/leak50")["spacing"] == "trailing"
    )
    assert (
        fingerprint("mini-sd-z/ddim50-leading")["spacing"]
        == fingerprint("mini-sd-a/ddim50")["spacing"]
        == "leading"
    )


def test_the_fingerprint_is_what_lakes_already_have_and_the_role():
    shared = ["model", "kind", "source", "weights", "preprocessing", "backend", "dtype"]
    inversion = {
        "method": "ddim-inversion",
        "steps": 50,
        "spacing": "leading",
        "prompt": "",
        "guidance_scale": 1.0,
    }
    inverted = fingerprint("mini-sd-a/ddim50")
    assert list(inverted) == [*shared, *inversion, "role"]
    assert {key: inverted[key] for key in inversion} == inversion
    assert list(fingerprint("mini-dino")) == [*shared[:4], "pooling", *shared[4:], "role"]


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("mini-sd-a/ddim50", "model"),
        ("mini-dino", "model"),
        ("mini-sd-a/leak50", "control"),
        ("mini-sd-a/latents", "control"),
        ("pixels-16", "control"),
        ("base=random-mini-dino", "control"),
        ("random-mini-sd-a/ddim50", "control"),
        ("pixels-of-mine=mini-clip-a", "model"),
    ],
)
def test_what_is_a_control_is_said_by_kind_and_weights_and_never_by_the_name(text, role):
    assert fingerprint(text)["role"] == role


@pytest.mark.parametrize(
    "text", ["mini-sd-a/ddim50", "mini-sd-a/leak20-trailing", "mini-sd-a/latents", "mini-dino"]
)
def test_a_space_comes_back_from_its_fingerprint(text):
    space, printed = Space.parse(text).pinned()
    again = Space.from_fingerprint(text, printed)
    assert (again.kind, again.steps, again.spacing) == (space.kind, space.steps, space.spacing)


def test_a_signal_leak_comes_back_with_the_variance_of_its_noise():
    space, printed = Space.parse("mini-sd-b/leak3").pinned()
    again = Space.from_fingerprint("mini-sd-b/leak3", printed)
    assert again.model.noise_variance == space.model.noise_variance != 1
    assert Space.from_fingerprint("x", fingerprint("mini-dino")).model.noise_variance == 1


def test_the_fingerprint_of_a_signal_leak_says_how_its_noise_is_drawn():
    leading, trailing = fingerprint("mini-sd-a/leak50"), fingerprint("mini-sd-a/leak50-trailing")
    assert (leading["final_timestep"], trailing["final_timestep"]) == (981, 999)
    assert leading["noise_variance"] == MODELS["mini-sd-a"].noise_variance < 1
    assert leading["noise"].endswith("PCG64, seed sha256(mini-sd-a/leak50-leading/IMAGE_ID)")
    assert (
        leading["method"] == "signal-leak"
        and fingerprint("mini-sd-a/latents")["method"] == "autoencoder-latents"
    )


def test_a_dtype_that_changes_no_number_changes_no_fingerprint():
    for kind in ("leak50", "latents"):
        space = Space.parse(f"mini-sd-a/{kind}")
        assert space.with_dtype("float16").pinned()[1] == space.pinned()[1]


def test_a_dtype_that_models_do_not_run_in_is_refused():
    with pytest.raises(UneError, match="dtype 'int8'; it is float32, float16 or bfloat16"):
        Space.parse("mini-dino").with_dtype("int8")


def test_no_two_kinds_have_the_same_fingerprint():
    kinds = kinds_of(MODELS["mini-sd-a"])
    methods = {fingerprint(f"mini-sd-a/{example(kind)}")["method"] for kind in kinds}
    assert len(methods) == len(kinds)
    assert fingerprint("random-mini-sd-a/ddim50") != fingerprint("mini-sd-a/ddim50")
