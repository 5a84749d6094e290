"""A method in a window of timesteps: where it acts, and where the sampling is the plain one."""

import pytest
import torch

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.registry import MITIGATIONS
from une_ray.studies.memorization.sampling import Sampling
from une_ray.studies.memorization.window import Window, windowed

METHODS = sorted(set(MITIGATIONS.names()) - {"none"})


def latents(sampling: Sampling, name: str, settings: dict) -> torch.Tensor:
    return MITIGATIONS.find(name).latents(sampling, settings)


@pytest.fixture(scope="module")
def sampling(generator) -> Sampling:
    noise = torch.randn(1, *generator.latent_shape, generator=torch.Generator().manual_seed(0))
    return Sampling(
        generator=generator,
        prompts=["a smiling woman with long hair"],
        x_T=noise,
        timesteps=timesteps(3),
        guidance_scale=7.5,
    )


@pytest.fixture(scope="module")
def plain(sampling) -> torch.Tensor:
    return latents(sampling, "none", {})


def test_the_inner_denoiser_is_asked_inside_the_window_alone():
    window = Window(window_from=700, window_to=300)
    denoiser = windowed(lambda x, t: "inside", lambda x, t: "outside", window)
    assert [t for t in (0, 299, 300, 699, 700, 999) if denoiser(None, t) == "inside"] == [300, 699]


@pytest.mark.parametrize("method", METHODS)
def test_a_window_between_the_timesteps_leaves_the_plain_sampling_and_one_around_them_the_method(
    sampling, plain, method
):
    assert sampling.timesteps == [1, 334, 667]
    between = latents(sampling, method, {"window_from": 600, "window_to": 400})
    assert torch.allclose(between, plain, rtol=1e-3, atol=1e-3)
    around = latents(sampling, method, {"window_from": 700, "window_to": 1})
    assert torch.allclose(around, latents(sampling, method, {}), rtol=1e-3, atol=1e-3)


def test_a_window_of_the_last_steps_is_the_plain_sampling_until_then(sampling, plain):
    late = latents(sampling, "pad-swap", {"window_from": 100})
    early = latents(sampling, "pad-swap", {"window_to": 100})
    assert not torch.allclose(late, early, rtol=1e-3, atol=1e-3) and not torch.allclose(
        late, plain, rtol=1e-4, atol=1e-4
    )


def test_every_method_has_a_window_but_the_plain_one():
    window = {"window_from": 1000, "window_to": 0}
    assert all(window.items() <= MITIGATIONS.find(method).defaults.items() for method in METHODS)
    assert not MITIGATIONS.find("none").defaults


def test_an_empty_window_is_refused_and_a_whole_one_is_none():
    method = MITIGATIONS.find("zero-pads")
    assert method.split({"fraction": 0.5, "window_to": 0}) == (None, {"fraction": 0.5})
    assert method.split({"window_from": 500}) == (Window(window_from=500), {})
    with pytest.raises(UneError, match="a window from timestep 300 down to 300 is empty"):
        method.check("zero-pads", {"window_from": 300, "window_to": 300})
