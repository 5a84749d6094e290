"""random-ID: the library's own initialisation of the same architecture, the same on every worker."""

import json
import shutil

import numpy as np
import open_clip
import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageClassification, Dinov2Config, Dinov2Model

from une_ray.errors import UneError
from une_ray.models.generators import load_generator
from une_ray.models.table import RANDOM_SEED, find_model
from une_ray.spaces.space import Space
from une_ray.training import resnet

OPEN_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def encoders(zoo, tmp_path_factory) -> dict[str, str]:
    """Folders by kind."""
    folder = tmp_path_factory.mktemp("models") / "open-clip"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": OPEN_CLIP}))
    save_file(open_clip.CLIP(**OPEN_CLIP).state_dict(), folder / "open_clip_model.safetensors")
    resnet.build((32, 32), 1).save_pretrained(folder.parent / "classifier")
    return {
        "clip": f"{zoo}/mini-clip",
        "dino": f"{zoo}/mini-dino",
        "open-clip": str(folder),
        "classifier": f"{folder.parent}/classifier",
    }


def embed(space: Space, seed: int = 0) -> np.ndarray:
    size = space.model.preprocessing.size
    pictures = np.random.default_rng(seed).integers(0, 256, (3, size, size, 3), np.uint8)
    return space.load()(pictures, ["a", "b", "c"])["z"]


def parse(prefix: str, kind: str, folder: str) -> tuple[Space, dict]:
    return Space.parse(f"x={prefix}{kind}:{folder}").pinned()


@pytest.mark.parametrize("kind", ["clip", "dino", "open-clip", "classifier"])
def test_a_fresh_encoder_differs_from_the_trained_one_and_not_from_itself(encoders, kind):
    trained, random = (embed(parse(prefix, kind, encoders[kind])[0]) for prefix in ("", "random-"))
    torch.manual_seed(99)  # another worker's random state
    before = torch.get_rng_state()
    again = embed(parse("random-", kind, encoders[kind])[0])
    assert np.array_equal(random, again) and torch.equal(torch.get_rng_state(), before)
    assert random.shape == trained.shape and not np.allclose(random, trained, atol=0.1 * trained.std())


@pytest.mark.parametrize("kind", ["clip", "dino", "open-clip", "classifier"])
def test_a_fresh_encoder_needs_its_configuration_only(encoders, kind, tmp_path):
    shutil.copytree(encoders[kind], tmp_path / "bare", ignore=shutil.ignore_patterns("*.safetensors"))
    space, fingerprint = parse("random-", kind, str(tmp_path / "bare"))
    _, whole = parse("random-", kind, encoders[kind])
    assert np.isfinite(embed(space)).all() and fingerprint["weights"] == whole["weights"]
    with pytest.raises(UneError, match="holds no weights"):
        parse("", kind, str(tmp_path / "bare"))


def test_a_fresh_encoder_is_what_its_library_makes_of_the_configuration(encoders):
    space = parse("random-", "dino", encoders["dino"])[0].with_dtype("float32")
    torch.manual_seed(RANDOM_SEED)
    model = Dinov2Model(Dinov2Config.from_pretrained(encoders["dino"])).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(space.load().embed(x), model(pixel_values=x).pooler_output)


def test_a_fresh_generator_keeps_all_but_the_unet(zoo):
    kind = f"stable-diffusion:{zoo}/sd"
    trained, random = load_generator(find_model(kind)), load_generator(find_model(f"random-{kind}"))
    torch.manual_seed(RANDOM_SEED)
    expected = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(zoo / "sd" / "unet"))
    dtype = random.unet.dtype
    same = {name: value.to(dtype) for name, value in expected.state_dict().items()}
    assert all(torch.equal(value, same[name]) for name, value in random.unet.state_dict().items())
    assert not torch.equal(random.unet.conv_in.weight, trained.unet.conv_in.weight)
    for part in ("vae", "text_encoder"):
        kept = getattr(trained, part).state_dict()
        assert all(
            torch.equal(value, kept[name]) for name, value in getattr(random, part).state_dict().items()
        )


def test_the_fingerprint_has_the_seed_and_the_libraries(encoders, zoo):
    _, fingerprint = parse("random-", "open-clip", encoders["open-clip"])
    assert fingerprint["init"] == {
        "seed": RANDOM_SEED,
        "torch": torch.__version__.partition("+")[0],
        "open_clip_torch": open_clip.__version__,
    }
    assert "init" not in parse("", "open-clip", encoders["open-clip"])[1]
    assert "diffusers" in Space.parse(f"x=random-stable-diffusion:{zoo}/sd/ddim3").pinned()[1]["init"]


@pytest.mark.parametrize("trained", [True, False])
def test_of_a_fresh_open_clip_no_weights_are_downloaded(encoders, monkeypatch, trained):
    asked = []
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download",
        lambda at, allow_patterns, **_: asked.extend(allow_patterns) or encoders["open-clip"],
    )
    name = "openclip-b16-laion2b"
    Space("x", find_model(name if trained else f"random-{name}")).load()
    assert "open_clip_config.json" in asked and any("safetensors" in name for name in asked) == trained


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("random-mini-dnio", "unknown model 'mini-dnio'; known, nearest first: mini-dino"),
        ("random-pixels-16", "no trained weights to do without"),
        ("random-random-mini-dino", "no trained weights to do without"),
    ],
)
def test_there_is_no_fresh_model_of_what_is_none(name, message):
    with pytest.raises(UneError, match=message):
        find_model(name)


def test_a_classifiers_space_is_its_logits(encoders):
    space = parse("", "classifier", encoders["classifier"])[0].with_dtype("float32")
    model = AutoModelForImageClassification.from_pretrained(encoders["classifier"]).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(space.load().embed(x), model(pixel_values=x).logits) and space.model.dim == len(
            model.config.id2label
        )


def test_a_folder_that_was_trained_on_since_is_another_model_in_the_same_process(zoo, tmp_path):
    folder = shutil.copytree(zoo / "mini-dino", tmp_path / "model")
    before = Space.parse(f"mine=dino:{folder}").pinned()[1]["weights"]
    (weights,) = folder.glob("*.safetensors")
    tensors = {name: value + 1 for name, value in load_file(weights).items()}
    save_file(tensors, weights)
    assert Space.parse(f"mine=dino:{folder}").pinned()[1]["weights"] != before
