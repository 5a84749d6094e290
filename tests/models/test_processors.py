"""What a model's own image processor does is done or refused: held to the libraries' own, picture by picture.

The pictures are of other shapes and modes than those that the code tries itself, and few are square: square
ones hide a side that is confused with another.
"""

import io
import json
from dataclasses import replace

import diffusers
import numpy as np
import open_clip
import pytest
import timm
import torch
from diffusers import DDIMScheduler
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.data import create_transform, resolve_model_data_config
from transformers import (
    AutoImageProcessor,
    CLIPConfig,
    Dinov2Config,
    Dinov2Model,
    FlavaConfig,
    ResNetConfig,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    ViTConfig,
    ViTModel,
)

from une_ray.errors import UneError
from une_ray.models.adhoc import complete
from une_ray.models.encoders import load_encoder
from une_ray.models.kinds.stable_diffusion import BETA_SCHEDULES, OWN_BETAS, SCHEDULERS
from une_ray.models.processors import FILES, normalised, transformers_preprocessing
from une_ray.models.resolve import pin
from une_ray.models.spec import ModelSpec
from une_ray.models.table import find_model, kind_defaults
from une_ray.pictures.decode import decode

SHAPES = [(97, 53), (53, 97), (40, 41), (41, 40), (300, 31), (31, 300), (128, 128), (7, 5)]
MODES = ["RGB", "L", "P", "RGBA", "CMYK", "1"]


def pictures(seed: int = 1) -> list[Image.Image]:
    """As decoding gives them: any mode has become RGB."""
    generator = np.random.default_rng(seed)
    made = []
    for number, (width, height) in enumerate(SHAPES):
        small = generator.integers(0, 256, (5, 5, 3), np.uint8)
        image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
        out = io.BytesIO()
        image.convert(MODES[number % len(MODES)]).save(out, "TIFF")
        made.append(decode(out.getvalue()))
    return made


def processor_of(folder, settings: dict, name="preprocessor_config.json") -> ModelSpec:
    (folder / name).write_text(json.dumps(settings))
    return replace(kind_defaults("dino"), id="mine", source=str(folder))


def same(theirs, spec_preprocessing, tolerance=1e-5) -> bool:
    return all(
        np.abs(normalised(picture, spec_preprocessing) - np.asarray(theirs(picture), float)).max()
        <= tolerance
        for picture in pictures()
    )


def library(folder):
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return lambda picture: processor(images=picture, return_tensors="np")["pixel_values"][0]


OBEYED = {
    "vit of 2021, an integer": {"feature_extractor_type": "ViTFeatureExtractor", "size": 40, "resample": 2},
    "clip of 2021, integers": {"feature_extractor_type": "CLIPFeatureExtractor", "size": 36, "crop_size": 32},
    "clip, both sides and a crop": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"height": 48, "width": 48},
        "crop_size": 32,
    },
    "clip without its crop": {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"height": 48, "width": 48},
        "do_center_crop": False,
    },
    "dinov2": {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 37},
        "crop_size": {"height": 32, "width": 32},
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.1, 0.2, 0.3],
    },
    "deit": {
        "image_processor_type": "DeiTImageProcessor",
        "size": {"height": 41, "width": 41},
        "crop_size": {"height": 32, "width": 32},
    },
    "convnext, small": {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 50},
        "crop_pct": 0.9,
    },
    "convnext, large": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}},
    "siglip": {
        "image_processor_type": "SiglipImageProcessor",
        "size": {"height": 40, "width": 40},
        "resample": 3,
    },
    "not normalised": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 40, "width": 40},
        "do_normalize": False,
    },
    "not rescaled": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 40, "width": 40},
        "do_rescale": False,
        "image_mean": [127.5] * 3,
        "image_std": [127.5] * 3,
    },
    "to -1 … 1 by its factor": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 40, "width": 40},
        "rescale_factor": 1 / 127.5,
        "image_mean": [1, 1, 1],
        "image_std": [1, 1, 1],
    },
    "nearest": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 40, "width": 40},
        "resample": 0,
    },
    "box": {"image_processor_type": "ViTImageProcessor", "size": {"height": 40, "width": 40}, "resample": 4},
    "hamming": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 40, "width": 40},
        "resample": 5,
    },
    "lanczos": {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": 40, "width": 40},
        "resample": 1,
    },
}


