"""Encoded bytes → an RGB picture, or the reason why not."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from une_ray.models.spec import Preprocessing

# Raster formats whose decoders only decode: Pillow would also start interpreters for EPS and the like.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
MAX_PIXELS = 100_000_000
MAX_ASPECT = 50  # resizing the shortest side of a longer strip would make a picture of gigabytes
RESAMPLE = {
    name: Image.Resampling[name.upper()]
    for name in ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
}  # box: the mean of an area


class Reject(Exception):
    """This image can't be used; the text becomes its row's `error`."""


def decode(data: bytes) -> Image.Image:
    """An RGB picture, upright, of the first frame. Raises Reject with the reason for anything else.

    Transparency is laid on white; 16-bit grey is scaled, not clipped; CMYK, palettes and grey become RGB.
    Pictures of more than 100 million pixels are refused from their header, before anything is
    decompressed.
    """
    if not data:
        raise Reject("empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", Image.DecompressionBombWarning
            )  # our own limit is below, and lower
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise Reject(f"over the limit of {MAX_PIXELS:,} pixels: {image.width} × {image.height}")
        if max(image.size) > MAX_ASPECT * min(image.size):
            raise Reject(
                f"{image.width} × {image.height} pixels is more than {MAX_ASPECT} times as long as wide"
            )
        image.load()
        return _rgb(ImageOps.exif_transpose(image))
    except Reject:
        raise
    except Image.DecompressionBombError as error:
        raise Reject(f"over the limit of {MAX_PIXELS:,} pixels: {error}") from error
    except UnidentifiedImageError:
        raise Reject(f"not an image of a known format ({', '.join(FORMATS)})") from None
    except MemoryError:
        raise  # the machine's fault, not the picture's
    except (
        Exception
    ) as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ValueError, … on bad data
        raise Reject(f"{type(error).__name__}: {error}") from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        values = np.asarray(image, np.float32)
        top = 65535.0 if image.mode != "F" else max(float(values.max()), 1e-12)
        image = Image.fromarray(np.clip(values / top * 255, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def fit(image: Image.Image, to: Preprocessing) -> np.ndarray:
    """(size, size, 3) uint8: the picture as the model wants it, before normalisation. See
    `Preprocessing.fit`."""
    resample = RESAMPLE[to.resample]
    width, height = image.size
    if to.fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side)).resize((to.size, to.size), resample)
    elif to.fit == "shortest":
        short = to.resize or to.size
        scaled = (
            (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
        )
        image = image.resize(scaled, resample)
        image = _centre(image, to)
    else:
        side = to.resize or to.size
        image = _centre(image.resize((side, side), resample), to)
    return np.array(image)


def _centre(image: Image.Image, to: Preprocessing) -> Image.Image:
    offset = round if to.crop_offset == "round" else int
    left, top = (offset((side - to.size) / 2) for side in image.size)
    return image.crop((left, top, left + to.size, top + to.size))
