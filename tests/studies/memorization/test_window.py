"""A method in a window of timesteps: where it acts, and where the sampling is the plain one."""

import pytest
import torch

from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.studies.memorization.methods import PEERS, ROWS, Sampling, defaults, latents
from une_ray.studies.memorization.window import WINDOW, split, windowed

METHODS = sorted((ROWS | PEERS).keys() - {"none"})


@pytest.fixture(scope="module")
def sampling(generator) -> Sampling:
    noise = torch.randn(1, *generator.latent_shape, generator=torch.Generator().manual_seed(0))
    return Sampling(generator, ["a smiling woman with long hair"], noise, timesteps(3), 7.5)


@pytest.fixture(scope="module")
def plain(sampling) -> torch.Tensor:
    return latents(sampling, "none", {})


def test_the_inner_denoiser_is_asked_inside_the_window_alone():
    asked = {
        t: windowed(lambda x, t: "inside", lambda x, t: "outside", (700, 300))(None, t)
        for t in (0, 299, 300, 699, 700, 999)
    }
    assert [t for t, answer in asked.items() if answer == "inside"] == [300, 699]


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
    assert all(WINDOW.items() <= defaults(method).items() for method in METHODS) and not defaults("none")


def test_an_empty_window_is_refused_and_a_whole_one_is_none():
    assert split({"fraction": 0.5, "window_to": 0}) == (None, {"fraction": 0.5}) and split(
        {"window_from": 500}
    ) == ((500, 0), {})
    with pytest.raises(UneError, match="a window from timestep 300 down to 300 is empty"):
        split({"window_from": 300, "window_to": 300})
