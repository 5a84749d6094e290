"""Every method by its limit cases: settings under which it must do nothing, or what another road does."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.registry import MITIGATIONS
from une_ray.studies.memorization.command import settings_help
from une_ray.studies.memorization.methods.method import RowMethod
from une_ray.studies.memorization.methods.random_numbers import add_random_numbers
from une_ray.studies.memorization.methods.random_tokens import add_random_tokens
from une_ray.studies.memorization.sampling import Sampling

TEXTS = ["a smiling woman with long hair", "wow! a man!"]
NAMES = {
    *("none", "pad-swap", "pad-swap-keeping-eot", "zero-pads"),
    *(f"ablation-{letter}" for letter in "abcdefgh"),
    *("wen", "ren", "random-tokens", "random-numbers", "delayed-guidance", "opposite-guidance"),
}


def latents(sampling: Sampling, name: str, settings: dict) -> torch.Tensor:
    return MITIGATIONS.find(name).latents(sampling, settings)


def test_the_methods_are_those_that_lakes_name():
    assert set(MITIGATIONS.names()) >= NAMES and all(MITIGATIONS.about(name) for name in NAMES)


@pytest.fixture(scope="module")
def sampling(generator) -> Sampling:
    noise = torch.randn(2, *generator.latent_shape, generator=torch.Generator().manual_seed(0))
    return Sampling(generator=generator, prompts=TEXTS, x_T=noise, timesteps=timesteps(3), guidance_scale=7.5)


@pytest.fixture(scope="module")
def plain(sampling) -> torch.Tensor:
    return latents(sampling, "none", {})


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-3, atol=1e-3)


def test_plain_sampling_is_the_pipelines(pipe, sampling, plain):
    """diffusers' own loop, guidance and scheduler."""
    scheduler = DDIMScheduler.from_config(pipe.scheduler.config, set_alpha_to_one=True)
    plainly = StableDiffusionPipeline(
        **pipe.components | {"scheduler": scheduler}, requires_safety_checker=False
    )
    plainly.set_progress_bar_config(disable=True)
    found = plainly(
        TEXTS, num_inference_steps=3, guidance_scale=7.5, latents=sampling.x_T.clone(), output_type="latent"
    ).images
    assert scheduler.timesteps.tolist() == sampling.timesteps[::-1]
    assert close(found, plain)


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("zero-pads", {"fraction": 0.0}),
        ("zero-pads", {"scale": 1.0}),
        ("zero-pads", {"fraction": 0.0, "by": "removal"}),
        ("wen", {"iterations": 0}),
        ("wen", {"target": 1e9}),
        ("delayed-guidance", {"transition": 1000}),
        ("opposite-guidance", {"transition": 1000}),
    ],
)
def test_a_method_told_to_do_nothing_does_nothing(sampling, plain, method, settings):
    assert close(latents(sampling, method, settings), plain)


@pytest.mark.parametrize("method", sorted(NAMES - {"none"}))
def test_every_method_changes_the_picture_and_keeps_it_finite(sampling, plain, method):
    found = latents(sampling, method, {})
    assert found.shape == plain.shape and found.isfinite().all() and not close(found, plain)


@pytest.mark.parametrize(
    ("method", "add"), [("random-tokens", add_random_tokens), ("random-numbers", add_random_numbers)]
)
def test_random_additions_are_plain_sampling_of_the_longer_prompt(sampling, method, add):
    tokenizer = () if method == "random-numbers" else (sampling.generator.tokenizer,)
    longer = replace(sampling, prompts=[add(text, *tokenizer, 4, 0) for text in TEXTS])
    assert close(latents(sampling, method, {}), latents(longer, "none", {}))


def test_removing_all_pads_is_what_ren_does_to_the_conditional_branch_without_its_scale(sampling):
    assert close(
        latents(sampling, "ablation-h", {"by": "removal"}),
        latents(sampling, "ren", {"sot_scale": 1.0, "both_halves": False}),
    )


@pytest.mark.parametrize("method", ["zero-pads", "ablation-a", "ablation-c", "ablation-f", "ablation-h"])
def test_a_removed_row_is_not_a_zeroed_one(sampling, method):
    removed = latents(sampling, method, {"by": "removal"})
    assert removed.isfinite().all() and not close(removed, latents(sampling, method, {}))


