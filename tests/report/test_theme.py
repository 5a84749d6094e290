"""Drawings follow the reader into the dark: no colour of theirs is fixed."""

import re

import numpy as np

from une_ray.report import theme
from une_ray.report.plots import svg
from une_ray.report.theme import Colour


def drawn() -> str:
    def draw(axes):
        axes[0].plot([0, 1], [0, 1], label="line")
        axes[0].plot([0, 1], [1, 0], "o", color=Colour.GREY)
        axes[0].axhline(0.5, color=Colour.LINE)
        axes[0].set(xlabel="x", title="title")
        axes[0].legend()

    return svg(draw)


def test_every_colour_has_a_value_by_night():
    assert set(theme.NIGHT) == set(Colour)
    assert len(set(theme.NIGHT.values())) == len(Colour), "as many apart by night as by day"


def test_a_drawing_has_no_fixed_colour():
    assert re.findall(r"(?<!, )#[0-9a-f]{6}\b", drawn()) == []
    assert {"var(--blue, #3b6fb6)", "var(--grey, #7d838d)", "var(--soft, #5b616b)"} <= set(
        re.findall(r"var\([^)]*\)", drawn())
    )


def test_a_drawing_has_its_width_from_the_page_and_no_background():
    html = drawn()
    assert html.startswith('<div class="plot" style="--width: 403px"><svg')
    assert not re.search(r"<svg[^>]* (width|height)=", html) and "var(--paper" not in html


def test_only_a_heat_maps_picture_is_turned_by_night():
    html = svg(lambda axes: axes[0].imshow(np.eye(3)), is_heat_map=True)
    assert html.startswith('<div class="plot heat"') and "<image" in html
