"""A model's own preprocessing, obeyed or refused: what its library's image processor does, in our terms.

The library reads its own files and fills in its own defaults; what it then holds becomes a `Preprocessing`,
which is run beside it on pictures of several shapes. Whatever neither expresses is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from une_ray.errors import UneError, reason
from une_ray.models.configuration import has_file
from une_ray.models.resolve import location
from une_ray.models.spec import ModelSpec, Preprocessing

if TYPE_CHECKING:
    from PIL import Image

FILES = ("preprocessor_config.json", "processor_config.json")
RESAMPLE = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}  # Pillow's
OBEYED = {
    *("do_resize", "size", "resample", "crop_pct", "do_center_crop", "crop_size"),
    *("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std"),
}
WITHOUT_EFFECT = {  # on pictures in RGB, one at a time
    *("image_processor_type", "feature_extractor_type", "processor_class", "_valid_processor_keys"),
    *("do_convert_rgb", "default_to_square", "data_format", "input_data_format", "return_tensors"),
    *("device", "disable_grouping", "do_reduce_labels", "reducing_gap", "include_top"),
    "num_channels",
    *("input_size_patches", "total_mask_patches", "mask_group_min_patches", "mask_group_max_patches"),
    *("mask_group_min_aspect_ratio", "mask_group_max_aspect_ratio"),
}
ELSEWHERE = "codebook_"  # of FLAVA's second picture, which its pretraining alone looks at
SHAPES = ((90, 61), (61, 90), (200, 75), (33, 150), (64, 64))  # width, height
# Of a picture's 255 levels. A processor that has no Pillow backend resizes floats, which differs by rounding.
SAME, NEARLY = 1e-2, 1.0


def transformers_preprocessing(spec: ModelSpec, image_size: int, fixed: bool = False) -> Preprocessing:
    """As transformers' image processor of the model does; where it has none, the spec's own at the model's
    `image_size`, which a `fixed` network needs.

    Raises UneError for what une_ray does not do, naming the key, and for pictures that the network can't
    read.
    """
    own = spec.preprocessing
    if not any(has_file(spec, name) for name in FILES):
        resize = math.ceil(image_size * (own.resize or own.size) / own.size)
        return replace(own, size=image_size, resize=resize)
    processor = _processor(spec)
    name = type(processor).__name__
    preprocessing = _translated(spec, processor.to_dict())
    scales = np.array([*preprocessing.std])
    if len(preprocessing.mean) != 3 or len(scales) != 3 or not (np.isfinite(scales) & (scales > 0)).all():
        raise UneError(
            f"{spec.id}: its {name} has image_mean {preprocessing.mean} and image_std {preprocessing.std};"
            " three numbers each, of a standard deviation above 0, are what pictures in colour need"
        )

    def theirs(image: Image.Image) -> np.ndarray:
        try:
            return np.asarray(processor(images=image, return_tensors="np")["pixel_values"][0], np.float64)
        except Exception as error:  # of settings that it takes and can't follow
            raise UneError(f"{spec.id}: its {name} fails on a picture: {reason(error)}") from error

    refuse_unlike(spec, preprocessing, theirs, name, SAME if name.endswith("Pil") else NEARLY)
    if fixed and preprocessing.size != image_size:
        raise UneError(
            f"{spec.id}: its {name} makes pictures of {preprocessing.size} pixels, and its config.json says"
            f" image_size {image_size}, which its network needs; one of the two files is another model's"
        )
    return preprocessing


def refuse_unlike(
    spec: ModelSpec,
    preprocessing: Preprocessing,
    theirs: Callable[[Image.Image], np.ndarray],
    name: str,
    tolerance: float = SAME,
) -> None:
    """Raise UneError where the library's own pixels `theirs` (3, h, w) of a picture are not ours.

    `tolerance` is on the mean difference, in levels of 255; `name` is the library's class.
    """
    for picture in _pictures():
        ours, expected = normalised(picture, preprocessing), theirs(picture)
        if ours.shape != expected.shape:
            raise UneError(
                f"{spec.id}: its {name} makes {_shape(expected)} of {picture.width} × {picture.height}"
                f" pixels, une_ray {_shape(ours)}; its settings are not understood"
            )
        levels = np.abs(ours - expected) * 255 * np.array(preprocessing.std)[:, None, None]
        if not levels.mean() <= tolerance:  # nor NaN
            raise UneError(
                f"{spec.id}: une_ray's pixels differ from those of its {name} by {levels.mean():.2g} of 255"
                f" levels on {picture.width} × {picture.height} pixels; its settings are not understood"
            )


def normalised(picture: Image.Image, to: Preprocessing) -> np.ndarray:
    """(3, size, size) float64: one RGB picture as a model of that preprocessing sees it."""
    from une_ray.pictures.decode import fit

    pixels = fit(picture, to).transpose(2, 0, 1) / 255.0
    mean, std = (np.array(values)[:, None, None] for values in (to.mean, to.std))
    return (pixels - mean) / std


def _processor(spec: ModelSpec) -> Any:
    import transformers
    from transformers import AutoImageProcessor

    from une_ray.models.loading import quiet

    quiet(transformers)
    at, options = location(spec), {"revision": spec.revision}
    try:
        said, _ = transformers.BaseImageProcessor.get_image_processor_dict(at, **options)
        if "auto_map" in said:
            raise UneError(f"{spec.id}: its image processor is code of its own (auto_map), which is not run")
        return AutoImageProcessor.from_pretrained(at, backend="pil", trust_remote_code=False, **options)
    except UneError:
        raise
    # transformers has a type for every way in which a file can be wrong
    except Exception as error:
        raise UneError(f"can't read the image processor of {spec.id} ({at}): {reason(error)}") from error


def _translated(spec: ModelSpec, said: dict[str, Any]) -> Preprocessing:
    """The settings of an image processor, defaults filled in, in our terms."""

    def refuse(key: str) -> UneError:
        return UneError(
            f"{spec.id}: its image processor has {key}={said.get(key)!r}, which une_ray does not do"
        )

    for key, value in said.items():
        known = key in OBEYED | WITHOUT_EFFECT or key.startswith(ELSEWHERE)
        if not known and value not in (None, False):
            raise refuse(key)
    if not said.get("do_resize"):
        raise refuse("do_resize")
    if said.get("resample") not in RESAMPLE:
        raise refuse("resample")
    fit, resize, size = _geometry(said, refuse)
    # (x · factor − m) / s = (x / 255 − m / 255 factor) / (s / 255 factor)
    factor = 255 * (said.get("rescale_factor") or 1 / 255) if said.get("do_rescale") else 255.0
    means, stds = (
        (said["image_mean"], said["image_std"]) if said.get("do_normalize") else ((0,) * 3, (1,) * 3)
    )
    means, stds = ([v] * 3 if isinstance(v, int | float) else v for v in (means, stds))
    if math.isclose(factor, 1):
        factor = 1.0
    return Preprocessing(
        size=size,
        fit=fit,
        resize=resize,
        resample=RESAMPLE[int(said["resample"])],
        mean=tuple(float(m) / factor for m in means),
        std=tuple(float(s) / factor for s in stds),
    )


def _geometry(said: dict[str, Any], refuse: Callable[[str], UneError]) -> tuple[str, int, int]:
    """How it is fitted, the side that it is resized to, and the side of what is left."""
    sides = {key: value for key, value in (said.get("size") or {}).items() if value is not None}
    crop = said.get("crop_size") if said.get("do_center_crop") else None
    if crop is not None and crop["height"] != crop["width"]:
        raise refuse("crop_size")
    if sides.keys() == {"shortest_edge"}:
        fit, resize = "shortest", int(sides["shortest_edge"])
        if said.get("crop_pct"):  # ConvNeXt's, which crops small pictures and squashes large ones
            if resize >= 384:
                return "stretch", resize, resize
            return "shortest", int(resize / said["crop_pct"]), resize
        if crop is None:
            raise refuse("do_center_crop")  # pictures of as many shapes as there are
    elif sides.keys() == {"height", "width"} and sides["height"] == sides["width"]:
        fit, resize = "stretch", int(sides["height"])
    else:
        raise refuse("size")
    size = int(crop["height"]) if crop is not None else resize
    if size > resize:
        raise refuse("crop_size")  # it would pad
    return fit, resize, size


def _pictures() -> list[Image.Image]:
    """Smooth and noisy parts, so that both filters and rounding show."""
    from PIL import Image

    generator = np.random.default_rng(0)
    pictures = []
    for width, height in SHAPES:
        x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
        smooth = np.stack([x, y, 1 - x * y], -1) * 255
        noise = generator.integers(0, 256, (height, width, 3))
        pictures.append(Image.fromarray(np.where(x[..., None] < 0.6, smooth, noise).astype(np.uint8)))
    return pictures


def _shape(pixels: np.ndarray) -> str:
    return " × ".join(map(str, pixels.shape))
