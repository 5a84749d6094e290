"""Model folders as people have them, loaded as their library loads them or refused by name."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import CLIPConfig, CLIPModel, CLIPTextModel

from une_ray.errors import UneError
from une_ray.models import generators, resolve
from une_ray.models.adhoc import complete
from une_ray.models.encoders import load_encoder
from une_ray.models.loading import memory_format
from une_ray.models.resolve import as_pinned, pin
from une_ray.models.table import find_model
from une_ray.spaces.space import Space

PART = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def clip(folder) -> CLIPModel:
    """A small CLIP whose parts state another width of projection than the whole, as those of LAION do."""
    vision = PART | {"image_size": 32, "patch_size": 8, "projection_dim": 512}
    text = PART | {"vocab_size": 64, "max_position_embeddings": 8, "projection_dim": 512}
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).eval()
    model.save_pretrained(folder)
    return model


def test_a_clip_whose_parts_state_another_projection_is_the_librarys(tmp_path):
    """transformers#25622."""
    model = clip(tmp_path)
    spec = complete(replace(find_model(f"clip:{tmp_path}"), dtype="float32"))
    pixels = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = model.get_image_features(pixel_values=pixels).pooler_output
        assert torch.allclose(load_encoder(spec)(pixels), expected, atol=1e-6) and spec.dim == 8


@pytest.mark.parametrize("name", ["adapter_config.json", "unet/pytorch_lora_weights.safetensors"])
def test_an_adapter_beside_the_weights_is_not_left_out_in_silence(name, tmp_path):
    """The same folder would be two networks, with peft installed and without (transformers' integration)."""
    clip(tmp_path)
    pin(find_model(f"clip:{tmp_path}"))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    with pytest.raises(UneError, match=f"{name} is of an adapter .*: merge it into the weights"):
        pin(find_model(f"clip:{tmp_path}"))