@pytest.mark.parametrize("settings", OBEYED.values(), ids=OBEYED)
def test_transformers_processors_are_obeyed(settings, tmp_path):
    spec = processor_of(tmp_path, settings)
    assert same(library(tmp_path), transformers_preprocessing(spec, 32))


def test_settings_of_processor_config_alone_are_those_of_the_model(tmp_path):
    inner = {
        "image_processor_type": "CLIPImageProcessor",
        "size": {"height": 44, "width": 44},
        "do_center_crop": False,
    }
    spec = processor_of(tmp_path, {"image_processor": inner}, "processor_config.json")
    preprocessing = transformers_preprocessing(spec, 32)
    assert preprocessing.size == 44 and same(library(tmp_path), preprocessing)


PART = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
VISION = PART | {"image_size": 32, "patch_size": 8}
SQUARE = {"height": 32, "width": 32}
OF_EVERY_KIND = {  # a model's configuration, and its processor's as such models have it
    "clip": (
        CLIPConfig(vision_config=VISION, text_config=PART | {"vocab_size": 32}),
        {"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 37}, "crop_size": 32},
    ),
    "dino": (
        Dinov2Config(**VISION),
        {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 41}, "crop_size": 36},
    ),
    "siglip": (  # SigLIP 2's of a fixed size are saved with these, and null where others have true
        SiglipConfig(vision_config=VISION, text_config=PART | {"vocab_size": 32, "projection_size": 16}),
        {
            "image_processor_type": "SiglipImageProcessor",
            "size": SQUARE,
            "resample": 2,
            "do_convert_rgb": None,
        },
    ),
    "flava": (
        FlavaConfig(image_config=VISION, text_config=PART),
        {
            "image_processor_type": "FlavaImageProcessor",
            "size": {"height": 36, "width": 36},
            "crop_size": SQUARE,
            "codebook_size": {"height": 112, "width": 112},
            "image_std": [0.2, 0.3, 0.4],
        },
    ),
    "classifier": (
        ResNetConfig(num_labels=5),
        {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 45}, "crop_pct": 0.8},
    ),
}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("kind", OF_EVERY_KIND)
def test_every_kind_sees_pictures_as_its_library_does(kind, file, tmp_path):
    config, settings = OF_EVERY_KIND[kind]
    config.save_pretrained(tmp_path)
    whole = {"image_processor": settings} if file == "processor_config.json" else settings
    (tmp_path / file).write_text(json.dumps(whole))
    preprocessing = complete(find_model(f"{kind}:{tmp_path}")).preprocessing
    assert same(library(tmp_path), preprocessing)
    assert preprocessing != kind_defaults(kind).preprocessing


@pytest.mark.parametrize("kind", ["clip", "dino", "siglip", "flava", "classifier"])
def test_pictures_of_a_size_that_the_network_can_not_read_are_refused_before_it_is_asked(kind, tmp_path):
    """The network itself would say so in a worker, after the space was registered."""
    config = ViTConfig(**VISION) if kind in ("dino", "classifier") else OF_EVERY_KIND[kind][0]
    config.save_pretrained(tmp_path)
    settings = {"image_processor_type": "ViTImageProcessor", "size": {"height": 48, "width": 48}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(UneError, match="makes pictures of 48 pixels, and its config.json says image_size 32"):
        complete(find_model(f"{kind}:{tmp_path}"))
    if kind == "dino":  # DINOv2's positions are between any
        Dinov2Config(**VISION).save_pretrained(tmp_path)
        assert complete(find_model(f"dino:{tmp_path}")).preprocessing.size == 48


REFUSED = {
    "size={'longest_edge': 60, 'shortest_edge': 36}": {
        "size": {"shortest_edge": 36, "longest_edge": 60},
        "do_center_crop": False,
    },
    "size={'longest_edge': 60}": {"size": {"longest_edge": 60}},
    "size={'height': 32, 'width': 48}": {"size": {"height": 32, "width": 48}, "do_center_crop": False},
    "crop_size={'height': 64, 'width': 64}": {"size": {"shortest_edge": 36}, "crop_size": 64},
    "crop_size={'height': 16, 'width': 32}": {
        "size": {"shortest_edge": 36},
        "crop_size": {"height": 16, "width": 32},
    },
    "do_center_crop=False": {"size": {"shortest_edge": 36}, "do_center_crop": False},
    "do_resize=False": {"do_resize": False},
    "resample=9": {"resample": 9},
    "do_pad=True": {"do_pad": True},
    "sharpen=2": {"sharpen": 2},
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_not_done_is_refused_by_name(said, tmp_path):
    spec = processor_of(tmp_path, {"image_processor_type": "CLIPImageProcessor"} | REFUSED[said])
    with pytest.raises(UneError) as error:
        transformers_preprocessing(spec, 32)
    assert said in str(error.value).replace('"', "'"), str(error.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"image_mean": [0.5, 0.5]},
        {"image_std": [0.0, 1.0, 1.0]},
        {"image_std": [0.5, -0.5, 0.5]},
        {"image_mean": [0.5] * 4, "image_std": [0.5] * 4},
    ],
)
def test_means_and_deviations_that_normalise_no_picture_are_refused(settings, tmp_path):
    """A deviation of 0 was accepted, since NaN differs from nothing."""
    spec = processor_of(tmp_path, {"image_processor_type": "ViTImageProcessor"} | settings)
    with pytest.raises(UneError, match="image_mean .* image_std .*three numbers each"):
        transformers_preprocessing(spec, 32)


