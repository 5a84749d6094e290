"""Oracles: closed forms where the ideal denoiser is known, and diffusers' own schedulers."""

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.schedulers.scheduling_ddim import rescale_zero_terminal_snr

from une_ray.diffusion.ddim import invert, predict, sample
from une_ray.diffusion.schedule import SPACINGS, timesteps, zero_terminal_snr
from une_ray.errors import UneError

SD = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "steps_offset": 1,
}
ALPHAS = DDIMScheduler(**SD).alphas_cumprod
Z0 = torch.randn(4, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def gaussian_denoiser(std: float):
    """The exact ε of data ~ N(0, std²): E[ε | x_t] = √(1−ᾱ) x / (ᾱ std² + 1 − ᾱ)."""
    return lambda x, t: (1 - ALPHAS[t]).sqrt() * x / (ALPHAS[t] * std**2 + 1 - ALPHAS[t])


def as_v(denoiser):
    """The same prediction spoken as v = √ᾱ ε − √(1−ᾱ) x₀."""

    def v(x, t):
        clean, noise = predict(denoiser(x, t), x, ALPHAS[t], "epsilon")
        return ALPHAS[t].sqrt() * noise - (1 - ALPHAS[t]).sqrt() * clean

    return v


@pytest.mark.parametrize("steps", [2, 10, 50])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_constant_network_is_undone_exactly(steps, spacing):
    constant = torch.randn(Z0.shape, generator=torch.Generator().manual_seed(1))
    nodes = timesteps(steps, spacing)
    up = invert(lambda x, t: constant, Z0, nodes, ALPHAS)
    back = sample(lambda x, t: constant, up, nodes, ALPHAS)
    assert (back - Z0).abs().max() < 1e-6 / ALPHAS[
        nodes[-1]
    ].sqrt() * up.abs().max()  # float32 rounding, as the last step amplifies it


def test_with_gaussian_data_the_round_trip_error_falls_as_one_over_n():
    denoiser = gaussian_denoiser(0.5)
    errors = []
    for steps in (10, 20, 40, 80, 160):
        nodes = timesteps(steps)
        back = sample(denoiser, invert(denoiser, Z0, nodes, ALPHAS), nodes, ALPHAS)
        errors.append((back - Z0).square().mean().sqrt().item())
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert errors[-1] < 0.04 and (orders > 0.7).all() and abs(orders[-1] - 1) < 0.2


def test_with_gaussian_data_inversion_reaches_the_exact_flow():
    """The probability flow of N(0, s²) scales x by the ratio of the marginals' standard deviations."""
    std, nodes = 0.5, timesteps(500)
    exact = (
        Z0
        * (
            (ALPHAS[nodes[-1]] * std**2 + 1 - ALPHAS[nodes[-1]])
            / (ALPHAS[nodes[0]] * std**2 + 1 - ALPHAS[nodes[0]])
        ).sqrt()
    )
    assert torch.allclose(invert(gaussian_denoiser(std), Z0, nodes, ALPHAS), exact, rtol=0.02)


def test_epsilon_v_and_sample_predictions_of_one_network_walk_one_path():
    nodes, denoiser = timesteps(20), gaussian_denoiser(0.7)
    by_epsilon = invert(denoiser, Z0, nodes, ALPHAS)
    by_v = invert(as_v(denoiser), Z0, nodes, ALPHAS, "v_prediction")
    by_sample = invert(
        lambda x, t: predict(denoiser(x, t), x, ALPHAS[t], "epsilon")[0], Z0, nodes, ALPHAS, "sample"
    )
    assert torch.allclose(by_v, by_epsilon, atol=1e-5) and torch.allclose(by_sample, by_epsilon, atol=1e-3)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_sampling_agrees_with_diffusers_ddim(prediction_type):
    network = torch.nn.Conv2d(4, 4, 3, padding=1).requires_grad_(False)
    denoiser = lambda x, t: network(x) * (t / 1000)  # noqa: E731
    scheduler = DDIMScheduler(**SD, prediction_type=prediction_type)
    scheduler.set_timesteps(25)
    x = Z0
    for t in scheduler.timesteps[:-1]:
        x = scheduler.step(denoiser(x, int(t)), t, x).prev_sample
    ours = sample(denoiser, Z0, timesteps(25), ALPHAS, prediction_type)
    assert torch.allclose(ours, x, atol=1e-4)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("steps", [4, 7, 30, 50, 150])
def test_timesteps_are_those_of_diffusers(spacing, steps):
    offset = 1 if spacing == "leading" else 0
    scheduler = DDIMScheduler(**SD | {"steps_offset": offset}, timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    assert timesteps(steps, spacing) == scheduler.timesteps.tolist()[::-1]


def test_leading_stops_early_and_trailing_reaches_the_end():
    assert (timesteps(50)[-1], timesteps(30)[-1], timesteps(50, "trailing")[-1]) == (981, 958, 999)


def test_zero_terminal_snr_is_that_of_diffusers():
    betas = rescale_zero_terminal_snr(DDIMScheduler(**SD).betas)
    assert torch.allclose(zero_terminal_snr(ALPHAS), torch.cumprod(1 - betas, 0), atol=1e-6)
    assert zero_terminal_snr(ALPHAS)[-1] == 0


def test_v_prediction_takes_gaussian_data_up_to_zero_snr_and_down_again():
    """The probability flow of N(0, s²) scales x by the ratio of the marginals' deviations, at last 1."""
    std, alphas, nodes = 0.5, zero_terminal_snr(ALPHAS), timesteps(1000, "trailing")

    def v(x, t):
        variance = alphas[t] * std**2 + 1 - alphas[t]
        clean, noise = alphas[t].sqrt() * std**2 * x / variance, (1 - alphas[t]).sqrt() * x / variance
        return alphas[t].sqrt() * noise - (1 - alphas[t]).sqrt() * clean

    up = invert(v, Z0, nodes, alphas, "v_prediction")
    assert torch.allclose(up, Z0 / (alphas[0] * std**2 + 1 - alphas[0]).sqrt(), rtol=0.02)
    assert torch.allclose(sample(v, up, nodes, alphas, "v_prediction"), Z0, rtol=0.02)


def test_sampling_from_zero_snr_agrees_with_diffusers():
    network = torch.nn.Conv2d(4, 4, 3, padding=1).requires_grad_(False)
    denoiser = lambda x, t: network(x) * (t / 1000)  # noqa: E731
    scheduler = DDIMScheduler(
        **SD, rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing"
    )
    scheduler.set_timesteps(25)
    assert scheduler.timesteps[0] == 999 and scheduler.alphas_cumprod[999] == 0
    x = Z0
    for t in scheduler.timesteps[:-1]:
        x = scheduler.step(denoiser(x, int(t)), t, x).prev_sample
    ours = sample(denoiser, Z0, timesteps(25, "trailing"), scheduler.alphas_cumprod, "v_prediction")
    assert torch.isfinite(ours).all() and torch.allclose(ours, x, atol=1e-4)


@pytest.mark.parametrize("walk", [invert, sample])
def test_epsilon_prediction_at_zero_snr_is_refused_before_the_network_is_asked(walk):
    def never(x, t):
        raise AssertionError("the network was asked")

    with pytest.raises(UneError, match="zero-terminal-SNR models predict v"):
        walk(never, Z0, timesteps(10, "trailing"), zero_terminal_snr(ALPHAS))
    with pytest.raises(UneError, match="zero-terminal-SNR"):
        predict(Z0, Z0, torch.tensor(0.0), "epsilon")
    assert torch.isfinite(
        walk(lambda x, t: x, Z0, timesteps(10), zero_terminal_snr(ALPHAS))
    ).all()  # leading timesteps stop short of it


def test_the_state_is_float32_whatever_the_network_gives():
    nodes = timesteps(10)
    up = invert(lambda x, t: (0.1 * x).half(), Z0.half(), nodes, ALPHAS)
    assert up.dtype == torch.float32


def test_drawn_noise_is_cleaned_at_the_end_as_diffusers_does():
    denoiser, scheduler = gaussian_denoiser(0.8), DDIMScheduler(**SD, set_alpha_to_one=True)
    scheduler.set_timesteps(25)
    x = Z0
    for t in scheduler.timesteps:
        x = scheduler.step(denoiser(x, int(t)), t, x).prev_sample
    assert torch.allclose(sample(denoiser, Z0, timesteps(25), ALPHAS, clean=True), x, atol=1e-4)


def test_the_callback_sees_every_state():
    seen = []
    invert(lambda x, t: x, Z0, timesteps(5), ALPHAS, callback=lambda t, x: seen.append(t))
    assert seen == timesteps(5)[1:]


@pytest.mark.parametrize(
    ("steps", "spacing", "message"),
    [
        (1, "leading", "between 2 and 1000"),
        (1001, "leading", "1001"),
        (5, "leadin", "nearest first: leading"),
    ],
)
def test_bad_schedules_are_refused(steps, spacing, message):
    with pytest.raises(UneError, match=message):
        timesteps(steps, spacing)
