import io
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from tests.helpers.pictures import bomb, png, raw_png
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
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", "git lfs pull brings it"),
        (b"\n<!DOCTYPE html>\n<html>404</html>", "a web page, .* the download failed"),
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


def tiff(values: np.ndarray, **options) -> bytes:
    out = io.BytesIO()
    tifffile.imwrite(out, values, **options)
    return out.getvalue()


RAMP = np.linspace(0, 1, 64).reshape(8, 8)


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (RAMP.astype(np.float32), RAMP),
        ((RAMP / 2).astype(np.float32), RAMP / 2),  # within 0 to 1: not stretched
        ((RAMP * 255).astype(np.float32), RAMP),
        ((RAMP * 65535).astype(np.float32), RAMP),
        ((RAMP * 4e6 - 1e6).astype(np.float32), RAMP),  # its own extremes
        ((RAMP * 255).astype(np.int32), RAMP),
        ((RAMP * 100).astype(np.int32), RAMP * 100 / 255),
        ((RAMP * 65535).astype(np.int32), RAMP),
        ((RAMP * 2**30).astype(np.int32), RAMP),
        ((RAMP * 4000 - 1000).astype(np.int16), RAMP),
        ((RAMP * 1.01).astype(np.float32), (RAMP * 1.01).clip(0, 1)),  # a filter's overshoot is cut off
        ((RAMP * 65535).astype(np.uint16), RAMP),
        ((RAMP * 1000).astype(np.uint16), RAMP * 1000 / 65535),
        (np.zeros((8, 8), np.float32), RAMP * 0),
    ],
)
@pytest.mark.parametrize("white_is_zero", [False, True])
def test_deep_greys_are_read_by_the_stated_rule(values, shown, white_is_zero):
    """The values are written by tifffile, which reads them back as they are."""
    data = tiff(values, photometric="miniswhite" if white_is_zero else "minisblack")
    if white_is_zero and values.dtype.kind == "i":
        with pytest.raises(Reject, match="a TIFF of a kind that Pillow does not decode: save it again"):
            decode(data)
        return
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), values)
    grey = np.asarray(decode(data))[..., 0] / 255
    assert np.abs(grey - (1 - shown if white_is_zero else shown)).max() <= 1.5 / 255


SPANS = {
    **{"u1": (0, 2**8 - 1), "u2": (0, 2**16 - 1), "u4": (0, 2**32 - 1)},
    **{"i1": (-100, 127), "i2": (-1000, 2**15 - 1), "i4": (-(2**30), 2**31 - 1), "f4": (0, 1)},
}


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", SPANS)
def test_numbers_of_every_kind_and_order_are_read_or_refused(kind, order, compression):
    """Pillow takes signed bytes for unsigned, 32 unsigned bits for signed, and turns some numbers twice."""
    low, high = SPANS[kind]
    values = (low + RAMP * (high - low)).astype(kind)
    data = tiff(values, photometric="minisblack", byteorder=order, compression=compression)
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), values)
    turned_twice = order == ">" and compression and kind in ("i2", "i4", "f4")
    if turned_twice or (kind, order) == ("u4", ">"):
        with pytest.raises(Reject, match=": save it (uncompressed|again)"):
            decode(data)
    else:
        shown = (values.astype(float) - low) / (high - low)
        assert np.abs(np.asarray(decode(data))[..., 0] / 255 - shown).max() <= 1.5 / 255


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("layout", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_channels_side_by_side_and_one_after_another_are_one_picture_or_refused(kind, layout, compression):
    values = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (9, 7, 3), kind)
    stored = values if layout == "contig" else values.transpose(2, 0, 1)
    data = tiff(stored, photometric="rgb", planarconfig=layout, compression=compression)
    assert np.array_equal(tifffile.imread(io.BytesIO(data)), stored)
    if (kind, layout, compression) == ("u2", "separate", None):
        with pytest.raises(Reject, match="3 channels of 16 bits, one after another: save it interleaved"):
            decode(data)
    else:
        assert np.array_equal(np.asarray(decode(data)), values >> 8 if kind == "u2" else values)


@pytest.mark.parametrize("layout", ["contig", "separate"])
def test_one_number_of_bits_that_stands_for_every_channel_changes_nothing(layout):
    """TIFF 6.0 wants one per channel; writers that leave it at one are read by libtiff, and by Pillow."""
    values = np.random.default_rng(0).integers(0, 2**16, (9, 7, 3), "u2")
    stored = values if layout == "contig" else values.transpose(2, 0, 1)
    data = tiff(stored, photometric="rgb", planarconfig=layout)
    bits_of_each = struct.pack("<HHI", 258, 3, 3)  # the tag, its type, and of how many; then where they are
    at = data.index(bits_of_each)
    data = data[:at] + struct.pack("<HHIHH", 258, 3, 1, 16, 0) + data[at + 12 :]
    assert tifffile.TiffFile(io.BytesIO(data)).pages[0].tags[258].value == 16
    if layout == "separate":
        with pytest.raises(Reject, match="3 channels of 16 bits, one after another: save it interleaved"):
            decode(data)
    else:
        assert np.array_equal(np.asarray(decode(data)), values >> 8)


GREY, COLOUR = 0, 2  # a PNG's colour types without an alpha channel