def test_what_is_in_a_removed_row_does_not_matter(sampling):
    assert close(
        latents(sampling, "ablation-h", {"by": "removal", "padding": "exclamation"}),
        latents(sampling, "ablation-h", {"by": "removal"}),
    )


@pytest.mark.parametrize(
    ("ablation", "twin"),
    [("f", "pad-swap"), ("h", "ablation-h"), ("a", "ablation-a"), ("d", "ablation-d"), ("e", "ablation-e")],
)
def test_the_twin_encoding_differs_in_its_pads_alone(sampling, ablation, twin):
    """So (f) of it is M1, and what overwrites the pads is what it is under the model's own padding."""
    assert close(
        latents(sampling, f"ablation-{ablation}", {"padding": "exclamation"}), latents(sampling, twin, {})
    )


@pytest.mark.parametrize("ablation", ["b", "c", "g"])
def test_ablations_that_keep_the_pads_differ_under_the_twin_encoding(sampling, ablation):
    name = f"ablation-{ablation}"
    assert not close(latents(sampling, name, {"padding": "exclamation"}), latents(sampling, name, {}))


def test_a_picture_does_not_depend_on_its_neighbours_in_the_batch(sampling):
    alone = replace(sampling, prompts=TEXTS[1:], x_T=sampling.x_T[1:])
    for method in ("ren", "pad-swap"):
        assert close(latents(sampling, method, {})[1:], latents(alone, method, {})), method


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("pad-swop", {}, "nearest first: pad-swap"),
        ("zero-pads", {"fracton": 1}, "nearest first: fraction"),
        ("pad-swap", {"scale": 1}, "nearest first: window"),
        ("none", {"scale": 1}, "has no settings"),
        ("ren", {"sot": 1}, "nearest first: sot_scale"),
        ("ablation-b", {"by": "removal"}, "unknown setting of ablation-b 'by'"),
        (
            "ablation-c",
            {"padding": "exclamatoin"},
            "unknown padding of ablation-c 'exclamatoin'; known, nearest first: exclamation",
        ),
        ("wen", {"iterations": -3}, "iterations of wen is -3; it is at least 1"),
        ("wen", {"iterations": 2.5}, "iterations of wen is 2.5; it is a whole number"),
        ("zero-pads", {"fraction": 7}, "fraction of zero-pads is 7; it is between 0 and 1"),
        ("wen", {"target": "high"}, "'high'; it is a number"),
        ("zero-pads", {"by": "removal", "scale": 0.5}, "leave one of by and scale away"),
        ("ren", {"both_halves": 1}, "both_halves of ren is 1; it is true or false"),
    ],
)
def test_an_unknown_method_or_setting_names_the_known_ones(method, settings, message):
    with pytest.raises(UneError, match=message):
        MITIGATIONS.find(method).check(method, settings)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_the_help_tells_every_setting_and_its_default(name):
    shown = settings_help()
    settings = MITIGATIONS.find(name).settings.values()
    assert f"- `{name}" in shown
    assert all(str(setting) in shown and f"`{setting.name}` {setting.about}" in shown for setting in settings)
    assert all(setting.about for setting in settings)


def test_every_known_setting_is_accepted():
    MITIGATIONS.find("zero-pads").check("zero-pads", {"fraction": 0.5, "end": "last", "scale": 0.1})
    MITIGATIONS.find("wen").check("wen", {"learning_rate": 0.1, "iterations": 1, "target": 2.0})


def test_names_and_descriptions_are_read_without_torch():
    code = (
        "import sys; from une_ray.registry import DETECTORS, MITIGATIONS; "
        "print(*(things.about(name) for things in (DETECTORS, MITIGATIONS) for name in things.names())); "
        "import une_ray.studies.memorization.command; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


def test_rows_that_are_changed_without_being_zeroed_are_not_left_in_by_removal(sampling):
    def halve(rows):
        return rows.embeddings / 2

    with pytest.raises(UneError, match="halve changes rows that it does not zero"):
        RowMethod(change=halve, by=True).sample(sampling, {"by": "removal"})
