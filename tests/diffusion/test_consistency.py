"""Oracle: diffusers' own scheduler of latent consistency models."""

import pytest
import torch
from diffusers import LCMScheduler

from une_ray.diffusion.consistency import consistency_sample, consistency_timesteps
from une_ray.errors import UneError


@pytest.mark.parametrize(("steps", "distilled"), [(1, 50), (3, 50), (4, 50), (8, 50), (4, 100)])
def test_timesteps_are_those_of_diffusers(steps, distilled):
    scheduler = LCMScheduler(original_inference_steps=distilled)
    scheduler.set_timesteps(steps)
    assert consistency_timesteps(steps, distilled) == scheduler.timesteps.tolist()[::-1]


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("steps", [1, 4])
def test_the_walk_is_that_of_diffusers_with_the_same_noise(prediction_type, steps):
    scheduler = LCMScheduler(prediction_type=prediction_type)
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(steps, 2, 3, 4, 4, generator=generator)

    def denoiser(x, timestep):
        return torch.tanh(x * (1 + timestep / 1000))

    x, replay = noise[0], torch.Generator().manual_seed(0)
    torch.randn(2, 3, 4, 4, generator=replay)
    for timestep in scheduler.timesteps:
        x, clean = scheduler.step(denoiser(x, int(timestep)), timestep, x, replay, return_dict=False)
    found = consistency_sample(
        denoiser,
        noise.swapaxes(0, 1),
        consistency_timesteps(steps),
        scheduler.alphas_cumprod,
        prediction_type,
    )
    assert torch.allclose(found, clean, atol=1e-4)


def test_more_steps_than_were_distilled_are_refused():
    with pytest.raises(UneError, match="51 consistency steps of 50"):
        consistency_timesteps(51)