@pytest.mark.parametrize(
    "name",
    ["MobileViTImageProcessor", "LevitImageProcessor", "Siglip2ImageProcessor", "NoSuchImageProcessor"],
)
def test_processors_of_another_build_are_refused(name, tmp_path):
    with pytest.raises(UneError, match="mine"):
        transformers_preprocessing(processor_of(tmp_path, {"image_processor_type": name}), 32)


def test_whatever_a_file_says_it_is_done_or_refused(tmp_path):
    """Settings drawn at random: never other pixels than the library's."""
    generator = np.random.default_rng(0)
    classes = (
        "CLIPImageProcessor",
        "ViTImageProcessor",
        "BitImageProcessor",
        "ConvNextImageProcessor",
        "DeiTImageProcessor",
        "SiglipImageProcessor",
        "BeitImageProcessor",
        "EfficientNetImageProcessor",
        "LevitImageProcessor",
        "PoolFormerImageProcessor",
    )
    choices = {
        "size": (33, {"shortest_edge": 40}, {"height": 39, "width": 39}, {"height": 20, "width": 30}),
        "crop_size": (32, {"height": 24, "width": 24}, {"height": 45, "width": 45}),
        "crop_pct": (0.9, None),
        "do_center_crop": (True, False),
        "do_normalize": (True, False),
        "do_rescale": (True, False),
        "rescale_factor": (1 / 255, 1 / 127.5),
        "rescale_offset": (True, False),
        "resample": (0, 1, 2, 3, 4, 5),
        "image_mean": ([0.5] * 3, [0.1, 0.2, 0.3]),
    }
    done = 0
    for _ in range(120):
        settings = {
            key: values[generator.integers(len(values))]
            for key, values in choices.items()
            if generator.random() < 0.4
        }
        spec = processor_of(tmp_path, {"image_processor_type": str(generator.choice(classes))} | settings)
        try:
            preprocessing = transformers_preprocessing(spec, 32)
        except UneError:
            continue
        done += 1
        assert same(library(tmp_path), preprocessing, 1e-3), spec
    assert done >= 30


def open_clip_folder(folder, **preprocess_cfg) -> ModelSpec:
    config = {
        "model_cfg": {
            "embed_dim": 8,
            "vision_cfg": {"image_size": 32, "layers": 1, "width": 16, "patch_size": 8, "head_width": 8},
            "text_cfg": {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1},
        },
        "preprocess_cfg": preprocess_cfg,
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return find_model(f"open-clip:{folder}")


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {
            "resize_mode": "squash",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
            "interpolation": "bilinear",
        },
        {"resize_mode": "shortest", "interpolation": "random", "fill_color": 255},
        {"mean": 0.4, "std": 0.3},
    ],
)
def test_open_clips_own_transform_is_obeyed(stated, tmp_path):
    spec = complete(open_clip_folder(tmp_path, **stated))
    _, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    assert same(transform, spec.preprocessing)


