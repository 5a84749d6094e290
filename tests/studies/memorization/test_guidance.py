import pytest
import torch
from diffusers import DDIMScheduler

from une_ray.diffusion.ddim import sample
from une_ray.diffusion.guidance import guided
from une_ray.diffusion.schedule import timesteps
from une_ray.registry import MITIGATIONS
from une_ray.studies.memorization.methods.delayed_guidance import switched

X = torch.ones(1, 1)


def constant(value, calls=None):
    def denoise(x, timestep):
        if calls is not None:
            calls.append(timestep)
        return torch.full_like(x, value)

    return denoise


@pytest.mark.parametrize(("scale", "expected"), [(7.5, 2 + 7.5 * 3), (1.0, 5), (0.0, 2), (-2.0, -4)])
def test_guidance_goes_from_without_towards_with(scale, expected):
    assert guided(constant(5.0), constant(2.0), scale)(X, 1).item() == expected


def test_no_network_is_called_in_vain():
    with_prompt, without = [], []
    denoiser = guided(
        constant(5.0, with_prompt), constant(2.0, without), lambda t: {1: 0.0, 2: 1.0, 3: 4.0}[t]
    )
    for timestep in (1, 2, 3):
        denoiser(X, timestep)
    assert (with_prompt, without) == ([2, 3], [1, 3])


def test_a_callback_sees_both_outputs_at_every_step():
    seen = []
    denoiser = guided(
        constant(5.0),
        constant(2.0),
        0.0,
        lambda t, x, with_prompt, without: seen.append((t, with_prompt.item(), without.item())),
    )
    assert denoiser(X, 9).item() == 2 and seen == [(9, 5, 2)]


def test_guidance_begins_below_the_transition():
    scale = switched(500, before=-2.0, after=7.5)
    assert [scale(t) for t in (981, 501, 500, 499, 1)] == [-2, -2, -2, 7.5, 7.5]


def test_the_transitions_are_the_authors():
    delayed, opposite = MITIGATIONS.find("delayed-guidance"), MITIGATIONS.find("opposite-guidance")
    assert delayed.defaults["transition"] == 500
    assert (opposite.defaults["transition"], opposite.defaults["before"]) == (650, -2.0)


def test_a_delayed_sampling_is_diffusers_with_the_scale_switched_by_hand(generator, rows, noise):
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
    )
    scheduler.set_timesteps(6)
    with_prompt, without = (
        generator.denoiser(rows.embeddings),
        generator.denoiser(generator.prompt_states([""])),
    )
    x = noise
    for t in scheduler.timesteps.tolist():
        scale = 7.5 if t < 500 else 0.0
        x = scheduler.step(without(x, t) + scale * (with_prompt(x, t) - without(x, t)), t, x).prev_sample
    ours = sample(
        guided(with_prompt, without, switched(500, before=0.0, after=7.5)),
        noise,
        timesteps(6),
        scheduler.alphas_cumprod,
        clean=True,
    )
    assert torch.allclose(ours, x, rtol=1e-3, atol=1e-3)
