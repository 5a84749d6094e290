"""Encoded bytes → an RGB picture, or the reason why not."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from une_ray.models.spec import Preprocessing

# Raster formats whose decoders only decode: Pillow would also start interpreters for EPS and the like.
FORMATS = ("PNG", "JPEG", "JPEG2000", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
DEEP_GREYS = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
TURNS = {  # EXIF's orientations but the upright one
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PHOTOMETRIC, WHITE_IS_ZERO, BITS_PER_SAMPLE = 262, 0, 258  # of TIFF
SAMPLE_FORMAT, UNSIGNED, SIGNED = 339, 1, 2
SAMPLES_PER_PIXEL, PLANES, APART = 277, 284, 2
COMPRESSION, NOT_COMPRESSED, BIG_ENDIAN = 259, 1, b"MM"
SUBFILE, REDUCED, DNG_VERSION = 254, 1, 50706
PNG_DEPTH = 24  # where a PNG's header has the bits of a channel
HEIC = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
OVERSHOOT = 0.05  # of floats from 0 to 1: what filters leave beyond is cut off
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
    - unsigned grey of 9 to 16 bits runs from 0, black, to the greatest number of its bits, white; of 16-bit
      colours, a clear one too, the upper byte counts;
    - other grey values (32-bit, signed, floating) have no black and white of their own: they are those of the
      first range that holds all values, 0 to 1 (floats alone, up to 5 % beyond), 0 to 255, 0 to 65,535, and
      else the picture's own extremes. NaN and infinity are rejects;
    - a TIFF that is white at zero is inverted (Pillow opens none whose numbers are signed: rejects);
    - a broken EXIF block costs the orientation, not the picture;
    - colour profiles and gamma are not applied, as no model's own preprocessing does;
    - of a camera's raw file, a TIFF whose first picture is a thumbnail, nothing is read; nor of two TIFFs
      that Pillow misreads: uncompressed channels of more than 8 bits one after another (as channels of 8),
      and compressed big-endian numbers with a sign or a point (turned around twice).

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
        _refuse_misread(image, data)
        image.load()
        if image.format == "PNG":
            _scale_clear(image, data[PNG_DEPTH])
        return _rgb(_upright(_shallow(image), image))
    except Reject:
        raise
    except Image.DecompressionBombError as error:
        raise Reject(f"over the limit of {MAX_PIXELS:,} pixels: {error}") from error
    except UnidentifiedImageError:
        raise Reject(_what_it_is(data)) from None
    except MemoryError:
        raise  # the machine's fault, not the picture's
    except (
        Exception
    ) as error:  # Pillow's decoders raise OSError, SyntaxError, struct.error, ValueError, … on bad data
        raise Reject(f"{type(error).__name__}: {error}") from error


def _refuse_misread(image: Image.Image, data: bytes) -> None:
    """Raise Reject for what Pillow would read as another picture."""
    if image.format != "TIFF":
        return
    tags = _tags(image)
    if tags.get(SUBFILE, 0) & REDUCED or DNG_VERSION in tags or data[8:10] == b"CR":
        raise Reject("a camera's raw file, whose thumbnail alone could be read: develop it to JPEG or TIFF")
    is_compressed = tags.get(COMPRESSION, NOT_COMPRESSED) != NOT_COMPRESSED
    bits, channels = max(tags.get(BITS_PER_SAMPLE, (1,))), tags.get(SAMPLES_PER_PIXEL, 1)
    if not is_compressed and tags.get(PLANES) == APART and channels > 1 and bits > 8:
        raise Reject(f"a TIFF of {channels} channels of {bits} bits, one after another: save it interleaved")
    if is_compressed and data[:2] == BIG_ENDIAN and image.mode in ("I", "F"):
        raise Reject("a compressed TIFF of signed or floating big-endian numbers: save it uncompressed")


def _scale_clear(image: Image.Image, bits: int) -> None:
    """Let the one colour that a PNG without an alpha channel calls clear have as many bits as its pixels have
    now: 8, whatever the file's were. (`_eight_bits` sees to deep greys.)"""
    clear = image.info.get("transparency")
    if image.mode == "L" and isinstance(clear, int):
        image.info["transparency"] = clear * 255 // (2**bits - 1)
    elif image.mode == "RGB" and isinstance(clear, tuple) and bits == 16:
        image.info["transparency"] = tuple(value >> 8 for value in clear)


def _shallow(image: Image.Image) -> Image.Image:
    """In 8 bits and the right way round: Pillow takes every CMYK JPEG for Adobe's, which is stored inverted,
    and leaves deep greys of TIFF that are white at zero as they are stored."""
    if image.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info:
        return ImageChops.invert(image)
    is_signed = image.mode == "L" and SIGNED in _tags(image).get(SAMPLE_FORMAT, ())
    if image.mode not in DEEP_GREYS and not is_signed:
        return image
    grey = _eight_bits(image)
    white_is_zero = _tags(image).get(PHOTOMETRIC) == WHITE_IS_ZERO
    return ImageOps.invert(grey) if white_is_zero else grey


def _what_it_is(data: bytes) -> str:
    """Of bytes that are no picture."""
    start = data[:64].lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the picture: git lfs pull brings it"
    if start.startswith((b"<!doctype html", b"<html")):
        return "a web page, not the picture: the download failed"
    if data[4:8] == b"ftyp" and data[8:12] in HEIC:
        return "HEIC, which une_ray does not decode: convert it to JPEG or PNG"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "a TIFF of a kind that Pillow does not decode: save it again in 8 or 16 bits"
    return f"not an image of a known format ({', '.join(FORMATS)})"


def _upright(picture: Image.Image, taken: Image.Image) -> Image.Image:
    """The picture as the EXIF block of what was `taken` says that it stands."""
    try:
        orientation = taken.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # whatever a parser meets in a broken block; the pixels are whole
        return picture
    return picture.transpose(TURNS[orientation]) if orientation in TURNS else picture


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of more than 8 bits, or signed, by the rule of `decode`."""
    values = _stored(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise Reject("it has values that are not finite (NaN or infinity)")
    low, high = _range(values, image)
    scaled = (values - low) / (high - low) if high > low else np.zeros_like(values)
    grey = (scaled.clip(0, 1) * 255).astype(np.uint8)
    clear = image.info.get("transparency")
    return Image.fromarray(grey if not isinstance(clear, int) else np.where(values == clear, 255, grey))


def _stored(image: Image.Image) -> np.ndarray:
    """The numbers of the file: Pillow takes signed bytes for unsigned, and unsigned 32 bits for signed."""
    values = np.asarray(image)
    if image.mode == "L":
        return values.view(np.int8)
    tags = _tags(image)
    is_unsigned = UNSIGNED in tags.get(SAMPLE_FORMAT, (UNSIGNED,))
    return values.view(np.uint32) if is_unsigned and tags.get(BITS_PER_SAMPLE) == (32,) else values


def _tags(image: Image.Image) -> Mapping[int, Any]:
    """Of a TIFF; none of any other file."""
    return getattr(image, "tag_v2", {})


def _range(values: np.ndarray, image: Image.Image) -> tuple[float, float]:
    """What is black and what is white."""
    if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PPM"):
        bits = _tags(image).get(BITS_PER_SAMPLE, (16,))
        return 0.0, 2.0 ** min(16, bits[0] if isinstance(bits, tuple) else bits) - 1
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        if low >= -OVERSHOOT and high <= 1 + OVERSHOOT:
            return 0.0, 1.0
    return next(((0.0, top) for top in (255.0, 65535.0) if low >= 0 and high <= top), (low, high))


def _rgb(image: Image.Image) -> Image.Image:
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
