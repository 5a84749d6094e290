import io

import numpy as np
import pytest
from PIL import Image

from tests.helpers.pictures import bomb, png
from une_ray.pictures.decode import MAX_PIXELS, Reject, decode


def encode(image: Image.Image, format: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"not a picture at all", "not an image of a known format"),
        (png()[: len(png()) // 2], "truncated"),
        (png(format="JPEG")[:-400], "truncated"),
        (bomb(), "over the limit of 100,000,000"),
        (png((2, 400)), "more than 50 times as long as wide"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image of a known format"),
    ],
)
def test_what_is_no_picture_is_rejected_with_a_reason(data, reason):
    with pytest.raises(Reject, match=reason):
        decode(data)


def test_the_bomb_limit_is_below_pillows_error():
    assert MAX_PIXELS < 2 * Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
def test_every_mode_becomes_rgb(mode):
    assert decode(png(mode=mode, format="TIFF")).mode == "RGB"


def test_sixteen_bit_grey_is_scaled_not_clipped():
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    shown = np.asarray(decode(encode(Image.fromarray(values))))[..., 0]
    assert np.abs(shown.astype(int) - np.arange(256).reshape(16, 16)).max() <= 1


def test_palettes_and_transparency_are_laid_on_white():
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert decode(encode(clear)).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert decode(encode(palette)).getpixel((0, 0)) == (10, 20, 30)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode(data).getpixel((0, 0)) == (255, 0, 0) or decode(data).getpixel((0, 0)) == (254, 0, 0)


def test_a_rotated_photograph_is_set_upright():
    image = Image.new("RGB", (20, 10))
    exif = image.getexif()
    exif[0x0112] = 6
    assert decode(encode(image, "JPEG", exif=exif)).size == (10, 20)