@pytest.mark.parametrize("stated", [{"resize_mode": "longest"}, {"interpolation": "lanczos"}, {"sharpen": 2}])
def test_what_open_clip_does_and_we_do_not_is_refused(stated, tmp_path):
    with pytest.raises(UneError, match=next(iter(stated))):
        complete(open_clip_folder(tmp_path, **stated))


def timm_folder(folder, **pretrained_cfg) -> ModelSpec:
    model = timm.create_model("resnet10t", num_classes=3)
    config = {
        "architecture": "resnet10t",
        "num_classes": 3,
        "pretrained_cfg": {"num_classes": 3} | pretrained_cfg,
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "model.safetensors")
    return find_model(f"timm:{folder}")


@pytest.mark.parametrize(
    "stated",
    [
        {"input_size": [3, 64, 64], "crop_pct": 0.9, "interpolation": "bilinear"},
        {"input_size": [3, 48, 48], "crop_pct": 1.0, "crop_mode": "squash", "interpolation": "bicubic"},
        {
            "input_size": [3, 48, 48],
            "crop_pct": 0.95,
            "crop_mode": "squash",
            "mean": [0.5] * 3,
            "std": [0.2] * 3,
        },
    ],
)
def test_timms_own_transform_is_obeyed(stated, tmp_path):
    spec = complete(timm_folder(tmp_path, **stated))
    model = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    model.reset_classifier(0)
    transform = create_transform(**resolve_model_data_config(model))
    assert same(transform, spec.preprocessing) and spec.dim == model.num_features
    x = torch.randn(2, 3, 64, 64)
    embed = load_encoder(replace(spec, dtype="float32"))
    with torch.no_grad():
        assert torch.equal(embed(x), model(x))


def test_a_timm_model_that_adds_borders_or_lacks_a_weight_is_refused(tmp_path):
    with pytest.raises(UneError, match="crop_mode is 'border'"):
        complete(timm_folder(tmp_path, input_size=[3, 48, 48], crop_mode="border"))
    weights = load_file(tmp_path / "model.safetensors")
    weights["module.conv1.weight"] = weights.pop("layer1.0.conv1.weight")
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(UneError, match="can't load model.*"):
        load_encoder(find_model(f"timm:{tmp_path}"))


def checkpoint(folder, change) -> ModelSpec:
    """A small DINOv2 whose weights `change` has spoiled, one of a kind in every actor that draws the rest."""
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    Dinov2Model(config).save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    save_file(change(weights), folder / "model.safetensors", {"format": "pt"})
    return replace(find_model(f"dino:{folder}"), dtype="float32")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: {f"module.{key}": value for key, value in w.items()}, "unknown to the network .module."),
        (
            lambda w: {key: value for key, value in w.items() if "layernorm" not in key},
            "2 not in the file .layernorm",
        ),
        (
            lambda w: w | {"head.weight": torch.zeros(3)},
            "1 in the file and unknown to the network .head.weight",
        ),
        (lambda w: w | {"layernorm.bias": torch.zeros(3)}, "1 of another shape .layernorm.bias"),
    ],
    ids=["a prefix", "missing", "unexpected", "another shape"],
)
def test_weights_that_do_not_fill_the_network_are_refused_by_name(change, said, tmp_path):
    with pytest.raises(UneError, match=said):
        load_encoder(checkpoint(tmp_path, change))


def test_a_pointer_of_git_lfs_is_not_taken_for_weights(tmp_path):
    spec = checkpoint(tmp_path, lambda weights: weights)
    (tmp_path / "vae").mkdir()
    pointer = tmp_path / "vae" / "model.safetensors"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n")
    with pytest.raises(UneError, match="vae/model.safetensors is a pointer of Git LFS.*git lfs pull"):
        pin(spec)


def test_a_head_that_is_not_read_does_no_harm(tmp_path):
    spec = checkpoint(tmp_path, lambda w: w | {"classifier.weight": torch.zeros(3, 16)})
    with torch.no_grad():
        assert load_encoder(spec)(torch.zeros(1, 3, 32, 32)).shape == (1, 16)


def test_a_vit_is_read_by_its_class_token(tmp_path):
    """DINO of 2021 was saved without the pooling layer that transformers would draw at random."""
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    model = ViTModel(config, add_pooling_layer=False).eval()
    model.save_pretrained(tmp_path)
    spec = complete(replace(find_model(f"dino:{tmp_path}"), dtype="float32"))
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.allclose(load_encoder(spec)(x), model(x).last_hidden_state[:, 0], atol=1e-6)
    assert spec.pooling == "class-token"