@pytest.mark.parametrize(
    ("bits", "kind"), [(bits, GREY) for bits in (1, 2, 4, 8, 16)] + [(8, COLOUR), (16, COLOUR)]
)
def test_the_clear_colour_of_a_png_is_laid_on_white_whatever_its_bits(bits, kind):
    """Pillow compares the colour with pixels that it has scaled to 8 bits."""
    channels, top = (1, 3)[kind == COLOUR], 2**bits - 1
    values = np.random.default_rng(bits).integers(0, top + 1, (6, 8, channels))
    clear = values[2, 3]
    data = raw_png(values, bits, kind, clear)
    shown = np.where((values == clear).all(-1, keepdims=True), 1, values / top)
    assert np.abs(np.asarray(decode(data)) / 255 - shown).max() <= 1.5 / 255


@pytest.mark.parametrize("order", ["<", ">"])
def test_floats_of_a_pnm_are_read_by_the_rule_of_floats(order):
    """They lie from the bottom row up; the sign of their scale is their byte order."""
    scale = -1 if order == "<" else 1
    data = f"Pf\n8 8\n{scale}\n".encode() + RAMP[::-1].astype(f"{order}f4").tobytes()
    assert np.abs(np.asarray(decode(data))[..., 0] / 255 - RAMP).max() <= 1.5 / 255


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_a_reject(bad):
    values = RAMP.astype(np.float32)
    values[3, 3] = bad
    with pytest.raises(Reject, match="not finite"):
        decode(tiff(values))


@pytest.mark.parametrize("big_endian", [False, True])
def test_sixteen_bit_colours_keep_their_upper_byte(big_endian):
    values = np.random.default_rng(0).integers(0, 65536, (9, 7, 3)).astype(np.uint16)
    data = tiff(values, photometric="rgb", byteorder=">" if big_endian else "<")
    assert np.array_equal(np.asarray(decode(data)), values >> 8)


@pytest.mark.parametrize("bits", [1, 8])
def test_shallow_greys_that_are_white_at_zero_are_inverted(bits):
    values = np.tile(np.array([[0, 1]], np.uint8), (8, 4)) * (1 if bits == 1 else 200)
    data = tiff(values.astype(bool) if bits == 1 else values, photometric="miniswhite")
    top = 1 if bits == 1 else 255
    assert np.array_equal(np.asarray(decode(data))[..., 0], (top - values) * (255 // top))


def test_cmyk_of_a_jpeg_is_inverted_where_adobes_marker_says_so():
    """Without the marker the stored values are what they are: ink. Pillow writes them inverted, with the
    marker."""
    image = Image.new("CMYK", (16, 16), (0, 200, 200, 0))
    data = encode(image, "JPEG", quality=100)
    start = data.index(b"\xff\xee")
    length = int.from_bytes(data[start + 2 : start + 4], "big") + 2
    assert data[start + 4 : start + 9] == b"Adobe"
    with_marker = np.asarray(decode(data)).astype(int)
    assert with_marker[8, 8, 0] > 240 and with_marker[8, 8, 1] < 80
    bare = np.asarray(decode(data[:start] + data[start + length :])).astype(int)
    stored = Image.merge("CMYK", [Image.new("L", (16, 16), 255 - ink) for ink in (0, 200, 200, 0)])
    assert np.abs(bare - np.asarray(stored.convert("RGB"))).max() <= 4


def test_a_palette_with_transparency_is_laid_on_white():
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    data = encode(palette, transparency=1)
    assert decode(data).getpixel((0, 0)) == (255, 255, 255)


def test_a_broken_exif_block_costs_the_orientation_not_the_picture():
    data = encode(Image.new("RGB", (20, 10), "red"), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    assert decode(data).size == (20, 10)


def test_jpeg_2000_is_read_and_heic_is_a_reject_with_its_reason():
    assert decode(encode(Image.new("RGB", (32, 32), "red"), "JPEG2000")).getpixel((0, 0))[0] > 250
    with pytest.raises(Reject, match="HEIC, which une_ray does not decode: convert it"):
        decode(b"\0\0\0\x18ftypheic" + b"\0" * 200)


@pytest.mark.parametrize(
    "tag", [(254, 4, 1, 1, True), (50706, 1, 4, bytes([1, 4, 0, 0]), True)], ids=["reduced", "DNG"]
)
def test_the_thumbnail_of_a_raw_file_is_not_taken_for_the_picture(tag):
    """Cameras' raw files are TIFFs that begin with a small preview; tifffile writes the same two tags."""
    data = tiff((RAMP * 255).astype(np.uint8), photometric="minisblack", extratags=[tag])
    with pytest.raises(Reject, match="a camera's raw file, whose thumbnail alone could be read"):
        decode(data)


def test_other_sixteen_bit_files_run_over_their_own_range():
    values = np.array([[0, 100, 200, 255]], np.uint16).repeat(4, 0)
    plain = b"P5 4 4 65535\n" + values.astype(">u2").tobytes()
    assert np.asarray(decode(plain)).max() == 0  # as of the same numbers in PNG
    assert np.asarray(decode(encode(Image.fromarray(values)))).max() == 0
    clear = encode(Image.fromarray(values), transparency=0)
    assert decode(clear).getpixel((0, 0)) == (255, 255, 255) and decode(clear).getpixel((1, 0)) == (0, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_set_upright_as_pillow_does(orientation):
    image = Image.fromarray(np.arange(96, dtype=np.uint8).reshape(8, 12))
    exif = image.getexif()
    exif[0x0112] = orientation
    data = encode(image, "PNG", exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(np.asarray(decode(data)), np.asarray(expected))