def test_weights_that_are_pickled_alone_are_refused_with_the_way_out(tmp_path):
    clip(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(UneError, match="holds no weights .*pytorch_model.bin is pickled.*as safetensors"):
        pin(find_model(f"clip:{tmp_path}"))


@pytest.mark.parametrize(
    "there, variant",
    [(["model.safetensors"], None), (["model.fp16.safetensors"], "fp16")]
    + [
        (["model.safetensors", "model.fp16.safetensors"], None),
        (["model.safetensors.index.fp16.json"], "fp16"),
    ],
)
def test_of_a_hub_repository_half_precision_is_read_where_there_is_no_other(monkeypatch, there, variant):
    asked, options = [], {}

    def file_exists(repository, name, revision):
        asked.append((repository, revision))
        return name.removeprefix("text_encoder/") in there

    monkeypatch.setattr("huggingface_hub.file_exists", file_exists)
    monkeypatch.setattr(generators, "pretrained", lambda *_, **given: options.update(given))
    spec = replace(find_model("sd15"), revision="c" * 40)
    generators._part(spec, CLIPTextModel, "text_encoder", "model")
    assert options == {"subfolder": "text_encoder", "variant": variant}
    assert set(asked) == {("stable-diffusion-v1-5/stable-diffusion-v1-5", "c" * 40)}


BOTH = ["unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"]
BOTH += ["vae/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors"]
COMMIT = "c" * 40
HUB = f"hub:stable-diffusion-v1-5/stable-diffusion-v1-5@{COMMIT}"


@pytest.fixture
def hub(monkeypatch):
    """A hub whose every repository has these files at one commit."""
    files, asked = list(BOTH), []

    def model_info(self, repository, revision, timeout):
        asked.append((repository, revision))
        return SimpleNamespace(sha=COMMIT, siblings=[SimpleNamespace(rfilename=name) for name in files])

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", model_info)
    resolve._commit.cache_clear()
    yield files
    resolve._commit.cache_clear()
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize(
    "changes, parts",
    [
        ({}, ("unet",)),
        ({"vae_dtype": "float16"}, ("unet", "vae")),
        ({"dtype": "float32"}, ()),
        ({"dtype": "bfloat16"}, ()),
        ({"init_seed": 3}, ()),
        ({"fp16_parts": ()}, ()),
    ],
)
def test_of_a_hub_repository_with_both_what_runs_in_half_is_read_from_half(hub, changes, parts):
    """diffusers takes the whole files where it is not told: 3.4 GB of sd15's U-Net for the same 1.7."""
    spec, weights = pin(replace(find_model("sd15"), **changes))
    assert weights == HUB + (f"+fp16:{','.join(parts)}" if parts else "")
    assert (spec.revision, spec.fp16_parts) == (COMMIT, parts)
    again = as_pinned(replace(find_model("sd15"), **changes), weights)
    assert again == spec and pin(again) == (spec, weights)


@pytest.mark.parametrize(
    "there, parts",
    [
        (BOTH[:1], ()),
        (BOTH[1:2], ("unet",)),
        (["unet/diffusion_pytorch_model.safetensors.index.fp16.json"], ("unet",)),
        (["unet/diffusion_pytorch_model.fp16.bin"], ()),
        ([], ()),
    ],
)
def test_half_precision_is_chosen_where_the_commit_has_it(hub, there, parts):
    hub[:] = there
    assert pin(find_model("sd15"))[0].fp16_parts == parts
    assert pin(find_model("clip-l14"))[0].fp16_parts == ()


def test_a_lake_keeps_to_the_files_that_it_was_begun_with(hub):
    """Those of before there was a choice are the whole ones."""
    space = Space.parse("sd15/ddim50")
    assert space.pinned()[1]["weights"] == HUB + "+fp16:unet"
    before = space.pinned()[1] | {"weights": HUB}
    assert space.as_in(before).pinned()[1] == before
    hub[:] = BOTH[:1]
    now = before | {"weights": HUB + "+fp16:unet"}
    for name in ("sd15", f"x=stable-diffusion:{HUB.removeprefix('hub:')}"):
        assert pin(Space.parse(f"{name}/ddim50").as_in(now).model)[1] == now["weights"]
    restored = Space.from_fingerprint("sd15/ddim50", now).model
    assert (restored.revision, restored.fp16_parts, restored.dtype) == (COMMIT, ("unet",), "float32")


def test_without_a_network_the_choice_is_of_what_the_cache_has(hub, tmp_path, monkeypatch):
    def no_network(*_, **options):
        raise OSError

    (tmp_path / COMMIT / "unet").mkdir(parents=True)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", no_network)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **options: str(tmp_path / COMMIT))
    for name, parts in zip(BOTH[:2], ((), ("unet",))):
        (tmp_path / COMMIT / name).touch()
        resolve._commit.cache_clear()
        spec, _ = pin(find_model("sd15"))
        assert (spec.revision, spec.fp16_parts) == (COMMIT, parts)


def test_a_part_of_a_choice_is_read_from_half(monkeypatch):
    options = {}
    monkeypatch.setattr(generators, "pretrained", lambda *_, **given: options.update(given))
    monkeypatch.setattr(generators, "only_fp16", lambda *_: False)
    for folder, variant in (("unet", "fp16"), ("vae", None)):
        generators._part(replace(find_model("sd15"), fp16_parts=("unet",)), CLIPTextModel, folder)
        assert options == {"subfolder": folder, "variant": variant}


def test_a_generator_in_half_precision_alone_is_read(zoo, tmp_path):
    """diffusers#10928: only the fp16 variant is there."""
    shutil.copytree(zoo / "sd", tmp_path / "sd")
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)

    def noise() -> np.ndarray:
        space = Space.parse(f"x=stable-diffusion:{tmp_path}/sd/ddim3").with_dtype("float32").pinned()[0]
        return space.load("cpu")(pictures, ["a", "b"])["z"]

    whole = noise()
    for path in (tmp_path / "sd").rglob("*.safetensors"):
        path.rename(path.with_suffix(".fp16.safetensors"))
    assert np.array_equal(noise(), whole)


@pytest.mark.parametrize("keeps, expected", [(True, torch.channels_last), (False, torch.contiguous_format)])
def test_pictures_lie_as_the_devices_group_norm_leaves_them(keeps, expected, monkeypatch):
    as_it_is = torch.nn.functional.group_norm

    def of_a_gpu(x: torch.Tensor, groups: int) -> torch.Tensor:
        return as_it_is(x, groups).contiguous()

    if not keeps:
        monkeypatch.setattr(torch.nn.functional, "group_norm", of_a_gpu)
    assert memory_format.__wrapped__("cpu") == expected