@pytest.mark.parametrize(("model_type", "said"), [("siglip", "siglip:"), ("clip", "clip:"), ("swin", "timm")])
def test_dino_reads_no_other_architecture(model_type, said, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(UneError, match=f"'{model_type}' model.*{said}"):
        complete(find_model(f"dino:{tmp_path}"))


def test_siglip_is_read_by_its_own_classes(tmp_path):
    config, _ = OF_EVERY_KIND["siglip"]
    model = SiglipModel(config).eval()
    model.save_pretrained(tmp_path)
    SiglipImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    spec = complete(replace(find_model(f"siglip:{tmp_path}"), dtype="float32"))
    assert same(library(tmp_path), spec.preprocessing) and spec.dim == 16
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = model.get_image_features(pixel_values=x).pooler_output
        assert torch.allclose(load_encoder(spec)(x), expected, atol=1e-6)


UNET = {"in_channels": 4, "sample_size": 8}
BUILDS = {
    "reads 9 channels": {"unet": {"in_channels": 9}},
    "addition_embed_type='text_time'": {"unet": {"addition_embed_type": "text_time"}},
    "shift_factor=0.1": {"vae": {"shift_factor": 0.1}},
    "text_encoder_2": {"index": {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"]}},
    "FlowMatchEulerDiscreteScheduler": {"scheduler": {"_class_name": "FlowMatchEulerDiscreteScheduler"}},
    "LCMScheduler's file says no beta_end, beta_schedule": {
        "scheduler": {"_class_name": "LCMScheduler", "beta_start": 0.001}
    },
    "beta_schedule='sigmoid'": {"scheduler": {"_class_name": "DDPMScheduler", "beta_schedule": "sigmoid"}},
    "predicts 'sample'": {"scheduler": {"prediction_type": "sample", "_class_name": None}},
    "is a 3Scheduler": {"scheduler": {"_class_name": 3}},
    "text_encoder has no model.safetensors": {"without": "text_encoder/model.safetensors"},
}


@pytest.mark.parametrize("said", BUILDS)
def test_a_diffusion_model_of_another_build_is_refused_in_one_line(said, tmp_path):
    change = BUILDS[said]
    files = {
        "unet/config.json": UNET | change.get("unet", {}),
        "vae/config.json": {"block_out_channels": [8, 8], "latent_channels": 4} | change.get("vae", {}),
        "scheduler/scheduler_config.json": {"_class_name": "PNDMScheduler"} | change.get("scheduler", {}),
        "model_index.json": {"text_encoder": ["transformers", "CLIPTextModel"]} | change.get("index", {}),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    for name in ("unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model.fp16", "text_encoder/model"):
        (tmp_path / f"{name}.safetensors").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.safetensors").touch()
    spec = find_model(f"stable-diffusion:{tmp_path}")
    if "without" not in change and change:
        with pytest.raises(UneError, match=said):
            complete(spec)
        return
    assert complete(spec).dim == 256
    (tmp_path / change["without"]).rename(tmp_path / "text_encoder/pytorch_model.bin")
    with pytest.raises(UneError, match=f"{said}.*pickled"):
        complete(spec)


@pytest.mark.parametrize("name", sorted(set(SCHEDULERS) - {"DPMSolverSDE"}))  # which torchsde alone brings
def test_the_schedules_that_are_read_are_those_of_the_library(name):
    """Whole files give DDIM's ᾱ, and files without betas do unless their scheduler has its own."""
    scheduler = getattr(diffusers, f"{name}Scheduler")
    for betas in BETA_SCHEDULES:
        theirs = scheduler(beta_start=1e-3, beta_end=0.015, beta_schedule=betas, num_train_timesteps=500)
        ours = DDIMScheduler.from_config(theirs.config)
        assert torch.allclose(ours.alphas_cumprod, theirs.alphas_cumprod, atol=1e-6)
    same = torch.allclose(scheduler().alphas_cumprod, DDIMScheduler().alphas_cumprod, atol=1e-6)
    assert same == (name not in OWN_BETAS)
