"""Pictures in HTML and on a contact sheet, and a lake's card."""

import re

import numpy as np
import pytest
from PIL import Image

from une_ray.report.pictures import CAPTION_LINES, SpaceLine, contact_sheet, lake_card, strip_html


def pictures(count: int) -> list[Image.Image]:
    return [Image.new("RGB", (64, 64), (40 * i, 90, 200 - 40 * i)) for i in range(count)]


def test_a_contact_sheet_has_every_picture_in_its_place():
    sheet = np.asarray(contact_sheet(pictures(5), columns=3, side=32))
    assert sheet.shape == (2 * 54 + 8 - 2 * 14, 3 * 40 + 8, 3), "two rows without captions of three squares"
    for place, picture in enumerate(pictures(5)):
        row, column = divmod(place, 3)
        y, x = 8 + row * 40 + 16, 8 + column * 40 + 16
        assert tuple(sheet[y, x]) == picture.getpixel((0, 0))


def test_captions_are_written_below_and_long_ones_cut():
    plain, whole, captioned = (
        contact_sheet(pictures(1), [text], side=64)
        for text in ("", "an old woman with a hat", "a word " * 40)
    )
    assert whole.height == plain.height + 3 * 14, "as many lines as it takes"
    ink = (np.asarray(captioned)[8 + 64 :] < 128).any(axis=(0, 2))
    assert captioned.height == plain.height + CAPTION_LINES * 14 and ink.any()
    assert not ink[: 8 - 1].any() and not ink[8 + 64 + 1 :].any(), "within its picture's width"


def test_a_contact_sheet_wants_pictures_and_a_caption_for_each():
    with pytest.raises(ValueError, match="got none"):
        contact_sheet([])
    with pytest.raises(ValueError):
        contact_sheet(pictures(2), ["one"])


def test_a_strip_stands_alone_and_escapes_its_captions():
    html = strip_html(pictures(2), ["−1", "<b>"])
    assert html.count("data:image/") == 2 and "&lt;b&gt;" in html and "<b>" not in html
    assert "class=" not in html and "<script" not in html


def test_a_card_tells_what_a_lake_holds():
    spaces = [
        SpaceLine(space="dino", role="model", dim=1024, images=10),
        SpaceLine(space="pixels", role="control", dim=None, images=0),
    ]
    card = lake_card(
        url="/a/lake", corpus="avatars:10", items=10, rejects=1, spaces=spaces, studies=["probes", "edits"]
    )
    cells = re.findall(r"<td[^>]*>(.*?)</td>", card)
    assert cells == ["dino", "model", "1,024", "10", "pixels", "control", "–", "0"]
    assert "10 items · 1 reject · 2 spaces" in card and "asked of it: probes, edits" in card


def test_an_empty_lakes_card_says_so():
    card = lake_card(url="u", corpus="c", items=0, rejects=0, spaces=[], studies=[])
    assert "0 spaces" in card and "<table" not in card and "nothing has been asked of it yet" in card
