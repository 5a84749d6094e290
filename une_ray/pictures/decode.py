"""Encoded bytes → an RGB picture, or the reason why not."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from une_ray.models.spec import Preprocessing

# Raster formats whose decoders only decode: Pillow would also start interpreters for EPS and the like.
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
DEEP_GREYS = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0  # of TIFF
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

    Every mode becomes 8-bit RGB by one rule:

    - transparency, a palette's too, is laid on white; grey, palettes, YCbCr and CMYK are Pillow's conversion.
      A CMYK JPEG is inverted where Adobe's marker says that it is stored so, and taken as it is where it is
      not there;
    - unsigned 16-bit grey runs from 0, black, to 65,535, white; of 16-bit colours the upper byte counts;
    - other grey values (32-bit, signed, floating) have no black and white of their own: they are those of the
      first range that holds all values, 0 to 1 (floats alone), 0 to 255, 0 to 65,535, and else the picture's
      own extremes. NaN and infinity are rejects;
    - a TIFF that is white at zero is inverted (Pillow opens none whose numbers are signed: rejects);
    - a broken EXIF block costs the orientation, not the picture.

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
        return _rgb(_upright(_right_polarity(image)))
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


def _right_polarity(image: Image.Image) -> Image.Image:
    """Pillow takes every CMYK JPEG for Adobe's, which is stored inverted, and leaves deep greys of TIFF that
    are white at zero as they are stored."""
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        return ImageChops.invert(image)
    if image.mode in DEEP_GREYS and getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        return ImageOps.invert(_eight_bits(image))
    return image


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # whatever a parser meets in a broken block; the pixels are whole
        return image


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits by the rule of `decode`."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise Reject("it has values that are not finite (NaN or infinity)")
    low, high = _range(values, image.mode)
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return Image.fromarray((scaled * 255).astype(np.uint8))


def _range(values: np.ndarray, mode: str) -> tuple[float, float]:
    """What is black and what is white."""
    if mode.startswith("I;16"):
        return 0.0, 65535.0
    low, high = float(values.min()), float(values.max())
    tops = (1.0, 255.0, 65535.0) if mode == "F" else (255.0, 65535.0)
    return next(((0.0, top) for top in tops if low >= 0 and high <= top), (low, high))


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in DEEP_GREYS:
        image = _eight_bits(image)
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
