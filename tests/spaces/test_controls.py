"""The control spaces: signal leak, autoencoder latents, raw pixels; and a zero-terminal-SNR generator
beside them."""

import shutil

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image
from scipy import stats

from tests.helpers.pictures import png
from une_ray.corpora import avatars
from une_ray.models.generators import load_generator
from une_ray.pictures.decode import decode, fit
from une_ray.run.read import read_space
from une_ray.spaces.leak import Leak
from une_ray.spaces.space import Space, pixels

PICTURES = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
IDS = [f"image-{i}" for i in range(6)]
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "set_alpha_to_one": False,
}
ALPHAS = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)


def space(folder, reading: str) -> Space:
    return Space.parse(f"x=stable-diffusion:{folder}/{reading}").pinned()[0]


@pytest.fixture(scope="module")
def zero_snr(zoo, tmp_path_factory):
    """The small generator under a schedule that ends in pure noise, predicting v (Lin et al. 2024)."""
    folder = tmp_path_factory.mktemp("models") / "zero-snr"
    shutil.copytree(zoo / "sd", folder)
    DDIMScheduler(
        **SCHEDULE, rescale_betas_zero_snr=True, prediction_type="v_prediction", timestep_spacing="trailing"
    ).save_pretrained(folder / "scheduler")
    return folder


def test_latents_are_what_the_generator_encodes_and_need_no_unet(zoo, tmp_path):
    shutil.copytree(zoo / "sd", tmp_path / "sd")
    chosen = space(tmp_path / "sd", "latents")
    x = pixels(PICTURES, chosen.model.preprocessing, "cpu")
    whole = load_generator(chosen.model)
    for part in ("unet", "text_encoder", "tokenizer"):
        shutil.rmtree(tmp_path / "sd" / part)
    step = chosen.load()
    assert (
        np.array_equal(step(PICTURES, IDS)["z"], whole.encode(x).flatten(1).numpy())
        and step.shape == whole.latent_shape
    )


class Unit:
    """Latents of variance 1, which no untrained autoencoder has."""

    shape = (4, 16, 16)

    def __call__(self, pictures, image_ids):
        return {"z": np.random.default_rng(1).standard_normal((len(image_ids), 1024), np.float32)}


@pytest.mark.parametrize(("reading", "last"), [("leak50", 981), ("leak30", 958), ("leak50-trailing", 999)])
def test_a_signal_leak_has_variance_one_and_the_correlation_that_the_schedule_leaves(zoo, reading, last):
    step = space(zoo / "sd", reading).load()
    step.latents = Unit()
    ids = [str(i) for i in range(200)]
    out, x0 = step(None, ids), Unit()(None, ids)["z"].ravel()
    z, n = out["z"].ravel().astype(np.float64), len(x0)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / n)
    assert abs(np.corrcoef(z, x0)[0, 1] - np.sqrt(ALPHAS[last])) < 4 / np.sqrt(n)
    assert (out["final_timestep"] == last).all()
    noise = (z - np.sqrt(ALPHAS[last]) * x0) / np.sqrt(1 - ALPHAS[last])
    assert stats.kstest(noise, "norm").pvalue > 1e-3


@pytest.mark.parametrize("name", ["mini-sd-a", "mini-sd-z"])
def test_a_signal_leak_is_as_loud_as_the_noise_that_it_is_the_control_of(name):
    """Inverted noise of avatars that the zoo's figures are not of; its mean square lies well below 1."""
    shown = np.stack([np.asarray(decode(avatars.picture(11, i)).convert("RGB")) for i in range(8)])
    ids = [str(i) for i in range(8)]
    inverted, leak = (
        np.square(Space.parse(f"{name}/{reading}").load()(shown, ids)["z"], dtype=np.float64).mean(1)
        for reading in ("ddim50", "leak50")
    )
    assert inverted.mean() < 0.9
    spread = inverted.std(ddof=1) / 8**0.5 + leak.std(ddof=1) / 8**0.5
    assert abs(leak.mean() - inverted.mean()) < 4 * spread


def test_a_signal_leak_depends_on_the_image_and_not_on_its_batch(zoo):
    step = space(zoo / "sd", "leak50").load()
    together = step(PICTURES, IDS)["z"]
    alone = np.concatenate([step(PICTURES[i : i + 1], IDS[i : i + 1])["z"] for i in reversed(range(6))])[::-1]
    assert np.allclose(together, alone, atol=1e-5)
    again = space(zoo / "sd", "leak50").load()(PICTURES[::-1].copy(), IDS[::-1])["z"][::-1]
    assert np.allclose(together, again, atol=1e-5)


def test_signal_leaks_share_no_noise(zoo, zero_snr):
    """Else one model's control would be a linear map of another's."""
    found = [
        space(folder, reading).load()(PICTURES, IDS)["z"].ravel()
        for folder, reading in (
            (zoo / "sd", "leak50"),
            (zoo / "sd", "leak150"),
            (zero_snr, "leak50-trailing"),
        )
    ]
    correlations = np.corrcoef(found) - np.eye(3)
    assert np.abs(correlations).max() < 5 / np.sqrt(found[0].size)


def test_with_zero_terminal_snr_nothing_leaks(zero_snr):
    step = space(zero_snr, "leak50-trailing").load()
    assert isinstance(step, Leak) and step.alpha == 0
    assert np.array_equal(step(PICTURES, IDS)["z"], step(PICTURES[::-1].copy(), IDS)["z"])


def test_with_zero_terminal_snr_inversion_and_sampling_pass_through_the_last_timestep(zero_snr):
    step = space(zero_snr, "ddim10-trailing").load()
    assert step.generator.alphas_cumprod[999] == 0 and step.generator.prediction_type == "v_prediction"
    x = pixels(PICTURES, step.preprocessing, "cpu")
    noise = step.noise(x)
    assert torch.isfinite(noise).all() and torch.isfinite(step.image(noise)).all()
    assert (step(PICTURES, IDS)["final_timestep"] == 999).all()


def test_control_spaces_fill_the_table_of_a_shard(zoo):
    chosen = space(zoo / "sd", "leak50")
    table = read_space(chosen.load(), chosen.model.preprocessing, 4, ["a", "b"], [png(), b"no picture"])
    assert table["status"].to_pylist() == ["ok", "reject"] and table["final_timestep"].to_pylist() == [
        981,
        None,
    ]
    assert table["round_trip_psnr"].to_pylist() == [None, None]


@pytest.mark.parametrize("side", [16, 32])
def test_pixels_are_the_means_of_blocks(side):
    chosen, fingerprint = Space.parse(f"pixels-{side}").pinned()
    small = fit(Image.fromarray(PICTURES[0]), chosen.model.preprocessing)[None]
    block = 64 // side
    means = PICTURES[0].reshape(side, block, side, block, 3).mean((1, 3)).transpose(2, 0, 1) / 127.5 - 1
    z = chosen.load()(small, IDS[:1])["z"]
    assert z.shape == (1, chosen.model.dim) and fingerprint["weights"] == "none"
    assert (
        np.abs(z[0] - means.ravel()).max() * 127.5 < 1.001
    )  # levels: Pillow rounds to whole ones after each of its two passes
