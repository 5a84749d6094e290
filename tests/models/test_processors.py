"""What a model's own image processor does is done or refused: held to the libraries' own, picture by picture.

The pictures are of other shapes and modes than those that the code tries itself, and few are square: square
ones hide a side that is confused with another.
"""

import io
import json
from dataclasses import replace

import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from timm.data import create_transform, resolve_model_data_config
from transformers import AutoImageProcessor

from une_ray.errors import UneError
from une_ray.models.adhoc import complete
from une_ray.models.encoders import load_encoder
from une_ray.models.processors import normalised, transformers_preprocessing
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
