"""Oracles: traces small enough for arithmetic, a sampling without the watch, and finite differences of the
score."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from une_ray.diffusion.ddim import sample
from une_ray.diffusion.guidance import guided
from une_ray.diffusion.schedule import timesteps
from une_ray.errors import UneError
from une_ray.registry import DETECTORS
from une_ray.studies.memorization.detectors.bright_ending import bright_ending
from une_ray.studies.memorization.detectors.noise_norm import noise_norm
from une_ray.studies.memorization.detectors.ren_d import cross_attention_entropy
from une_ray.studies.memorization.detectors.ren_e import first_step_entropy
from une_ray.studies.memorization.detectors.sail import sharpness
from une_ray.studies.memorization.noise import noise_difference
from une_ray.studies.memorization.token_rows import EOT, PAD, PROMPT, SOT
from une_ray.studies.memorization.trace import Trace, trace

NODES = timesteps(5)


@pytest.fixture(scope="module")
def watched(generator, rows) -> Trace:
    noise = torch.randn(4, *generator.latent_shape, generator=torch.Generator().manual_seed(0))
    return trace(generator, rows, noise, NODES, guidance_scale=3.0)


def known(differences, weights=None, eot_map=None) -> Trace:
    weights = torch.full((len(differences), 1, differences.shape[1], 4), 0.25) if weights is None else weights
    eot_map = torch.ones(differences.shape[1], 2, 2) if eot_map is None else eot_map
    classes = torch.tensor([[SOT, PROMPT, EOT, PAD]] * differences.shape[1])
    return Trace(
        generator=None,
        states=None,
        classes=classes,
        x_T=differences[0],
        timesteps=(),
        latents=differences[0],
        differences=differences,
        layers=("layer",),
        token_weights=weights,
        eot_map=eot_map,
    )


def test_watching_does_not_change_the_sampling(generator, rows, noise, watched):
    denoiser = guided(
        generator.denoiser(rows.embeddings), generator.denoiser(generator.prompt_states([""])), 3.0
    )
    plain = sample(denoiser, noise, NODES, generator.alphas_cumprod, clean=True)
    assert torch.allclose(watched.latents, plain, rtol=1e-3, atol=1e-3)
    assert watched.timesteps == tuple(NODES[::-1])


def test_a_trace_has_every_step_layer_and_token(generator, watched):
    layers = sum(name.endswith("attn2.processor") for name in generator.unet.attn_processors)
    assert watched.token_weights.shape == (5, layers, 4, 77) and len(watched.layers) == layers
    assert torch.allclose(watched.token_weights.sum(-1), torch.ones(1), atol=1e-5)
    assert watched.differences.shape == (5, 4, *generator.latent_shape)


def test_the_first_steps_alone_are_the_first_steps_of_all(generator, rows, noise, watched):
    short = trace(generator, rows, noise, NODES, guidance_scale=3.0, steps=2)
    assert short.timesteps == watched.timesteps[:2]
    assert torch.allclose(short.differences, watched.differences[:2], atol=1e-5)


def test_an_empty_prompt_differs_from_itself_by_nothing(watched):
    assert noise_norm(watched)[1] < 1e-4 < noise_norm(watched)[0]


def test_the_first_difference_is_that_of_two_calls(generator, rows, noise, watched):
    with_prompt, without = (
        generator.denoiser(rows.embeddings),
        generator.denoiser(generator.prompt_states([""])),
    )
    assert torch.allclose(
        watched.differences[0], with_prompt(noise, NODES[-1]) - without(noise, NODES[-1]), atol=1e-5
    )


def test_a_v_network_is_read_as_its_noise(generator, rows, noise):
    """ε̂ = √ᾱ v + √(1−ᾱ) x: the difference of two is √ᾱ times that of the outputs."""
    v = replace(generator, prediction_type="v_prediction")
    found = noise_difference(v, noise, 481, rows.embeddings, generator.prompt_states([""]))
    outputs = noise_difference(generator, noise, 481, rows.embeddings, generator.prompt_states([""]))
    assert torch.allclose(found, generator.alphas_cumprod[481].sqrt() * outputs, atol=1e-6)


def test_wens_norm_by_arithmetic():
    differences = torch.zeros(3, 2, 1, 2, 2)
    differences[0, 0, 0, 0] = torch.tensor([3.0, 4.0])  # norms 5, 0, 1 and 0, 2, 4
    differences[2, 0, 0, 0, 0], differences[1, 1], differences[2, 1] = 1.0, 1.0, 2.0
    assert noise_norm(known(differences)).tolist() == [2, 2]
    assert noise_norm(known(differences), steps=1).tolist() == [5, 0]
    assert noise_norm(known(differences), steps=2).tolist() == [2.5, 1]


def test_bright_ending_by_arithmetic():
    differences = torch.ones(2, 1, 1, 2, 2)
    eot_map = torch.tensor(
        [[[0.4, 0.0], [0.0, 0.0]]]
    )  # one of four places, mean .1, so ‖Δ ∘ m‖ / mean = .4 / .1
    assert torch.allclose(bright_ending(known(differences, eot_map=eot_map)), torch.tensor([4.0]))
    flat = known(torch.randn(2, 3, 1, 2, 2, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(bright_ending(flat), noise_norm(flat))  # a flat map is Wen's norm


def test_rens_entropy_by_arithmetic():
    first, last = torch.tensor([0.5, 0.5, 0.0, 0.0]), torch.tensor([0.25, 0.25, 0.25, 0.25])
    weights = torch.stack([first] * 4 + [last])[:, None, None]  # the last fifth of five steps is the last
    summary = 2 * 0.25 * torch.tensor(4.0).log()  # eot and pad, none at first
    assert torch.allclose(
        cross_attention_entropy(known(torch.zeros(5, 1, 1, 1, 1), weights)), torch.tensor(4.0).log() + summary
    )
    assert torch.allclose(
        first_step_entropy(known(torch.zeros(5, 1, 1, 1, 1), weights), layer=0), torch.tensor(2.0).log()
    )


def test_a_layer_that_a_model_has_not_is_named():
    trace = known(torch.zeros(5, 1, 1, 1, 1), torch.full((5, 2, 1, 77), 1 / 77))
    with pytest.raises(UneError, match="ren-e reads cross-attention layer 3; this model has 2"):
        first_step_entropy(trace)


def test_the_eot_map_is_the_attention_to_eot_at_the_last_step(watched):
    """Its mean is the token weight of eot in the one down-sampling layer of this model."""
    down = [i for i, layer in enumerate(watched.layers) if layer.startswith("down_blocks")]
    at_eot = (watched.token_weights[-1, down] * (watched.classes == EOT)).sum(-1).mean(0)
    assert len(down) == 1 and torch.allclose(watched.eot_map.flatten(1).mean(1), at_eot, atol=1e-6)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_sharpness_is_the_directional_derivative_of_the_score_difference(
    generator, rows, noise, prediction_type
):
    model, t, empty = replace(generator, prediction_type=prediction_type), 801, generator.prompt_states([""])
    deviation = (1 - model.alphas_cumprod[t]).sqrt()
    score = lambda x: -noise_difference(model, x, t, rows.embeddings, empty) / deviation  # noqa: E731
    direction = score(noise)
    step = 1e-2 / direction.flatten(1).norm(dim=1).clamp_min(1e-6)[:, None, None, None]
    central = (score(noise + step * direction) - score(noise - step * direction)) / (2 * step)
    found = sharpness(model, rows.embeddings, noise, t)
    assert (
        torch.allclose(found[[0, 2, 3]], central.flatten(1).norm(dim=1)[[0, 2, 3]], rtol=0.05)
        and found[0] > 0
    )
    assert found[1] == 0


def test_the_detectors_are_those_that_lakes_name():
    names = {"wen-1", "wen-10", "wen-all", "ren-d", "ren-e", "bright-ending", "sail"}
    assert set(DETECTORS.names()) >= names and all(DETECTORS.about(name) for name in names)


@pytest.mark.parametrize("name", DETECTORS.names())
def test_every_detector_scores_every_image(watched, name):
    detector = partial(first_step_entropy, layer=0) if name == "ren-e" else DETECTORS.find(name)
    scores = detector(watched)
    assert scores.shape == (4,) and torch.isfinite(scores).all()


def test_wens_variants_are_of_the_steps_that_they_name(watched):
    for name, steps in (("wen-1", 1), ("wen-10", 10), ("wen-all", None)):
        assert torch.equal(DETECTORS.find(name)(watched), noise_norm(watched, steps))


def test_sail_is_the_sharpness_at_the_first_step(generator, rows, watched):
    expected = sharpness(generator, rows.embeddings, watched.x_T, NODES[-1])
    assert torch.equal(DETECTORS.find("sail")(watched), expected)
