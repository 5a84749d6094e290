"""Our one preprocessing against each library's own, on pictures of awkward shapes."""

import io

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from transformers import BitImageProcessorPil, CLIPImageProcessorPil

from tests.helpers.pictures import png
from une_ray.models.spec import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD
from une_ray.models.table import MODELS
from une_ray.pictures.decode import decode, fit
from une_ray.spaces.space import pixels

SHAPES = [(300, 260), (224, 224), (640, 231), (199, 401)]


def ours(name: str, data: bytes) -> torch.Tensor:
    to = MODELS[name].preprocessing
    return pixels(fit(decode(data), to)[None], to, "cpu")[0]


@pytest.mark.parametrize("size", SHAPES)
def test_clip_pictures_are_those_of_transformers(size):
    data = png(size)
    theirs = CLIPImageProcessorPil()(Image.open(io.BytesIO(data)), return_tensors="pt").pixel_values[0]
    assert torch.allclose(ours("clip-l14", data), theirs, atol=1e-5)


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("name", ["openclip-b16-laion2b", "openclip-l14-laion2b"])
def test_open_clip_pictures_are_those_of_open_clip(name, size):
    data = png(size)
    tags = {
        "openclip-b16-laion2b": ("ViT-B-16", "laion2b_s34b_b88k"),
        "openclip-l14-laion2b": ("ViT-L-14", "laion2b_s32b_b82k"),
    }
    published = open_clip.get_pretrained_cfg(*tags[name])
    mean, std = published.get("mean") or CLIP_MEAN, published.get("std") or CLIP_STD
    theirs = open_clip.image_transform(224, is_train=False, mean=mean, std=std)(Image.open(io.BytesIO(data)))
    assert torch.allclose(ours(name, data), theirs, atol=1e-5)


@pytest.mark.parametrize("size", SHAPES)
def test_dinov2_pictures_are_those_of_transformers(size):
    data = png(size)
    processor = BitImageProcessorPil(
        size={"shortest_edge": 256},
        crop_size={"height": 224, "width": 224},
        resample=3,
        image_mean=IMAGENET_MEAN,
        image_std=IMAGENET_STD,
    )
    theirs = processor(Image.open(io.BytesIO(data)), return_tensors="pt").pixel_values[0]
    assert torch.allclose(ours("dinov2-l14", data), theirs, atol=1e-5)


@pytest.mark.parametrize("size", SHAPES)
def test_generators_see_the_centre_square(size):
    image = decode(png(size))
    picture = fit(image, MODELS["sd15"].preprocessing)
    side = min(size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    expected = image.crop((left, top, left + side, top + side)).resize((512, 512), Image.Resampling.BICUBIC)
    assert np.array_equal(picture, np.asarray(expected)) and MODELS["sd15"].preprocessing.mean == HALF
