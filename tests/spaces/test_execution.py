"""How networks run: what decides numbers stands in the fingerprint, what does not does not."""

import re

import numpy as np
import pytest
import torch

from une_ray.errors import UneError
from une_ray.lake.layout import Lake
from une_ray.models.compiled import CACHE
from une_ray.run.build import build
from une_ray.spaces.execution import Execution
from une_ray.spaces.space import Space

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
IDS = ["a", "b", "c"]


def fingerprint(name: str, **execution: str) -> dict:
    return Execution(**execution).of(Space.parse(name)).pinned()[1]


@pytest.mark.parametrize("name", ["mini-sd-a/ddim3", "mini-sd-a/latents", "mini-clip-a", "mini-clip-a/text"])
def test_compiling_changes_no_fingerprint(name):
    assert fingerprint(name, compile="default") == fingerprint(name)


@pytest.mark.parametrize("name", ["mini-sd-a/ddim3", "mini-sd-a/latents", "mini-sd-a/hspace@500"])
def test_an_autoencoder_in_half_precision_is_another_space(name):
    assert fingerprint(name, vae_dtype="float16") == fingerprint(name) | {"vae_dtype": "float16"}
    assert fingerprint(name, vae_dtype="float32") == fingerprint(name)


@pytest.mark.parametrize("name", ["mini-clip-a", "mini-sd-a/hspace2", "mini-clip-a/text"])
def test_what_reads_no_picture_through_an_autoencoder_is_as_it_was(name):
    assert fingerprint(name, vae_dtype="float16") == fingerprint(name)


def test_half_precision_reaches_the_autoencoder_and_leaves_latents_near(zoo):
    whole, half = (
        Execution(vae_dtype=dtype).of(Space.parse("mini-sd-a/latents")).load() for dtype in (None, "float16")
    )
    assert half.autoencoder.vae.dtype == torch.float16 and whole.autoencoder.vae.dtype == torch.float32
    expected, found = whole(PICTURES, IDS)["z"], half(PICTURES, IDS)["z"]
    assert found.dtype == np.float32
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    assert 0 < error < 0.02


@pytest.mark.parametrize(
    "names, execution, message",
    [
        (["mini-dino"], {"compile": "fast"}, "mode of torch.compile 'fast'"),
        (["mini-sd-a/latents", "pixels-16"], {"compile": "default"}, "mini-sd-a/latents, pixels-16 is none"),
        (["mini-dino"], {"vae_dtype": "float16"}, "mini-dino reads no picture through an autoencoder"),
        (["mini-sd-a/ddim3"], {"vae_dtype": "half"}, "number type of an autoencoder 'half'"),
        (["mini-sd-a/ddim3"], {"vae_dtype": "bfloat16"}, "not known to run in bfloat16"),
        (
            ["mine=stable-diffusion:/nowhere/ddim3"],
            {"vae_dtype": "float16"},
            "not known to run in float16.*sd15",
        ),
    ],
)
def test_what_none_of_the_spaces_can_do_is_refused(names, execution, message):
    with pytest.raises(UneError, match=re.compile(message, re.DOTALL)):
        Execution(**execution).of_all([Space.parse(name) for name in names])


def test_one_space_that_can_is_enough():
    found = Execution(compile="default").of_all([Space.parse("mini-dino"), Space.parse("mini-sd-a/latents")])
    assert [space.compiled for space in found] == ["default", None]


@pytest.mark.long
@pytest.mark.parametrize("name", ["mini-clip-b", "mini-sd-b/ddim3"])
def test_compiled_the_step_gives_the_same_numbers(name, tmp_path, monkeypatch, zoo):
    monkeypatch.setenv(CACHE, str(tmp_path))
    plain = Space.parse(name)
    expected = plain.load()(PICTURES, IDS)["z"]
    found = Execution(compile="default").of(plain).load()(PICTURES, IDS)["z"]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@pytest.mark.parametrize("name", ["mini-clip-b", "mini-sd-b/ddim3"])
def test_compiled_the_step_gives_the_same_numbers_on_a_gpu_again_and_again(name, mode, zoo):
    plain = Space.parse(name)
    expected = plain.load("cuda")(PICTURES, IDS)["z"]
    step = Execution(compile=mode).of(plain).load("cuda")
    for rows in (3, 2, 3, 1):
        found = step(PICTURES[:rows], IDS[:rows])["z"]
        np.testing.assert_allclose(found, expected[:rows], atol=1e-2 * np.abs(expected).max())


@pytest.mark.long
@pytest.mark.usefixtures("shared_ray")
def test_a_compiled_build_says_so_and_may_be_finished_without(tmp_path, capsys, zoo):
    url, spaces = str(tmp_path / "lake"), ["mini-clip-b", "pixels-16"]
    build(url, "avatars:6", ["mini-clip-b"], 3, Execution(compile="default"))
    assert "compiled: mini-clip-b" in capsys.readouterr().err
    build(url, "avatars:12", spaces, 3)
    lake = Lake(url)
    stages = "SELECT device, count(*) FROM runs WHERE stage = 'mini-clip-b' GROUP BY device ORDER BY device"
    assert lake.rows(stages) == [("cpu:0", 2), ("cpu:0 compiled", 2)]
